"""Labels find their batches by the rows of their days, read once, and coverage counts each row once."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.metric_emission import day_rows
from functions.metric_emission.day_rows import DayRows
from functions.shared.domain import layout
from functions.shared.domain.manifest import PinnedRelease
from tests.component.metric_emission.world import DAY, World, rows
from tests.fakes.counting_store import CountingStore
from tests.fakes.documents import make_manifest
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Moment, WatchedStore

MANY = 150
DAYS = (DAY, DAY + timedelta(days=1), DAY + timedelta(days=40))
type Rows = Mapping[date, set[str]]

BATCHES = st.lists(
    st.dictionaries(st.sampled_from(DAYS), st.sets(st.sampled_from("abcdef"), min_size=1), min_size=1), min_size=1, max_size=6
)
"""For each batch, its rows: ids by event day."""


def crowded(batches: int = MANY) -> tuple[World, CountingStore]:
    """A day with many batches of one row each."""
    store = CountingStore()
    world = World(store=store)
    for number in range(batches):
        world.scored(f"{number}.csv", rows(0.9, prefix=f"{number}-"))
    return world, store


def labels_of(*numbers: int) -> str:
    return "id,at,bought\n" + "".join(f"{number}-0,{DAY}T10:00:00Z,yes\n" for number in numbers)


def requests_for(world: World, store: CountingStore, *numbers: int) -> int:
    created = world.upload_labels(labels_of(*numbers), f"{numbers[0]}.csv")
    before = store.requests
    world.deliver(created)
    return store.requests - before


def test_labels_ask_for_no_more_on_a_day_of_many_batches_than_on_one_of_few() -> None:
    asked = []
    for batches in (120, 240):
        world, store = crowded(batches)
        world.label(labels_of(0, 1))
        asked.append(requests_for(world, store, 7, 8))
        assert (world.performance().rows_predicted, world.performance().rows_labelled) == (batches, 4)
    assert asked[0] == asked[1]


def test_labels_ask_for_more_by_the_batches_that_they_meet_and_those_that_came_since() -> None:
    world, store = crowded()
    world.label(labels_of(0, 1))
    ten = requests_for(world, store, *range(10, 20))
    one = requests_for(world, store, 7)
    world.scored("since.csv", rows(0.9, prefix="since-"))
    since = requests_for(world, store, 8)
    assert (ten - one) / 9 <= 4
    assert since - one <= 5, "its manifest, its rows, and the day's rows brought up to date; and one file of labels more"
    assert world.performance().rows_predicted == MANY + 1


def test_a_batch_that_is_scored_again_is_counted_once_and_gets_the_labels() -> None:
    world, _ = crowded(day_rows.FEW + 1)
    world.label(labels_of(0))
    first = make_manifest("3.csv")
    again = {"batch_id": "f" * 32, "supersedes": first.batch_id, "release": PinnedRelease(seq=2, champion="1")}
    world.scored("3.csv", rows(0.1, prefix="3-"), **again)
    world.label(labels_of(3), "second.csv")
    assert (world.performance().rows_predicted, world.performance().rows_labelled) == (day_rows.FEW + 1, 2)
    assert {batch.batch_id for batch in world.performance().batches} == {make_manifest("0.csv").batch_id, "f" * 32}


def between_the_reads(world: World, change: Callable[[], None]) -> WatchedStore:
    """A store that others change once a delivery has read the day's rows, before it brings them up to date."""
    reads = count()

    def watch(moment: Moment) -> None:
        if moment.call == f"read {layout.identities_key(MODEL, DAY)}" and moment.side == "before" and next(reads) == 1:
            change()

    return WatchedStore(world.store, watch)


def test_a_batch_that_another_writer_drops_meanwhile_gets_its_labels_all_the_same() -> None:
    world, _ = crowded(day_rows.FEW + 1)
    world.label(labels_of(0))
    key, dropped = layout.identities_key(MODEL, DAY), make_manifest("3.csv").batch_id

    def drop() -> None:
        kept = DayRows.from_bytes(world.store.read(key))
        world.store.write(key, kept.only(kept.batches - {dropped}).to_bytes())

    came = world.scored("came.csv", rows(0.9, prefix="came-"))
    world.label(labels_of(3), "second.csv", store=between_the_reads(world, drop))
    assert (world.performance().rows_predicted, world.performance().rows_labelled) == (day_rows.FEW + 2, 2)
    kept = DayRows.from_bytes(world.store.read(key)).batches
    assert came.batch_id in kept
    assert dropped not in kept, "the writer may have had a reason, such as an erasure; the next labels read the batch again"


def test_a_batch_that_came_after_the_list_of_batches_stays_among_the_rows_of_its_day() -> None:
    world, _ = crowded(day_rows.FEW + 1)
    world.label(labels_of(0))
    late: list[str] = []

    def come() -> None:
        late.append(world.scored("late.csv", rows(0.9, prefix="3-"), batch_id="e" * 32).batch_id)
        world.label(labels_of(4), "meanwhile.csv")

    came = world.scored("came.csv", rows(0.9, prefix="came-"))
    world.label(labels_of(3), "second.csv", store=between_the_reads(world, come))
    assert {*late, came.batch_id} <= DayRows.from_bytes(world.store.read(layout.identities_key(MODEL, DAY))).batches
    assert world.performance().rows_labelled == 3


def test_of_a_day_with_few_batches_and_of_one_with_very_many_rows_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    few, _ = crowded(day_rows.FEW)
    few.label(labels_of(0))
    monkeypatch.setattr(day_rows, "MOST_KEPT", MANY - 1)
    many, _ = crowded()
    many.label(labels_of(0))
    for world in (few, many):
        assert not list(world.store.list(layout.IDENTITIES))
    assert many.performance().rows_predicted == MANY


def test_batches_that_are_measured_keep_up_with_days_that_get_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_rows, "KEPT_UP_EVERY", 1)
    world, _ = crowded(day_rows.FEW + 1)
    first = world.scored("first.csv", rows(0.9, prefix="first-"))
    world.record(first)
    assert not list(world.store.list(layout.IDENTITIES)), "the model has no labels at all"
    world.label(labels_of(0))
    came = world.scored("came.csv", rows(0.9, prefix="came-"))
    world.record(came)
    kept = DayRows.from_bytes(world.store.read(layout.identities_key(MODEL, DAY)))
    assert {first.batch_id, came.batch_id} <= kept.batches
    assert kept.distinct == day_rows.FEW + 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=BATCHES, after=BATCHES, few=st.sampled_from([0, 16]))
def test_each_row_of_a_day_is_counted_once_however_many_batches_scored_it(
    monkeypatch: pytest.MonkeyPatch, before: list[Rows], after: list[Rows], few: int
) -> None:
    monkeypatch.setattr(day_rows, "FEW", few)
    world = World()
    text = "id,at,bought\n" + "".join(f"{name}0,{day}T10:00:00Z,yes\n" for day in DAYS for name in "abcdef")
    made: list[Rows] = []
    for number, batch in enumerate([*before, *after]):
        made.append(batch)
        scored = [row for day, names in batch.items() for name in sorted(names) for row in rows(0.9, day=day, prefix=name)]
        world.scored(f"{number}.csv", scored)
        if number in (len(before) - 1, len(before + after) - 1):
            world.label(text, f"{number}.csv")
            for day in {day for batch in made for day in batch}:
                ids = set().union(*(batch.get(day, set()) for batch in made))
                performance = world.performance(day)
                assert (performance.rows_predicted, performance.rows_labelled) == (len(ids), len(ids))
