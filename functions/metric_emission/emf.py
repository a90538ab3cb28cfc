"""Print measurements for CloudWatch, as log lines in its embedded metric format."""

from collections.abc import Iterable

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from functions.metric_emission.measurements import Measurement


def print_measurements(measurements: Iterable[Measurement], *, stack: str) -> None:
    """Print each as an EMF line that names the stack.

    Stacks of one account share CloudWatch's namespace. Each value is a record of its own, since Powertools books several
    values of one dimension set under the last.
    """
    for measurement in measurements:
        metric = measurement.metric
        dimensions = {"stack": stack} | {name: _printable(value) for name, value in measurement.dimensions.items()}
        with single_metric(name=metric.name, unit=MetricUnit(metric.unit), value=measurement.value, default_dimensions=dimensions):
            pass


def _printable(value: str) -> str:
    r"""Return a dimension's value as CloudWatch takes it: short, printable ASCII.

    A column may have any name.

    >>> print(_printable("größe"))
    gr\xf6\xdfe
    """
    return value.encode("unicode_escape").decode("ascii")[:1024]
