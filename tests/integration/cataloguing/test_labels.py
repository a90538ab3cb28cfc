"""Tables of labels show what is known now; DuckDB counts after each step, and day documents and plain dictionaries say what is right."""

import io
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.cataloguing import followed
from functions.cataloguing.labelled_rows import LabelledRows
from functions.cataloguing.labels import catalogue_labels
from functions.cataloguing.performance_rows import PerformanceRows
from functions.cataloguing.ports import NewFile, TableFile
from functions.cataloguing.service import catalogue_all, rebuild
from functions.cataloguing.upkeep import compare, sweep
from functions.erasure.event import EraseRequest
from functions.erasure.files import lighter
from functions.erasure.people import People
from functions.erasure.ports import Ports as ErasurePorts
from functions.erasure.service import erase
from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError
from tests.component.metric_emission.test_day_labels import put
from tests.component.metric_emission.test_labels import csv
from tests.component.metric_emission.world import DAY, Scored, rows
from tests.component.metric_emission.world import World as Measured
from tests.fakes.documents import serve
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL, make_version
from tests.integration.cataloguing.world import World

LABELLED, PERFORMANCE = f"{MODEL}_labelled", f"{MODEL}_performance"
SHOWN = f"SELECT id, prediction, everscore_label FROM {LABELLED} ORDER BY event_day, id"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as world:
        yield world


@pytest.fixture
def measured(world: World) -> Measured:
    """Metric emission over the same store, whose model serves."""
    return Measured(store=world.store)


def shown(world: World) -> list[tuple[Any, ...]]:
    """The labelled rows after the tables were brought to what is stored."""
    catalogue_labels(MODEL, world.ports)
    return world.query(SHOWN, LABELLED)


def test_predictions_are_joined_with_their_labels(world: World, measured: Measured) -> None:
    batch = measured.scored("a.csv", rows(0.9, 0.2, 0.7))
    measured.label(csv(("yes", "no", "no")))
    assert shown(world) == [("r0", "yes", "yes"), ("r1", "no", "no"), ("r2", "yes", "no")]
    assert world.query(f"SELECT DISTINCT event_day, everscore_batch, everscore_champion FROM {LABELLED}", LABELLED) == [
        (DAY, batch.batch_id, "1")
    ]


def test_of_several_labels_of_a_row_the_last_is_shown(world: World, measured: Measured) -> None:
    measured.scored("a.csv", rows(0.9, 0.2))
    measured.label(csv(("yes", "no")))
    assert shown(world) == [("r0", "yes", "yes"), ("r1", "no", "no")]
    measured.label(csv(("no",)), "corrected.csv")
    assert shown(world) == [("r0", "yes", "no"), ("r1", "no", "no")]
    measured.label(csv(("perhaps",)), "unknown.csv")
    assert shown(world) == [("r0", "yes", "no"), ("r1", "no", "no")], "a label that the model does not know counts nowhere"


def test_a_day_of_labels_that_the_model_does_not_know_has_no_rows(world: World, measured: Measured) -> None:
    put(measured.store, "unknown", [("a", "perhaps")], 0)
    assert shown(world) == []
    assert catalogue_labels(MODEL, world.ports) == 0
    put(measured.store, "known", [("a", "no")], 1)
    assert shown(world) == [("a", "yes", "no")]


def test_labels_that_come_again_change_nothing(world: World, measured: Measured) -> None:
    measured.scored("a.csv", rows(0.9, 0.2))
    measured.label(csv(("yes", "no")))
    assert catalogue_labels(MODEL, world.ports) == 2
    assert catalogue_labels(MODEL, world.ports) == 0


def test_rows_that_were_scored_again_show_their_newest_answers(world: World, measured: Measured) -> None:
    first = measured.scored("a.csv", rows(0.9, 0.2))
    measured.label(csv(("yes", "no")))
    assert [row[1] for row in shown(world)] == ["yes", "no"]
    again = measured.scored("again.csv", rows(0.1, 0.8), supersedes=first.batch_id)
    measured.record(again)
    assert shown(world) == [("r0", "no", "yes"), ("r1", "yes", "no")]
    assert world.query(f"SELECT DISTINCT everscore_batch FROM {LABELLED}", LABELLED) == [(again.batch_id,)]


def test_performance_is_that_of_the_day_documents(world: World, measured: Measured) -> None:
    measured.serve(make_version(), make_version("2", seed=2))
    later = DAY + timedelta(days=40)
    measured.scored("a.csv", [Scored("r0", 0.9, challenger=0.6), Scored("r1", 0.2, challenger=0.3)])
    measured.serve(make_version())
    measured.scored("b.csv", rows(0.9, 0.2, day=later))
    measured.label(csv(("yes",)))
    measured.label("id,at,bought\n" + csv(("no", "no")).splitlines()[2] + "\n", "late.csv")
    measured.label(csv(("no", "no"), day=later), "later.csv")
    catalogue_labels(MODEL, world.ports)
    expected = [
        (day, group.role.value, group.version, group.rows, group.metrics["accuracy"], group.metrics["auc"], group.loss_sum)
        for day in (DAY, later)
        for group in sorted(measured.performance(day).groups, key=lambda group: group.role.value)
    ]
    assert len(expected) == 3
    columns = "event_day, role, version, rows, accuracy, auc, loss_sum"
    assert world.query(f"SELECT {columns} FROM {PERFORMANCE} ORDER BY event_day, role", PERFORMANCE) == expected
    joined = f"SELECT event_day, count(*) FROM {LABELLED} GROUP BY 1 ORDER BY 1"
    assert world.query(joined, LABELLED) == [(day, measured.performance(day).rows_labelled) for day in (DAY, later)]


def test_without_labels_there_is_no_such_table(world: World, measured: Measured) -> None:
    measured.scored("a.csv", rows(0.9, 0.2))
    assert catalogue_labels(MODEL, world.ports) == 0
    assert not world.tables.exists(MODEL, "labelled")


def erase_person(measured: Measured, person: str) -> None:
    names = iter(f"n{number}" for number in range(99))
    ports = ErasurePorts(MemoryStore("inbox"), measured.store, names.__next__, measured.now)
    erase(EraseRequest(model=MODEL, ids=(person,), who="ada"), ports)


def test_an_erased_person_is_in_no_version_of_any_file_of_the_tables(world: World, measured: Measured) -> None:
    measured.scored("a.csv", rows(0.9, 0.2))
    measured.label(csv(("yes", "no")))
    assert len(shown(world)) == 2
    erase_person(measured, "r0")
    for version in world.store.versions("tables/"):
        assert b"r0" not in world.store.read(version.info.key, version.info.version_id)
    assert shown(world) == [("r1", "no", "no")]
    [state] = world.catalogue.load_table(("everscore", LABELLED)).snapshots()
    assert state.summary is not None
    assert state.summary["total-records"] == "1"
    erase_person(measured, "r1")
    assert shown(world) == []


def test_a_person_who_is_erased_while_rows_are_read_is_not_shown(world: World, measured: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    measured.scored("a.csv", rows(0.9, 0.2))
    measured.label(csv(("yes", "no")))
    written, keys = world.store.write, list[str]()

    def erased_meanwhile(key: str, body: bytes) -> Any:
        if key.startswith(f"tables/{MODEL}/labelled/data/") and not keys:
            keys.append(key)
            erase_person(measured, "r0")
        return written(key, body)

    monkeypatch.setattr(world.store, "write", erased_meanwhile)
    assert shown(world) == [("r1", "no", "no")]
    assert keys[0] not in {version.info.key for version in world.store.versions("tables/")}


def test_days_come_into_the_table_while_labels_of_others_come(world: World, measured: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a long upload of labels: whenever one of two days is written, the other is labelled again."""
    days, written, left = (DAY, DAY + timedelta(days=1)), world.store.write, iter(range(2 * followed._TRIES))
    measured.scored("a.csv", [row for day in days for row in rows(0.9, day=day)])
    for day in days:
        measured.label(csv(("yes",), day=day), f"{day}.csv")

    def labelled_meanwhile(key: str, body: bytes) -> Any:
        info = written(key, body)
        if key.startswith(f"tables/{MODEL}/labelled/data/") and (number := next(left, None)) is not None:
            [other] = [day for day in days if day.isoformat() not in key]
            put(world.store, "more", [(f"n{number}", "no")], number, day=other)
        return info

    monkeypatch.setattr(world.store, "write", labelled_meanwhile)
    while catalogue_labels(MODEL, world.ports):  # as for the messages that announce these labels
        pass
    assert next(left, None) is None
    newest = f"SELECT event_day, id FROM {LABELLED} WHERE id LIKE 'n%' ORDER BY 1"
    assert {name for _, name in world.query(newest, LABELLED)} == {f"n{2 * followed._TRIES - 2}", f"n{2 * followed._TRIES - 1}"}


@pytest.mark.parametrize(
    "ids",
    [
        (pa.array([7, 8]), pa.array(["9"])),
        (pa.array([7.0, 8.0]), pa.array([9])),
        (pa.array(["7", "8"]), pa.array(["9"]).dictionary_encode()),
    ],
    ids=["whole numbers and text", "floats and whole numbers", "text and dictionary"],
)
def test_people_are_erased_whatever_types_a_days_files_keep_their_ids_in(
    world: World, measured: Measured, ids: tuple[pa.Array, pa.Array]
) -> None:
    for name, of_file in zip(("a", "b"), ids, strict=True):
        measured.scored(f"{name}.csv", rows(*[0.9] * len(of_file)), ids=of_file)
    for persons in ("78", "9"):
        measured.label("id,at,bought\n" + "".join(f"{person},{DAY.isoformat()}T10:00:00Z,yes\n" for person in persons), f"{persons}.csv")
    assert shown(world) == [("7", "yes", "yes"), ("8", "yes", "yes"), ("9", "yes", "yes")]
    before = {version.info.version_id for version in world.store.versions(f"tables/{MODEL}/labelled/data/")}
    erase_person(measured, "7")
    assert before.isdisjoint(version.info.version_id for version in world.store.versions(f"tables/{MODEL}/labelled/data/"))
    assert shown(world) == [("8", "yes", "yes"), ("9", "yes", "yes")]


def test_people_are_erased_though_a_column_has_the_ids_name_in_other_letters(world: World, measured: Measured) -> None:
    measured.scored("a.csv", rows(0.9, 0.2), carried="Id")
    measured.label(csv(("yes", "no")))
    catalogue_labels(MODEL, world.ports)
    [file] = world.tables.open(MODEL, "labelled").files()
    assert pq.read_table(io.BytesIO(world.store.read(file.key)))["id"].to_pylist() == ["r0", "r1"]
    erase_person(measured, "r0")
    assert file.key not in {version.info.key for version in world.store.versions("tables/")}


def test_a_file_of_labelled_rows_without_ids_may_show_anybody(world: World, measured: Measured) -> None:
    """An earlier Everscore wrote such files."""
    measured.scored("a.csv", rows(0.9))
    key = layout.table_file_key(MODEL, "labelled", DAY, "earlier")
    sink = io.BytesIO()
    pq.write_table(pa.table({"prediction": ["yes"]}), sink)
    world.store.write(key, sink.getvalue())
    erase_person(measured, "r7")
    assert key not in {version.info.key for version in world.store.versions("tables/")}


def test_labels_whose_event_was_lost_come_within_the_hour(world: World, measured: Measured) -> None:
    measured.scored("a.csv", rows(0.9, 0.2))
    measured.label(csv(("yes", "no")))
    compare(world.ports, measured.now())
    assert world.query(f"SELECT count(*) FROM {LABELLED}", LABELLED) == [(2,)]
    assert world.query(f"SELECT sum(rows) FROM {PERFORMANCE}", PERFORMANCE) == [(2,)]


def test_rebuilt_tables_are_the_same_and_the_night_clears_what_was_replaced(world: World, measured: Measured) -> None:
    measured.scored("a.csv", rows(0.9, 0.2))
    for number, truth in enumerate((("yes", "no"), ("no", "no"), ("no", "yes"))):
        measured.label(csv(truth), f"{number}.csv")
        before = shown(world)
    rebuild(MODEL, world.ports)
    assert world.query(SHOWN, LABELLED) == before == [("r0", "yes", "no"), ("r1", "no", "yes")]
    sweep(world.ports, max(info.last_modified for info in world.store.list("tables/")) + timedelta(days=2))
    kept = [info.key for info in world.store.list(f"tables/{MODEL}/labelled/data/")]
    assert len(kept) == 1
    assert world.query(SHOWN, LABELLED) == before


@pytest.mark.parametrize("limit", ["_AT_A_TIME", "_SOURCES_AT_A_TIME"])
def test_a_long_past_comes_in_steps(limit: str, world: World, measured: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [DAY + timedelta(days=number) for number in range(5)]
    measured.scored("a.csv", [row for day in days for row in rows(0.9, day=day)])
    measured.label(csv(("yes",)) + "".join(csv(("yes",), day=day).removeprefix("id,at,bought\n") for day in days[1:]))
    monkeypatch.setattr(followed, limit, 2)
    catalogue_all(MODEL, world.ports)
    assert world.query(f"SELECT event_day, id FROM {LABELLED} ORDER BY 1", LABELLED) == [(day, "r0") for day in days]
    assert len(world.catalogue.load_table(("everscore", LABELLED)).snapshots()) == 3


def test_columns_whose_types_differ_are_left_out_of_all_days(world: World, measured: Measured) -> None:
    measured.scored("a.csv", rows(0.9))
    measured.label(csv(("yes",)))
    catalogue_labels(MODEL, world.ports)
    [first] = world.store.list(layout.labelled_prefix(MODEL))
    table = pq.read_table(io.BytesIO(world.store.read(first.key)))
    for number, note in enumerate((pa.array([7]), pa.array(["seven"]))):
        sink = io.BytesIO()
        moved = table.set_column(table.column_names.index("id"), "id", pa.array([f"n{number}"])).append_column("note", note)
        pq.write_table(moved, sink)
        world.store.write(layout.labelled_key(MODEL, DAY, f"extra{number}"), sink.getvalue())
    assert [row[0] for row in shown(world)] == ["n0", "n1", "r0"]
    assert world.tables.open(MODEL, "labelled").columns.left_out == {"note": ("long", "string")}


def test_ids_that_an_earlier_everscore_had_as_numbers_come_back_in_the_night(world: World, measured: Measured) -> None:
    """Its table has them as numbers, which agree with no text."""
    measured.scored("a.csv", rows(0.9, 0.2))
    measured.label(csv(("yes", "no")))
    earlier = pa.table({"id": [1, 2], "everscore_label": ["yes", "no"]})
    sink = io.BytesIO()
    pq.write_table(earlier, sink)
    file = TableFile(layout.table_file_key(MODEL, "labelled", DAY, "earlier"), DAY)
    world.store.write(file.key, sink.getvalue())
    table = world.tables.open(MODEL, "labelled")
    new = NewFile(file, 2, len(sink.getvalue()), bounds={})
    table.commit(table.columns.with_files([earlier.schema]), added=[new], removed=[])
    assert world.query(f"SELECT id FROM {LABELLED} ORDER BY id", LABELLED) == [(1,), (2,)]
    catalogue_labels(MODEL, world.ports)
    assert world.tables.open(MODEL, "labelled").columns.left_out == {"id": ("long", "string")}
    sweep(world.ports, measured.now())
    assert shown(world) == [("r0", "yes", "yes"), ("r1", "no", "no")]


def test_a_source_that_changes_at_every_try_is_a_conflict(world: World, measured: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    measured.scored("a.csv", rows(0.9))
    measured.label(csv(("yes",)))
    monkeypatch.setattr(followed, "_right", lambda *_: [])
    with pytest.raises(ConflictError, match="changed meanwhile"):
        catalogue_labels(MODEL, world.ports)


def test_a_month_that_another_worker_added_since_the_listing_stays(
    world: World, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured.scored("a.csv", rows(0.9))
    measured.label(csv(("yes",)))
    now = PerformanceRows.sources
    listed = [now(PerformanceRows(MODEL), world.store)]
    later = DAY + timedelta(days=40)
    measured.scored("b.csv", rows(0.9, day=later))
    measured.label(csv(("no",), day=later), "later.csv")
    catalogue_labels(MODEL, world.ports)
    monkeypatch.setattr(PerformanceRows, "sources", lambda self, store: listed.pop() if listed else now(self, store))
    assert followed.bring(MODEL, PerformanceRows(MODEL), world.ports) == 0
    assert not listed
    assert world.query(f"SELECT event_day FROM {PERFORMANCE} ORDER BY 1", PERFORMANCE) == [(DAY,), (later,)]


def test_tables_come_along_while_labels_come_at_every_look(world: World, measured: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    measured.scored("a.csv", rows(*[0.9] * 40))
    said = count(1)

    def label() -> int:
        """One more row has a label."""
        number = next(said)
        measured.label(csv(("yes",) * number), f"{number}.csv")
        return number

    label()
    for kind in (PerformanceRows, LabelledRows):
        listed = kind.sources
        monkeypatch.setattr(kind, "sources", lambda self, store, listed=listed: (listed(self, store), label())[0])
    assert catalogue_labels(MODEL, world.ports) == 2
    shown = world.query(f"SELECT count(*) FROM {LABELLED}", LABELLED)[0][0]
    assert 1 <= shown < next(said) - 1
    monkeypatch.undo()
    last = label()
    catalogue_labels(MODEL, world.ports)
    assert world.query(f"SELECT count(*) FROM {LABELLED}", LABELLED) == [(last,)]
    assert world.query(f"SELECT rows FROM {PERFORMANCE}", PERFORMANCE) == [(last,)]


PEOPLE = "abcd"
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("labels come"),
            st.sampled_from(["f1", "f2", "f3"]),
            st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(["yes", "no", "perhaps"])), min_size=1, max_size=4),
        ),
        st.tuples(st.just("a person is erased"), st.sampled_from(PEOPLE), st.none()),
        st.tuples(st.just("the file goes"), st.sampled_from(["f1", "f2", "f3"]), st.none()),
        st.tuples(st.sampled_from(["catalogue", "rebuild"]), st.none(), st.none()),
    ),
    max_size=12,
)


def take_out(person: str, world: World) -> None:
    """Rewrite files of labelled rows as an erasure does."""
    for info in [*world.store.list(layout.labelled_prefix(MODEL))]:
        light = lighter(info.key, world.store.read(info.key), make_version().spec, People((person,)))
        if light is not None:
            world.store.write(info.key, light.body)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_becomes_of_labels_each_row_is_shown_with_the_last_of_them(tmp_path: Path, steps: list[tuple[str, Any, Any]]) -> None:
    with closing(World(tmp_path)) as world:
        serve(world.store, make_version())
        files: dict[str, tuple[int, list[tuple[str, str]]]] = {}
        for minute, (what, name, rows_of_file) in enumerate([*steps, ("catalogue", None, None)]):
            match what:
                case "labels come":
                    files[name] = minute, rows_of_file
                    put(world.store, name, rows_of_file, minute)
                case "a person is erased":
                    files = {file: (came, [row for row in labelled if row[0] != name]) for file, (came, labelled) in files.items()}
                    take_out(name, world)
                case "the file goes":
                    files.pop(name, None)
                    world.store.delete([layout.labelled_key(MODEL, DAY, name)])
                case "catalogue":
                    catalogue_labels(MODEL, world.ports)
                case "rebuild":
                    rebuild(MODEL, world.ports)
        in_turn = sorted(files.values(), key=lambda file: file[0])
        expected = {name: label for _, labelled in in_turn for name, label in labelled if label != "perhaps"}
        if world.tables.exists(MODEL, "labelled"):
            assert dict(world.query(f"SELECT id, everscore_label FROM {LABELLED}", LABELLED)) == expected
            assert world.query(f"SELECT count(*) FROM {LABELLED}", LABELLED) == [(len(expected),)]
        else:
            assert expected == {}
