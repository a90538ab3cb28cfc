"""What Prometheus is sent: each batch once, whatever is delivered twice, crashes or runs side by side."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from functions.metric_emission import totals as totals_module
from functions.metric_emission.measurements import Measurement
from functions.metric_emission.prometheus import families
from functions.metric_emission.totals import REMEMBERED, fold, folded
from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError
from functions.shared.domain.manifest import BatchError, Manifest, Status
from functions.shared.domain.metrics import (
    BATCH_SECONDS,
    CATALOGUE,
    DRIFT,
    DRIFTED_COLUMNS,
    LABEL_COVERAGE,
    LABELS,
    PERFORMANCE,
    ROWS_IN,
    ROWS_QUARANTINED,
    ROWS_SCORED,
    Kind,
    Metric,
    Occasion,
)
from functions.shared.domain.totals import Series, Totals
from functions.shared.ports import ObjectStore
from tests.component.metric_emission.test_batches import like_training
from tests.component.metric_emission.world import DAY, World, rows
from tests.fakes.documents import NOW
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Crash, CrashAt, Moment, WatchedStore

EMPTY = Totals(told_at=NOW)
NEXT_DAY = DAY + timedelta(days=1)


class Documents:
    """A collector of some totals."""

    def __init__(self, *documents: Totals) -> None:
        self.documents = documents

    def collect(self):
        return families(self.documents, stack="shop")


def exposed(*documents: Totals) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Samples by name and labels, as Prometheus' own reader takes them from the exposition; each is there once."""
    registry = CollectorRegistry()
    registry.register(Documents(*documents))  # type: ignore[arg-type]
    read = text_string_to_metric_families(generate_latest(registry).decode())
    samples = [((sample.name, frozenset(sample.labels.items())), sample.value) for family in read for sample in family.samples]
    assert len(dict(samples)) == len(samples)
    return dict(samples)


def value(totals: Totals, of: Metric, **dimensions: str) -> float | None:
    """Of one series, None if there is none."""
    found = [series.value for series in totals.series if series.metric == of.name and series.dimensions == dimensions]
    return found[0] if found else None


def totals_of(world: World, name: str = MODEL) -> Totals:
    return Totals.from_json(world.store.read(layout.totals_key(name)))


# Counting


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from("ab"), st.integers(0, 1000), st.floats(0, 2000, allow_nan=False)),
        max_size=12,
    )
)
def test_totals_are_the_sums_over_all_batches_however_often_and_in_which_order_they_are_delivered(
    deliveries: list[tuple[int, str, int, float]],
) -> None:
    # A batch is what came first under its number.
    first = {number: measured for number, *measured in reversed(deliveries)}
    store = MemoryStore()
    for number, _, _, _ in deliveries:
        reason, quarantined, seconds = first[number]
        measured = [
            Measurement(ROWS_QUARANTINED, quarantined, {"model": MODEL, "reason": str(reason)}),
            Measurement(BATCH_SECONDS, float(seconds), {"model": MODEL}),
        ]
        fold(MODEL, Occasion.BATCH, measured, store=store, now=lambda: NOW, once=str(number))
    if not deliveries:
        return
    totals = Totals.from_json(store.read(layout.totals_key(MODEL)))
    by_reason = Counter[str]()
    for reason, quarantined, _ in first.values():
        by_reason[str(reason)] += quarantined
    assert {reason: value(totals, ROWS_QUARANTINED, model=MODEL, reason=reason) for reason in by_reason} == dict(by_reason)
    seconds = [seconds for _, _, seconds in first.values()]
    [series] = [series for series in totals.series if series.metric == BATCH_SECONDS.name]
    assert series.value == pytest.approx(sum(seconds))
    # NumPy's bins are closed on the left, Prometheus' buckets on the right: counted upside down they agree.
    edges = np.array([-np.inf, *BATCH_SECONDS.buckets, np.inf])
    assert list(series.counts) == np.histogram(-np.array(seconds), -edges[::-1])[0][::-1].tolist()


def test_a_batch_is_forgotten_only_when_many_others_were_counted_after_it() -> None:
    totals = EMPTY
    for number in range(REMEMBERED + 1):
        totals = folded(totals, Occasion.BATCH, [], now=NOW, once=str(number))
    assert totals.folded == tuple(str(number) for number in range(1, REMEMBERED + 1))


def test_batches_that_are_counted_at_the_same_moment_are_all_counted() -> None:
    seen: list[Moment] = []

    def count(number: int, store) -> None:
        measured = [Measurement(ROWS_IN, 10, {"model": MODEL})]
        fold(MODEL, Occasion.BATCH, measured, store=store, now=lambda: NOW, once=str(number))

    count(1, WatchedStore(MemoryStore(), seen.append))
    for standing in (False, True):
        for moment in seen:
            store = MemoryStore()
            if standing:
                count(0, store)

            def deliver(now: Moment, at: Moment = moment, other_store: MemoryStore = store) -> None:
                if now == at:
                    count(2, other_store)

            count(1, WatchedStore(store, deliver))
            totals = Totals.from_json(store.read(layout.totals_key(MODEL)))
            assert value(totals, ROWS_IN, model=MODEL) == (30 if standing else 20), moment


def test_totals_that_others_change_at_every_try_are_an_error() -> None:
    store, numbers = MemoryStore(), iter(range(1000))

    def disturb(moment: Moment) -> None:
        if moment.side == "before" and moment.call.startswith(("create", "replace")):
            fold(MODEL, Occasion.BATCH, [], store=store, now=lambda: NOW, once=str(next(numbers)))

    with pytest.raises(ConflictError, match="20 times"):
        fold(MODEL, Occasion.BATCH, [], store=WatchedStore(store, disturb), now=lambda: NOW, once="mine")


def test_a_file_of_labels_that_is_delivered_twice_is_counted_once() -> None:
    world = World()
    world.scored("a.csv", rows(0.9, 0.2))
    created = world.label("id,at,bought\nr0,2013-04-01T10:00:00Z,yes\nr1,2013-04-01T10:00:00Z,no\n")
    world.deliver(created)
    assert value(totals_of(world), LABELS, model=MODEL) == 2
    assert value(totals_of(world), PERFORMANCE, model=MODEL, role="champion", metric="accuracy") == 1.0


# Gauges


def test_a_gauge_that_is_reported_no_more_disappears() -> None:
    def drift(**columns: float) -> list[Measurement]:
        return [Measurement(DRIFT, psi, {"model": MODEL, "column": column}) for column, psi in columns.items()]

    totals = folded(EMPTY, Occasion.BATCH, drift(price=1.0, shop=0.5), now=NOW)
    totals = folded(totals, Occasion.TICK, [], now=NOW)
    assert value(totals, DRIFT, model=MODEL, column="shop") == 0.5
    totals = folded(totals, Occasion.BATCH, [*drift(price=2.0), Measurement(ROWS_IN, 1, {"model": MODEL})], now=NOW)
    assert value(totals, DRIFT, model=MODEL, column="price") == 2.0
    assert value(totals, DRIFT, model=MODEL, column="shop") is None


def test_a_batch_that_failed_or_is_measured_late_leaves_the_drift_that_stands() -> None:
    world = World()
    world.set_policy(drift={"pooled_batches": 1, "min_rows": 100})
    late = world.profiled("late.csv", like_training(world.baseline))
    world.record(world.profiled("drifted.csv", like_training(world.baseline, "price")))
    failed = BatchError(code="no_header", message="no", remedy="mend")
    world.record(world.commit("failed.csv", status=Status.FAILED, error=failed))
    assert value(totals_of(world), DRIFTED_COLUMNS, model=MODEL) == 1
    world.record(late)
    assert value(totals_of(world), DRIFTED_COLUMNS, model=MODEL) == 1
    world.record(world.profiled("mended.csv", like_training(world.baseline)))
    assert value(totals_of(world), DRIFTED_COLUMNS, model=MODEL) == 0


def labelled(**days: float) -> list[Measurement]:
    found = {"first": DAY, "second": NEXT_DAY}
    return [Measurement(LABEL_COVERAGE, coverage, {"model": MODEL}, found[day]) for day, coverage in days.items()]


@pytest.mark.parametrize(
    ("said", "stands"),
    [
        ([labelled(first=0.1)], 0.1),
        ([labelled(first=0.1, second=0.2)], 0.2),
        ([labelled(second=0.2), labelled(first=0.1)], 0.2),
        ([labelled(second=0.2), []], 0.2),
        ([labelled(second=0.2), labelled(second=0.3)], 0.3),
        ([labelled(first=0.1), labelled(second=0.2)], 0.2),
    ],
)
def test_of_event_days_the_newest_stands_also_when_labels_of_an_older_one_come_late(said: list[list[Measurement]], stands: float) -> None:
    totals = EMPTY
    for measured in said:
        totals = folded(totals, Occasion.LABELS, measured, now=NOW)
    assert value(totals, LABEL_COVERAGE, model=MODEL) == stands


# Time and shape


@given(st.lists(st.integers(-5, 5)))
def test_of_two_states_the_later_one_has_the_later_time_whatever_the_clocks_say(steps: list[int]) -> None:
    times = [EMPTY.told_at]
    totals = EMPTY
    for step in steps:
        totals = folded(totals, Occasion.TICK, [], now=NOW + timedelta(seconds=step))
        times.append(totals.told_at)
    assert times == sorted(set(times))


@pytest.mark.parametrize(
    "other",
    [
        Series(metric="Forgotten", dimensions={"model": MODEL}, value=5),
        Series(metric=ROWS_IN.name, dimensions={"model": MODEL, "region": "north"}, value=5),
        Series(metric=BATCH_SECONDS.name, dimensions={"model": MODEL}, value=5, counts=(5, 0)),
    ],
)
def test_what_another_everscore_counted_in_another_shape_starts_again(other: Series) -> None:
    before = Totals(series=(other,), told_at=NOW)
    assert exposed(before) == {}
    after = folded(
        before, Occasion.BATCH, [Measurement(ROWS_IN, 1, {"model": MODEL}), Measurement(BATCH_SECONDS, 1, {"model": MODEL})], now=NOW
    )
    assert [series.value for series in after.series] == [1, 1]


# As Prometheus reads it


def test_every_metric_of_the_catalogue_is_exposed_by_its_name_and_labels() -> None:
    totals = EMPTY
    for occasion in Occasion:
        said = [metric for metric in CATALOGUE if metric.occasion is occasion]
        totals = folded(totals, occasion, [Measurement(metric, 0.5, dict.fromkeys(metric.dimensions, "x")) for metric in said], now=NOW)
    samples = exposed(totals)
    for metric in CATALOGUE:
        labels = frozenset({("stack", "shop"), *((dimension, "x") for dimension in metric.dimensions)})
        if metric.kind is Kind.HISTOGRAM:
            assert samples[f"{metric.prometheus}_sum", labels] == 0.5
            assert samples[f"{metric.prometheus}_count", labels] == 1
            assert samples[f"{metric.prometheus}_bucket", labels | {("le", "+Inf")}] == 1
        else:
            assert samples[metric.prometheus, labels] == 0.5


def test_a_histograms_buckets_hold_all_values_up_to_their_bound() -> None:
    measured = [Measurement(BATCH_SECONDS, seconds, {"model": MODEL}) for seconds in (0.3, 0.31, 5000)]
    samples = exposed(folded(EMPTY, Occasion.BATCH, measured, now=NOW))
    buckets = {dict(labels)["le"]: count for (name, labels), count in samples.items() if name == f"{BATCH_SECONDS.prometheus}_bucket"}
    assert {bound: buckets[bound] for bound in ("0.1", "0.3", "1.0", "1000.0", "+Inf")} == {
        "0.1": 0,
        "0.3": 1,
        "1.0": 2,
        "1000.0": 2,
        "+Inf": 3,
    }


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=10))
def test_a_column_of_any_name_is_exposed_under_that_name(column: str) -> None:
    totals = folded(EMPTY, Occasion.BATCH, [Measurement(DRIFT, 1, {"model": MODEL, "column": column})], now=NOW)
    assert exposed(totals) == {(DRIFT.prometheus, frozenset({("stack", "shop"), ("model", MODEL), ("column", column)})): 1}


def test_models_stand_side_by_side() -> None:
    documents = [
        folded(EMPTY, Occasion.BATCH, [Measurement(ROWS_SCORED, rows_scored, {"model": model})], now=NOW)
        for model, rows_scored in {"a": 1, "b": 2}.items()
    ]
    assert exposed(*documents) == {
        (ROWS_SCORED.prometheus, frozenset({("stack", "shop"), ("model", model)})): scored for model, scored in {"a": 1, "b": 2}.items()
    }


def test_what_comes_again_after_many_others_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals_module, "REMEMBERED", 3)
    world = World()
    manifests = [world.profiled(f"{number}.csv", like_training(world.baseline)) for number in range(8)]
    for manifest in [*manifests, *reversed(manifests), *manifests]:
        world.record(manifest)
    created = [world.upload_labels("id,at,bought\nnobody,2013-04-01T10:00:00Z,yes\n", f"{number}.csv") for number in range(8)]
    for file in [*created, *reversed(created)]:
        world.deliver(file)
    assert value(totals_of(world), ROWS_IN, model=MODEL) == sum(manifest.rows_in for manifest in manifests)
    assert value(totals_of(world), LABELS, model=MODEL) == 8


def moments_of(world: World, act: Callable[[ObjectStore], None]) -> list[Moment]:
    """Before and after each call that an action makes on a copy of the store."""
    seen: list[Moment] = []
    act(WatchedStore(world.store.copy(), seen.append))
    return seen


@pytest.mark.parametrize("judged", [False, True])
@pytest.mark.parametrize("times", [1, 2])
def test_whenever_a_delivery_is_overtaken_by_another_and_many_others_it_is_counted_once(
    monkeypatch: pytest.MonkeyPatch,
    judged: bool,  # noqa: FBT001
    times: int,
) -> None:
    """The other delivery is a whole one, and enough follow it that the totals forget its name, at every moment of the first."""
    monkeypatch.setattr(totals_module, "REMEMBERED", 2)
    world = World()
    before, slow, *others = [world.profiled(f"{number}.csv", like_training(world.baseline)) for number in range(6)]
    world.record(before)
    if judged:
        crash_before(world, slow, f"replace {layout.totals_key(MODEL)}")
    started = world.store.copy()
    for moment in moments_of(world, lambda store: world.record(slow, store=store)):
        world.store = started.copy()

        def overtake(now: Moment, at: Moment = moment) -> None:
            if now == at:
                for number in range(times):
                    world.record(slow, *others[2 * number : 2 * number + 2])

        world.record(slow, store=WatchedStore(world.store, overtake))
        counted = {manifest.batch_id: manifest.rows_in for manifest in (before, slow, *others[: 2 * times])}
        assert value(totals_of(world), ROWS_IN, model=MODEL) == sum(counted.values()), moment


def crash_before(world: World, manifest: Manifest, call: str) -> None:
    """A delivery ends just before a call."""

    def end(now: Moment) -> None:
        if (now.side, now.call) == ("before", call):
            raise Crash(now)

    with pytest.raises(Crash):
        world.record(manifest, store=WatchedStore(world.store, end))


def test_a_delivery_that_crashes_anywhere_is_counted_once_also_when_it_comes_again_after_many_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(totals_module, "REMEMBERED", 2)
    world = World()
    manifests = [world.profiled(f"{number}.csv", like_training(world.baseline)) for number in range(6)]
    world.record(*manifests[:3])
    started, crashed = world.store.copy(), manifests[3]
    for moment in moments_of(world, lambda store: world.record(crashed, store=store)):
        world.store = started.copy()
        with pytest.raises(Crash):
            world.record(crashed, store=WatchedStore(world.store, CrashAt(moment)))
        world.record(*manifests[4:])
        world.record(crashed)
        world.record(crashed, *manifests)
        assert value(totals_of(world), ROWS_IN, model=MODEL) == sum(manifest.rows_in for manifest in manifests), moment


def test_whatever_is_folded_twice_at_once_with_many_others_between_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals_module, "REMEMBERED", 2)

    def count(store: ObjectStore, *names: str) -> None:
        for name in names:
            fold(MODEL, Occasion.LABELS, [Measurement(LABELS, 1, {"model": MODEL})], store=store, now=lambda: NOW, once=name)

    started, seen = MemoryStore(), list[Moment]()
    count(started, "first")
    count(WatchedStore(started.copy(), seen.append), "twice")
    for moment in seen:
        store = started.copy()

        def overtake(now: Moment, at: Moment = moment, store: MemoryStore = store) -> None:
            if now == at:
                count(store, "twice", "second", "third")

        count(WatchedStore(store, overtake), "twice")
        assert value(Totals.from_json(store.read(layout.totals_key(MODEL))), LABELS, model=MODEL) == 4, moment
