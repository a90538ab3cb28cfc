"""Measurements on their way to CloudWatch: lines in its embedded metric format, which Lambda's log makes metrics of."""

from collections.abc import Iterable

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from functions.metric_emission.measurements import Measurement


def print_measurements(measurements: Iterable[Measurement]) -> None:
    """Print each as an EMF line. Powertools books several values of one dimension set under the last: one record each."""
    for measurement in measurements:
        metric = measurement.metric
        unit, dimensions = MetricUnit(metric.unit), dict(measurement.dimensions)
        with single_metric(name=metric.name, unit=unit, value=measurement.value, default_dimensions=dimensions):
            pass
