"""What the pages are asked about: every metric of the catalogue in some combinations of its dimensions."""

from collections.abc import Mapping

from functions.shared.domain.metrics import Metric

CHOSEN = {"stack": "everscore", "model": "sales", "metric": "log_loss"}
"""What a reader chose on the page."""

VALUES: Mapping[str, tuple[str, ...]] = {
    "model": ("sales", "loans"),
    "role": ("champion", "challenger"),
    "metric": ("log_loss", "auc", "cost"),
    "column": ("price", "shop"),
    "reason": ("missing_id", "infinite"),
    "code": ("empty_file", "no_header"),
    "status": ("scored", "failed"),
    "queue": ("scoring", "scoring_dead_letters"),
    "kind": ("drift", "stale"),
    "version": ("2", "3"),
}


def combinations(metric: Metric) -> list[dict[str, str]]:
    """The metric's dimensions, each value of one with each of the others."""
    found: list[dict[str, str]] = [{}]
    for dimension in metric.dimensions:
        found = [{**known, dimension: value} for known in found for value in VALUES[dimension]]
    return found
