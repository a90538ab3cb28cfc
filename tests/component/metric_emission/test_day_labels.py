"""The labelled rows of a day are those of all its files of labels, whatever became of the document that gathers them."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.erasure.files import lighter
from functions.erasure.people import People
from functions.metric_emission import day_labels
from functions.metric_emission.day_labels import labelled_rows
from functions.metric_emission.join import write_labelled
from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError
from functions.shared.domain.labelled_columns import ARRIVED, BATCH, CHALLENGER, CHAMPION, ID, LABEL
from functions.shared.domain.manifest import PinnedRelease
from functions.shared.domain.spec import Task
from functions.shared.ports import ObjectStore
from tests.component.metric_emission.world import DAY, World, rows
from tests.fakes.counting_store import CountingStore
from tests.fakes.documents import make_manifest
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL, make_version
from tests.fakes.watched_store import Crash, CrashAt, Moment, WatchedStore

SPEC = make_version().spec
AT = datetime(DAY.year, DAY.month, DAY.day, 10, tzinfo=UTC)
KEY = layout.labelled_rows_key(MODEL, DAY)
PEOPLE = "abcdef"
type Row = tuple[str, str, str]
"""Id, label, and when the label came."""

ROWS = st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(["yes", "no"])), min_size=1, max_size=4)
FILES = st.sampled_from(["f1", "f2", "f3", "f4"])
HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("labels come"), FILES, ROWS),
        st.tuples(st.just("a person is erased"), st.sampled_from(PEOPLE), st.none()),
        st.tuples(st.just("the file goes"), FILES, st.none()),
        st.tuples(st.just("the document goes"), st.none(), st.none()),
        st.tuples(st.just("an earlier document comes back"), st.integers(0, 9), st.none()),
        st.tuples(st.just("a writer is overtaken"), st.none(), st.none()),
        st.tuples(st.just("a writer ends"), st.integers(0, 12), st.none()),
    ),
    max_size=14,
)


def put(store: ObjectStore, file: str, labelled: list[tuple[str, str]], minute: int, *, day: date = DAY) -> None:
    """One file of labels labels rows of the day."""
    count = len(labelled)
    texts = {CHAMPION: "1", CHALLENGER: None, BATCH: "b"}
    table = pa.table(
        {
            SPEC.id_column: [name for name, _ in labelled],
            SPEC.time_column: pa.array([AT] * count, pa.timestamp("us", "UTC")),
            "prediction": pa.array(["yes"] * count).dictionary_encode(),
            **{name: [0.5] * count for name in SPEC.score_columns},
            LABEL: [label for _, label in labelled],
            ARRIVED: [(AT + timedelta(minutes=minute)).isoformat()] * count,
            **{name: pa.array([value] * count, pa.string()) for name, value in texts.items()},
        }
    )
    write_labelled(store, layout.labelled_key(MODEL, day, file), table)


def seen(store: ObjectStore) -> list[Row]:
    found = labelled_rows(DAY, SPEC, store)
    return list(zip(found[ID].to_pylist(), found[LABEL].to_pylist(), found[ARRIVED].to_pylist(), strict=True))


class Overtaken(MemoryStore):
    """A store where somebody else writes the document just before anybody does."""

    def replace(self, key: str, body: bytes, *, etag: str) -> None:
        raise ConflictError(key)

    def create(self, key: str, body: bytes) -> bool:
        return False


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(happenings=HAPPENINGS, few=st.sampled_from([0, 2]))
def test_rows_are_those_of_the_files_that_stand_whatever_happens(
    monkeypatch: pytest.MonkeyPatch, happenings: list[tuple[str, Any, list[tuple[str, str]] | None]], few: int
) -> None:
    monkeypatch.setattr(day_labels, "FEW", few)
    day = Day()
    for minute, (what, which, labelled) in enumerate(happenings):
        day.happens(minute, what, which, labelled)
        if minute % 2:
            day.check()
    day.check()


class Day:
    """A store, and a plain model of what its files of labels say."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.files: dict[str, tuple[int, list[tuple[str, str]]]] = {}

    def check(self, store: ObjectStore | None = None) -> None:
        if self.files:
            assert seen(store or self.store) == expected(self.files)

    def happens(self, minute: int, what: str, which: Any, labelled: list[tuple[str, str]] | None) -> None:
        match what:
            case "labels come":
                put(self.store, which, labelled or [], minute)
                self.files[which] = (minute, labelled or [])
            case "a person is erased":
                erase(self.store, which)
                left = {file: (came, [row for row in some if row[0] != which]) for file, (came, some) in self.files.items()}
                self.files = {file: kept for file, kept in left.items() if kept[1]}
            case "the file goes":
                self.store.delete([layout.labelled_key(MODEL, DAY, which)])
                self.files.pop(which, None)
            case "the document goes":
                self.store.delete([KEY])
            case _:
                self._writers(what, which)

    def _writers(self, what: str, which: Any) -> None:
        match what:
            case "an earlier document comes back":
                for version in list(self.store.versions(KEY))[which : which + 1]:
                    self.store.write(KEY, self.store.read(KEY, version.info.version_id))
            case "a writer is overtaken":
                overtaken = Overtaken()
                overtaken.__dict__.update(self.store.__dict__)
                self.check(overtaken)
            case "a writer ends":
                with suppress(Crash):
                    self.check(WatchedStore(self.store, CrashAt(Moment(self.store.bucket, which, "after", ""))))


def expected(files: dict[str, tuple[int, list[tuple[str, str]]]]) -> list[Row]:
    """By when labels came; each file came at a minute of its own."""
    in_order = sorted(files.values(), key=lambda file: file[0])
    return [(name, label, (AT + timedelta(minutes=came)).isoformat()) for came, labelled in in_order for name, label in labelled]


def erase(store: MemoryStore, name: str) -> None:
    """What erasure does with files that it finds."""
    for prefix in layout.replaced_prefixes(MODEL):
        for found in [*store.list(prefix)]:
            light = lighter(found.key, store.read(found.key), SPEC, People([name]))
            if light and light.rows:
                store.write(found.key, light.body)
            elif light:
                store.delete([found.key])


def test_a_file_of_labels_asks_for_as_much_after_forty_as_after_ten() -> None:
    store = CountingStore()
    world = World(store=store)
    world.scored("a.csv", rows(*[0.9] * 50))
    asked = []
    for number in range(41):
        created = world.upload_labels(f"id,at,bought\nr{number},{AT.isoformat()},yes\n", f"{number}.csv")
        before = store.requests
        world.deliver(created)
        asked.append(store.requests - before)
        assert world.performance().rows_labelled == number + 1
    assert asked[40] == asked[10] < 40


def test_a_crash_at_any_write_or_a_delivery_within_another_leaves_the_day_as_it_is_by_all_labels() -> None:
    many = day_labels.FEW + 2
    world = World()
    world.scored("a.csv", rows(*[0.9] * many))
    files = [world.upload_labels(f"id,at,bought\nr{number},{AT.isoformat()},yes\n", f"{number}.csv") for number in range(many)]
    for file in files[:-1]:
        world.deliver(file)
    before, seen_moments = world.store.copy(), list[Moment]()
    world.deliver(files[-1], store=WatchedStore(world.store, seen_moments.append))
    right = world.performance()
    writes = [moment for moment in seen_moments if moment.call.startswith(("write", "create", "replace"))]
    assert right.rows_labelled == many
    assert any(moment.call == f"replace {KEY}" for moment in writes)
    for moment in writes:
        world.store = before.copy()
        with pytest.raises(Crash):
            world.deliver(files[-1], store=WatchedStore(world.store, CrashAt(moment)))
        world.deliver(files[-1])
        assert world.performance() == right, moment
        world.store = before.copy()

        def deliver(now: Moment, at: Moment = moment) -> None:
            if now == at:
                world.deliver(files[-1])

        with suppress(ConflictError):
            world.deliver(files[-1], store=WatchedStore(world.store, deliver))
        assert world.performance() == right, moment


def test_a_version_with_other_scores_has_the_files_read_again() -> None:
    store = MemoryStore()
    for number in range(day_labels.FEW + 1):
        put(store, f"f{number}", [(PEOPLE[number], "yes")], number)
    others = SPEC.model_copy(update={"task": Task.MULTICLASS, "classes": ("yes", "no", "maybe")})
    for spec, named in ((SPEC, "score"), (others, "score_maybe"), (SPEC, "score")):
        found = labelled_rows(DAY, spec, store)
        kept = labelled_rows(DAY, spec, store)
        assert found.equals(kept)
        assert (named in kept.column_names) == (named == "score"), "the files have no other scores"
        assert kept[ID].to_pylist() == [*PEOPLE[: day_labels.FEW + 1]]


def test_of_labels_for_one_row_that_came_at_once_those_of_the_later_file_by_name_stand_last() -> None:
    store = MemoryStore()
    for number in range(day_labels.FEW + 1):
        put(store, f"f{number}", [("a", f"{number}")], 0)
    first = [label for _, label, _ in seen(store)]
    put(store, "f0", [("a", "0 again")], 0)
    assert first == ["0", "1", "2", "3", "4"]
    assert [label for _, label, _ in seen(store)] == ["0 again", "1", "2", "3", "4"]


def test_a_batch_that_is_scored_again_asks_for_the_files_that_labelled_its_rows_and_no_others() -> None:
    asked = []
    for files in (10, 40):
        store = CountingStore()
        world = World(store=store)
        for number in range(files):
            world.scored(f"{number}.csv", rows(0.9, prefix=f"{number}-"))
            world.label(f"id,at,bought\n{number}-0,{AT.isoformat()},yes\n", f"{number}.csv")
        first = make_manifest("3.csv")
        again = {"batch_id": "f" * 32, "supersedes": first.batch_id, "release": PinnedRelease(seq=2, champion="1")}
        manifest = world.scored("3.csv", rows(0.2, prefix="3-"), **again)
        before = store.requests
        world.record(manifest)
        asked.append(store.requests - before)
        [group] = world.performance().groups
        assert (world.performance().rows_labelled, group.metrics["accuracy"]) == (files, pytest.approx(1 - 1 / files))
        assert {batch.batch_id for batch in world.performance().batches} >= {"f" * 32}
    assert asked[1] <= asked[0] + 1
