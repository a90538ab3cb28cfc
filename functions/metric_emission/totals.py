"""Fold measurements for Prometheus into one document per model.

Each batch and each file of labels counts once.

Functions live for seconds and run side by side, and a counter that one of them kept would start at zero with each. So what is
counted stands in the store and changes by compare-and-swap; the tick alone sends it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from functions.metric_emission.measurements import Measurement
from functions.shared.domain import layout
from functions.shared.domain.errors import NotFoundError
from functions.shared.domain.metrics import CATALOGUE, Kind, Metric, Occasion
from functions.shared.domain.totals import Series, Totals
from functions.shared.ports import ObjectStore
from functions.shared.repositories.swap import Standing, swap

REMEMBERED = 500
"""How many of the batches and label files that were counted last totals name themselves; each before them has a mark."""

_TICK = timedelta(milliseconds=1)
_METRICS = {metric.name: metric for metric in CATALOGUE}


@dataclass(frozen=True, slots=True)
class Folded:
    """The totals now, and whether the measurements are new in them.

    They are not if they were delivered before.
    """

    totals: Totals
    new: bool


type _Identity = tuple[str, tuple[tuple[str, str], ...]]


def fold(
    name: str,
    occasion: Occasion,
    measurements: Iterable[Measurement],
    *,
    store: ObjectStore,
    now: Callable[[], datetime],
    once: str | None = None,
    unseen: Standing | None = None,
) -> Folded:
    """Add what was measured on an occasion to the totals of a model or of the fleet.

    What must be counted once is, whatever crashes, comes again or runs side by side. For what was counted, the totals name it or it has
    a mark: a mark is written before its name leaves the totals. So totals that do not name it, read before its mark is missed, lack it,
    and another writer's count after that changes them, so that they are read again.

    Args:
        name: whose totals.
        occasion: whose gauges the measured ones replace, all of them.
        measurements: of this occasion's metrics.
        store: where totals lie.
        now: the time.
        once: what was measured, if it must not be counted twice.
        unseen: totals that were read before anybody could count it, for which no mark has to be looked for.

    Raises:
        ConflictError: if others changed the totals at every try.
    """
    measured = list(measurements)

    def with_measured(body: bytes | None) -> tuple[bytes | None, Folded]:
        before = Totals.from_json(body) if body is not None else Totals(told_at=now())
        is_unseen = unseen is not None and body is unseen.body
        if once is not None and (once in before.folded or not (is_unseen or not _is_marked(name, once, store))):
            return None, Folded(before, new=False)
        after = folded(before, occasion, measured, now=now(), once=once)
        for left in before.folded[: len(before.folded) + (once is not None) - len(after.folded)]:
            store.create(layout.counted_key(name, left), b"")
        return after.to_json(), Folded(after, new=True)

    return swap(store, layout.totals_key(name), with_measured, known=unseen)


def _is_marked(name: str, once: str, store: ObjectStore) -> bool:
    try:
        store.info(layout.counted_key(name, once))
    except NotFoundError:
        return False
    return True


def metric_of(series: Series) -> Metric | None:
    """Return the metric of a series.

    It is None if another version counted the metric in another shape.

    Such a series starts at zero.
    """
    metric = _METRICS.get(series.metric)
    if metric is None or tuple(series.dimensions) != metric.dimensions:
        return None
    counts = len(metric.buckets) + 1 if metric.kind is Kind.HISTOGRAM else 0
    return metric if len(series.counts) == counts else None


def folded(before: Totals, occasion: Occasion, measurements: Sequence[Measurement], *, now: datetime, once: str | None = None) -> Totals:
    """Return totals with some measurements added.

    Counters and histograms grow. Gauges replace all earlier ones of the same occasion, so that a column or a role without a
    gauge disappears. But gauges of an event day or a batch never replace those of a later one, and without any gauge, as after a
    failed batch, the earlier ones stay.
    """
    series = {_identity(found.metric, found.dimensions): found for found in before.series if metric_of(found)}
    for measurement in measurements:
        if measurement.metric.kind is not Kind.GAUGE:
            _count(series, measurement)
    gauges = [found for found in measurements if found.metric.kind is Kind.GAUGE]
    newest = max((_place(found) for found in gauges), default=None)
    standing = {key: _place(found) for key, found in series.items() if _is_gauge_of(found, occasion)}
    if newest is not None and newest >= max(standing.values(), default=newest):
        for key in standing:
            del series[key]
        for found in gauges:
            if _place(found) == newest:
                series[_identity(found.metric.name, found.dimensions)] = _series(found)
    told_at = max(now, before.told_at + _TICK)
    names = (*before.folded, once)[-REMEMBERED:] if once else before.folded
    return Totals(series=tuple(series.values()), folded=names, told_at=told_at)


def _count(series: dict[_Identity, Series], measurement: Measurement) -> None:
    key, fresh = _identity(measurement.metric.name, measurement.dimensions), _series(measurement)
    if (known := series.get(key)) is None:
        series[key] = fresh
        return
    counts = tuple(old + new for old, new in zip(known.counts, fresh.counts, strict=True))
    series[key] = known.model_copy(update={"value": known.value + fresh.value, "counts": counts})


def _series(measurement: Measurement) -> Series:
    metric = measurement.metric
    counts = _bucketed(metric, measurement.value) if metric.kind is Kind.HISTOGRAM else ()
    return Series(
        metric=metric.name,
        dimensions=dict(measurement.dimensions),
        value=measurement.value,
        counts=counts,
        day=measurement.day,
        at=measurement.at,
    )


def _bucketed(metric: Metric, value: float) -> tuple[int, ...]:
    """Return one value as a histogram: 1 in its bucket, 0 elsewhere.

    Its bucket is the first whose upper bound it does not exceed.
    """
    bucket = bisect_left(metric.buckets, value)
    return tuple(int(number == bucket) for number in range(len(metric.buckets) + 1))


def _identity(metric: str, dimensions: Mapping[str, str]) -> _Identity:
    return metric, tuple(dimensions.items())


def _is_gauge_of(series: Series, occasion: Occasion) -> bool:
    metric = _METRICS[series.metric]
    return metric.kind is Kind.GAUGE and metric.occasion is occasion


def _place(gauge: Measurement | Series) -> tuple[date, datetime]:
    """Return where in time a gauge belongs, among others of its occasion.

    Those about now belong together.
    """
    return gauge.day or date.min, gauge.at or datetime.min.replace(tzinfo=UTC)
