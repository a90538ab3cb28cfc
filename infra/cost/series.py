"""How many custom metrics the catalogue makes: one for each combination of dimensions' values, as CloudWatch counts them."""

from math import prod

from functions.metric_emission.metrics import CATALOGUE, TOP_COLUMNS, Metric, Occasion

SEEN = {"status": 2, "role": 2, "metric": 6, "reason": 2, "code": 1, "queue": 2, "kind": 1}
"""How many values of a dimension a model is taken to show in a month, where the catalogue does not bound them."""


def ticked_series(models: int) -> int:
    """Series that are sent in every hour, whether anything was scored or not."""
    return sum(_series(metric, models, columns=0) for metric in CATALOGUE if metric.occasion is Occasion.TICK)


def all_series(models: int, columns: int) -> int:
    """Series when as many columns drift as are told of, a challenger runs and some batches fail.

    Args:
        models: that are watched, each with as many columns.
        columns: of a row.
    """
    return sum(_series(metric, models, columns) for metric in CATALOGUE)


def _series(metric: Metric, models: int, columns: int) -> int:
    values = {"model": models, "column": min(columns, TOP_COLUMNS), **SEEN}
    return prod(values.get(dimension, 1) for dimension in metric.dimensions)
