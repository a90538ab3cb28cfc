"""Totals as Prometheus names and orders them: metric families with samples."""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import Metric as Family
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from functions.metric_emission.totals import metric_of
from functions.shared.domain.metrics import CATALOGUE, Kind, Metric
from functions.shared.domain.totals import Series, Totals


def families(documents: Iterable[Totals], *, stack: str) -> Iterator[Family]:
    """Yield one family for each metric that has series.

    They are in the catalogue's order. Each series names its stack.
    """
    series = [series for totals in documents for series in totals.series]
    for metric in CATALOGUE:
        if found := [known for known in series if metric_of(known) is metric]:
            yield _family(metric, found, stack)


def _family(metric: Metric, series: Iterable[Series], stack: str) -> Family:
    labels = ("stack", *metric.dimensions)
    if metric.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(metric.prometheus, metric.help, labels=labels)
        bounds = [*map(str, metric.buckets), "+Inf"]
        for known in series:
            cumulative = list(zip(bounds, accumulate(known.counts), strict=True))
            histogram.add_metric([stack, *known.dimensions.values()], cumulative, known.value)
        return histogram
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(metric.prometheus, metric.help, labels=labels)
    for known in series:
        family.add_metric([stack, *known.dimensions.values()], known.value)
    return family
