"""The index names the batches that manifests say there are, in whatever order and however often it is written."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain import layout
from functions.shared.domain.arrival import Arrival, DayBlock
from functions.shared.domain.manifest import Manifest, PinnedRelease
from functions.shared.repositories.batch_index import BatchIndex
from functions.shared.repositories.manifests import Manifests
from tests.fakes.documents import make_manifest
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Crash, CrashAt, Moment, WatchedStore

FIRST = date(2013, 3, 29)
DAYS = st.dates(FIRST, FIRST + timedelta(days=40))


@st.composite
def batches(draw: st.DrawFn) -> list[Manifest]:
    """Batches, some of them scored again by later releases, committed at moments of their own."""
    made: list[Manifest] = []
    for number in range(draw(st.integers(0, 6))):
        arrived = draw(DAYS)
        events = draw(st.dictionaries(st.dates(date.min, date.max) | DAYS, st.integers(1, 9), max_size=3))
        first = make_manifest(f"{number}.csv", day=arrived, event_days=events, created_at=_moment(arrived, len(made)))
        made.append(first.model_copy(update={"release": draw(st.none() | st.just(PinnedRelease(seq=1, champion="1")))}))
        for seq in range(2, draw(st.integers(2, 4))):
            changed = {
                "batch_id": layout.batch_id("inbox", first.source.key, "v1", f"rescore:{seq}"),
                "supersedes": first.batch_id,
                "release": PinnedRelease(seq=seq, champion=str(seq)),
                "created_at": _moment(arrived, len(made)),
                "event_days": draw(st.just(events) | st.just({})),
            }
            made.append(first.model_copy(update=changed))
    return made


def _moment(day: date, number: int) -> datetime:
    return datetime(day.year, day.month, day.day, 9, tzinfo=UTC) + timedelta(seconds=number)


def standing(made: Sequence[Manifest]) -> list[Manifest]:
    """Of each upload the last scoring, the newest day of arrival first: worked out from the manifests alone."""
    last = {manifest.source.key: manifest for manifest in sorted(made, key=lambda one: one.created_at)}
    return sorted(last.values(), key=lambda one: (one.source.last_modified.date(), one.created_at), reverse=True)


def unindexed(made: Sequence[Manifest]) -> MemoryStore:
    """A store as an earlier version left it."""
    store = MemoryStore()
    for manifest in made:
        store.write(layout.manifest_key(MODEL, manifest.source.last_modified.date(), manifest.batch_id), manifest.to_json())
    return store


def complete(store: MemoryStore | WatchedStore) -> None:
    BatchIndex(store).complete(MODEL, also=lambda _: None)


def names(store: MemoryStore) -> set[str]:
    return {key for key in store.keys() if key.startswith("index/")}  # noqa: SIM118 - a method of the store


@given(made=batches(), data=st.data())
def test_an_index_written_in_any_order_and_twice_is_the_one_that_is_made_from_manifests(made: list[Manifest], data: st.DataObject) -> None:
    committed, rebuilt = MemoryStore(), unindexed(made)
    for manifest in data.draw(st.permutations([*made, *made])):
        Manifests(committed).commit(manifest)
    complete(committed)
    complete(rebuilt)
    assert names(committed) == names(rebuilt)


@given(made=batches(), day=DAYS)
def test_batches_are_found_by_the_index_as_by_reading_every_manifest(made: list[Manifest], day: date) -> None:
    store = unindexed(made)
    for _ in range(2):
        assert list(Manifests(store).newest(MODEL)) == standing(made)
        assert list(Manifests(store).of_days(MODEL, {day})) == [one for one in standing(made) if day in one.event_days]
        complete(store)


@given(made=batches())
def test_a_name_says_what_it_was_made_of(made: list[Manifest]) -> None:
    for manifest in made:
        assert Arrival.named(Arrival.of(manifest).name) == Arrival.of(manifest)


@given(first=st.dates(), days=st.integers(0, 5000), inside=st.integers(0, 5000))
def test_one_or_two_blocks_cover_any_days(first: date, days: int, inside: int) -> None:
    last = date.fromordinal(min(first.toordinal() + days, date.max.toordinal()))
    day = min(last, date.fromordinal(min(first.toordinal() + inside, date.max.toordinal())))
    blocks = DayBlock.covering(first, last)
    assert len(blocks) <= 2
    assert any(DayBlock.of(day, block.level) == block for block in blocks)


def test_of_two_scorings_by_different_releases_the_later_one_stands() -> None:
    first = make_manifest("a.csv", event_days={FIRST: 1})
    rescored = [
        first.model_copy(
            update={"batch_id": letter * 32, "supersedes": first.batch_id, "created_at": first.created_at + timedelta(hours=hour)}
        )
        for letter, hour in (("b", 1), ("c", 2))
    ]
    store = unindexed([*rescored, first])
    began = min(info.last_modified for info in store.list(layout.manifest_prefix(MODEL)))
    assert list(Manifests(store).newest(MODEL)) == [rescored[1]]
    assert Manifests(store).written_since(MODEL, began) == [rescored[1]]
    complete(store)
    assert list(Manifests(store).newest(MODEL)) == [rescored[1]]
    assert list(Manifests(store).of_days(MODEL, {FIRST})) == [rescored[1]]


def test_an_erasure_that_leaves_no_row_changes_no_name() -> None:
    manifest = make_manifest("a.csv", event_days={FIRST: 2}, rows_in=2, rows_scored=2)
    assert Arrival.of(manifest.model_copy(update={"rows_scored": 0, "rows_erased": 2})) == Arrival.of(manifest)


def moments(made: Sequence[Manifest]) -> list[Moment]:
    seen: list[Moment] = []
    complete(WatchedStore(unindexed(made), seen.append))
    return seen


def test_an_index_whose_making_was_broken_off_is_whole_after_the_next_call() -> None:
    made = [make_manifest(f"{number}.csv", day=FIRST + timedelta(days=number), event_days={FIRST: 1}) for number in range(3)]
    for moment in moments(made):
        store = unindexed(made)
        with pytest.raises(Crash):
            complete(WatchedStore(store, CrashAt(moment)))
        assert len(list(Manifests(store).newest(MODEL))) == len(made), moment
        complete(store)
        assert len(names(store)) == 2 * len(made) + 1, moment
