"""Small files of a closed day are put together, and no answer changes; DuckDB is asked after each step."""

import io
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from functions.cataloguing import compaction, upkeep
from functions.cataloguing.compaction import compact, days_of_small_files
from functions.cataloguing.service import catalogue, catalogue_all, rebuild
from functions.cataloguing.upkeep import bring_and_count, sweep
from functions.erasure.event import EraseRequest
from functions.erasure.ports import Ports as ErasurePorts
from functions.erasure.service import erase
from functions.shared.domain import layout
from functions.shared.domain.manifest import Manifest
from functions.shared.repositories.manifests import Manifests
from tests.component.metric_emission.world import Scored
from tests.component.metric_emission.world import World as Measured
from tests.fakes.documents import serve
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL, make_version
from tests.integration.cataloguing.test_kills import Killer
from tests.integration.cataloguing.world import ARRIVED, World, days_of, rows

DAY, SPEC, UPLOADS = ARRIVED.date(), make_version().spec, 6
NIGHT = ARRIVED + timedelta(days=3)
ALL = 'SELECT batch_id, arrived_on, id, "at", score FROM {0}_scored ORDER BY ALL'


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as world:
        yield world


@pytest.fixture(autouse=True)
def _few_files_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "_FEWEST", 3)


def upload(world: World, model: str = "m", *, count: int = UPLOADS) -> list[Manifest]:
    """Batches of two rows each, which are in the tables."""
    batches = [world.scored(f"{number}.csv", rows(2 * number, 2), model=model) for number in range(count)]
    catalogue(model, days_of(*batches), world.ports)
    return batches


def answer(world: World, model: str = "m") -> list[tuple[Any, ...]]:
    return world.query(ALL.format(model), f"{model}_scored")


def files(world: World, model: str = "m") -> list[str]:
    return sorted(file.key.split("/")[0] for file in world.tables.open(model, "scored").files())


def test_a_days_small_files_become_one_and_each_row_keeps_its_batch(world: World) -> None:
    batches = upload(world)
    before = answer(world)
    assert len(before) == 2 * UPLOADS
    assert compact("m", DAY, SPEC, world.ports) == UPLOADS
    assert files(world) == ["tables"]
    assert answer(world) == before
    assert world.query(f"SELECT id FROM m_scored WHERE batch_id = '{batches[2].batch_id}' ORDER BY id", "m_scored") == [("4",), ("5",)]
    assert world.query(f"SELECT count(*) FROM m_scored WHERE arrived_on = DATE '{DAY}'", "m_scored") == [(2 * UPLOADS,)]
    assert world.query(f"SELECT count(*) FROM m_scored WHERE arrived_on > DATE '{DAY}'", "m_scored") == [(0,)]


def test_pyiceberg_reads_the_same(world: World) -> None:
    upload(world)
    table = world.catalogue.load_table(("everscore", "m_scored"))
    before = table.scan().to_arrow().sort_by("id").to_pylist()
    compact("m", DAY, SPEC, world.ports)
    table.refresh()
    assert table.scan().to_arrow().sort_by("id").select(table.schema().column_names).to_pylist() == before
    assert [file["id"] for file in table.scan(row_filter="score > 0.10").to_arrow().to_pylist()] == ["11"]


def test_the_night_compacts_days_on_which_nothing_arrives_any_more(world: World) -> None:
    serve(world.store, make_version())
    upload(world, MODEL)
    before = answer(world, MODEL)
    sweep(world.ports, NIGHT - timedelta(days=1))
    assert files(world, MODEL) == ["scored"] * UPLOADS
    sweep(world.ports, NIGHT)
    assert files(world, MODEL) == ["tables"]
    assert answer(world, MODEL) == before
    stands = world.catalogue.load_table(("everscore", f"{MODEL}_scored")).metadata_location
    sweep(world.ports, NIGHT + timedelta(days=1))
    assert world.catalogue.load_table(("everscore", f"{MODEL}_scored")).metadata_location == stands, "and then leaves them"


def test_a_long_past_is_compacted_in_steps_the_newest_days_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(world.store, make_version())
    monkeypatch.setattr(upkeep, "_DAYS_A_NIGHT", 2)
    for number in range(9):
        world.scored(f"{number}.csv", rows(number, 1), model=MODEL, arrived=ARRIVED + timedelta(days=number // 3))
    now = ARRIVED + timedelta(days=30)
    for night, small in ((1, {DAY}), (2, set[date]())):
        sweep(world.ports, now + timedelta(days=night))
        shown = world.tables.open(MODEL, "scored").files()
        assert {file.day for file in shown if file.batch} == small
    assert len(answer(world, MODEL)) == 9


def test_days_that_cannot_be_compacted_are_tried_and_count_as_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(world.store, make_version())
    monkeypatch.setattr(upkeep, "_DAYS_A_NIGHT", 2)
    tried = list[date]()
    monkeypatch.setattr(upkeep, "compact", lambda _, day, *__: (tried.append(day), 0)[1])
    for number in range(12):
        world.scored(f"{number}.csv", rows(number, 1), model=MODEL, arrived=ARRIVED + timedelta(days=number // 3))
    sweep(world.ports, ARRIVED + timedelta(days=30))
    assert tried == [DAY + timedelta(days=3), DAY + timedelta(days=2)]


def test_no_day_is_begun_when_little_time_is_left(world: World) -> None:
    serve(world.store, make_version())
    for number in range(9):
        world.scored(f"{number}.csv", rows(number, 1), model=MODEL, arrived=ARRIVED + timedelta(days=number // 3))
    looks = iter([False, False, True])
    sweep(world.ports, ARRIVED + timedelta(days=30), lambda: next(looks))
    assert {file.day for file in world.tables.open(MODEL, "scored").files() if not file.batch} == {DAY + timedelta(days=2)}
    sweep(world.ports, ARRIVED + timedelta(days=30), lambda: True)
    assert {file.day for file in world.tables.open(MODEL, "scored").files() if file.batch} == {DAY, DAY + timedelta(days=1)}


def test_what_no_table_names_is_deleted_although_small_files_cannot_be_put_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be it of the same model or of one that comes later."""
    serve(world.store, make_version())
    left = list[str]()
    for model in (MODEL, "another"):
        upload(world, model)
        left.append(layout.table_file_key(model, "batches", DAY, "left"))
        world.store.write(left[-1], b"rows")

    def fails(*_: object) -> int:
        message = "as if memory did not suffice"
        raise MemoryError(message)

    monkeypatch.setattr(upkeep, "compact", fails)
    with pytest.raises(ExceptionGroup, match="1 of 2 models failed"):
        sweep(world.ports, max(info.last_modified for info in world.store.list("tables/")) + timedelta(days=5))
    assert not world.store.keys() & {*left}


def test_few_files_stay_as_they_are(world: World) -> None:
    serve(world.store, make_version())
    upload(world, MODEL, count=2)
    sweep(world.ports, NIGHT)
    assert files(world, MODEL) == ["scored", "scored"]


def test_a_large_batch_keeps_its_own_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "_SMALL_ROWS", 2)
    upload(world)
    large = world.scored("large.csv", rows(100, 3))
    catalogue("m", days_of(large), world.ports)
    before = answer(world)
    compact("m", DAY, SPEC, world.ports)
    assert files(world) == ["scored", "tables"]
    bring_and_count("m", {DAY}, world.ports, look=True)
    assert answer(world) == before


def test_files_of_a_large_batch_that_was_scored_in_partitions_stay_as_they_are(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "_SMALL_ROWS", 5)
    batch = world.scored("large.csv", rows(0, 2))
    parts = [world.stored(layout.scored_key("m", batch.batch_id, "a1", part), rows(2 * part, 2)) for part in range(1, 4)]
    whole = batch.model_copy(update={"outputs": (*batch.outputs, *parts), "rows_scored": 8})
    world.store.write(layout.manifest_key("m", DAY, batch.batch_id), whole.to_json())
    catalogue("m", {DAY}, world.ports)
    stands = world.catalogue.load_table(("everscore", "m_scored")).metadata_location
    assert days_of_small_files("m", {DAY}, world.ports) == []
    assert compact("m", DAY, SPEC, world.ports) == 0
    assert world.catalogue.load_table(("everscore", "m_scored")).metadata_location == stands
    assert files(world) == ["scored"] * 4


@pytest.mark.parametrize(("files_ahead", "most"), [(2, 4), (99, 99)])
def test_as_many_files_are_read_ahead_as_memory_allows(world: World, monkeypatch: pytest.MonkeyPatch, files_ahead: int, most: int) -> None:
    rows_of_file, columns, value_bytes = 2, 4, 8
    monkeypatch.setattr(compaction, "_AHEAD_BYTES", files_ahead * rows_of_file * columns * value_bytes)
    upload(world, count=20)
    read, pieces, begun, ahead = world.store.read, compaction._pieces, list[str](), list[int]()

    def watched(key: str, *rest: Any) -> bytes:
        begun.append(key)
        return read(key, *rest)

    def slowly(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        begun.clear()
        for taken, table in enumerate(tables):
            time.sleep(0.01)
            ahead.append(len(begun) - taken)
            yield table

    monkeypatch.setattr(world.store, "read", watched)
    monkeypatch.setattr(compaction, "_pieces", lambda tables: pieces(slowly(tables)))
    assert compact("m", DAY, SPEC, world.ports) == 20
    assert len(ahead) == 20
    assert min(most, 5) - 1 <= max(ahead) <= most


def test_full_files_are_several_each_sorted_by_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "_FULL_BYTES", 1)
    monkeypatch.setattr(compaction, "_SORTED_BYTES", 3 * rows(0, 2).nbytes)
    late_first = [world.scored(f"{number}.csv", rows(20 - 2 * number, 2)) for number in range(UPLOADS)]
    catalogue("m", days_of(*late_first), world.ports)
    before = answer(world)
    compact("m", DAY, SPEC, world.ports)
    shown = world.tables.open("m", "scored").files()
    assert len(shown) > 1
    for file in shown:
        times = pq.read_table(io.BytesIO(world.store.read(file.key)))["at"].to_pylist()
        assert times == sorted(times)
    bring_and_count("m", {DAY}, world.ports)
    assert answer(world) == before


def test_the_days_own_files_come_back_when_a_batch_is_scored_again(world: World) -> None:
    upload(world)
    compact("m", DAY, SPEC, world.ports)
    again = world.scored("0.csv", rows(50, 2), purpose="rescore:2", created=timedelta(hours=1))
    catalogue("m", days_of(again), world.ports)
    assert files(world) == ["scored"] * UPLOADS
    shown = world.query("SELECT id FROM m_scored ORDER BY id::INT", "m_scored")
    assert shown == [(str(number),) for number in (*range(2, 2 * UPLOADS), 50, 51)]
    before = answer(world)
    assert compact("m", DAY, SPEC, world.ports) == UPLOADS
    assert answer(world) == before


def test_files_of_several_columns_and_widths_are_put_together(world: World) -> None:
    tables = [
        rows(0, 1).append_column("n", pa.array([1], pa.int32())),
        rows(1, 1).append_column("n", pa.array([2**40])),
        rows(2, 1).append_column("Carrier", pa.array(["LH"]).dictionary_encode()),
        rows(3, 1).append_column("batch_id", pa.array(["their own"])),
    ]
    batches = [world.scored(f"{number}.csv", table) for number, table in enumerate(tables)]
    catalogue("m", days_of(*batches), world.ports)
    asked = "SELECT batch_id, id, n, carrier, batch_id_2 FROM m_scored ORDER BY id"
    before = world.query(asked, "m_scored")
    assert [row[1:] for row in before] == [
        ("0", 1, None, None),
        ("1", 2**40, None, None),
        ("2", None, "LH", None),
        ("3", None, None, "their own"),
    ]
    assert compact("m", DAY, SPEC, world.ports) == 4
    assert world.query(asked, "m_scored") == before


def test_a_compacted_day_follows_columns_that_change_later(world: World) -> None:
    first = [world.scored(f"{number}.csv", rows(number, 1).append_column("n", pa.array([number], pa.int32()))) for number in range(3)]
    catalogue("m", days_of(*first), world.ports)
    compact("m", DAY, SPEC, world.ports)
    wider = rows(9, 1).append_column("n", pa.array([2**40])).append_column("more", pa.array(["x"]))
    catalogue("m", days_of(world.scored("next.csv", wider, arrived=ARRIVED + timedelta(days=1))), world.ports)
    assert world.query("SELECT id, n, more FROM m_scored ORDER BY id", "m_scored") == [
        *((str(number), number, None) for number in range(3)),
        ("9", 2**40, "x"),
    ]
    text = rows(10, 1).append_column("n", pa.array(["many"]))
    catalogue("m", days_of(world.scored("text.csv", text, arrived=ARRIVED + timedelta(days=2))), world.ports)
    assert world.query("SELECT count(*) FROM m_scored", "m_scored") == [(5,)]


@pytest.mark.parametrize("other", [{"prediction": "x", "input_prediction": "y"}, {"prediction": 7}])
def test_files_whose_ids_have_other_names_or_types_are_not_put_together(world: World, other: dict[str, object]) -> None:
    """An erasure would not find the ids of some of them."""
    spec = SPEC.model_copy(update={"id_column": "prediction"})
    for number, columns in enumerate([{"prediction": "x"}, {"prediction": "x"}, other]):
        table = rows(number, 1)
        for name, value in columns.items():
            table = table.append_column(name, pa.array([value]))
        catalogue("m", days_of(world.scored(f"{number}.csv", table)), world.ports)
    before, written = answer(world), world.store.keys()
    assert compact("m", DAY, spec, world.ports) == 0
    assert (answer(world), world.store.keys()) == (before, written)


def test_files_are_not_put_together_if_ids_are_called_otherwise_in_files_of_another_day(world: World) -> None:
    """A large file has all columns of the table, and an erasure takes the ids of the longest of these names."""
    spec = SPEC.model_copy(update={"id_column": "score"})

    def scored(number: int, **columns: str) -> None:
        table = rows(number, 1)
        for name, value in columns.items():
            table = table.append_column(name, pa.array([value]))
        arrived = ARRIVED - timedelta(days=1 if len(columns) > 1 else 0)
        catalogue("m", days_of(world.scored(f"{number}.csv", table, arrived=arrived)), world.ports)

    scored(0, input_score="theirs", input_input_score="earlier")
    for number in range(1, 4):
        scored(number, input_score=f"person-{number}")
    written = world.store.keys()
    assert compact("m", DAY, spec, world.ports) == 0
    assert world.store.keys() == written


def test_rows_of_a_compacted_day_that_have_expired_leave_the_table(world: World) -> None:
    serve(world.store, make_version())
    batches = upload(world, MODEL)
    sweep(world.ports, NIGHT)
    world.expire(batches[0])
    sweep(world.ports, NIGHT + timedelta(days=1))
    shown = world.query(f"SELECT id FROM {MODEL}_scored ORDER BY id::INT", f"{MODEL}_scored")
    assert shown == [(str(number),) for number in range(2, 2 * UPLOADS)]
    assert len(world.catalogue.load_table(("everscore", f"{MODEL}_scored")).snapshots()) == 1
    last = max(info.last_modified for info in world.store.list("tables/"))
    sweep(world.ports, last + timedelta(days=2))
    assert not [info.key for info in world.store.list(layout.table_prefix(MODEL, "scored")) if "/data/" in info.key]


def test_a_compacted_file_that_is_gone_is_made_again(world: World) -> None:
    serve(world.store, make_version())
    upload(world, MODEL)
    before = answer(world, MODEL)
    sweep(world.ports, NIGHT)
    world.store.forget([version.info for version in world.store.versions(layout.table_files_prefix(MODEL, "scored"))])
    sweep(world.ports, NIGHT + timedelta(days=1))
    assert answer(world, MODEL) == before


def test_a_rebuilt_table_is_compacted_again_to_the_same(world: World) -> None:
    upload(world)
    compact("m", DAY, SPEC, world.ports)
    before = answer(world)
    rebuild("m", world.ports)
    assert files(world) == ["scored"] * UPLOADS
    assert answer(world) == before
    compact("m", DAY, SPEC, world.ports)
    assert (files(world), answer(world)) == (["tables"], before)


def people(world: World) -> dict[str, set[str]]:
    """The ids in all versions of files of scored rows, by key."""
    ids = defaultdict[str, set[str]](set)
    for version in world.store.versions(""):
        if version.info.key.startswith((layout.table_files_prefix(MODEL, "scored"), "scored/")):
            body = world.store.read(version.info.key, version.info.version_id)
            ids[version.info.key] |= {*pq.read_table(io.BytesIO(body))["id"].to_pylist()}
    return ids


def test_a_person_who_is_erased_is_in_no_file_of_a_compacted_day(world: World) -> None:
    measured = Measured(store=world.store)
    for number in range(4):
        measured.scored(f"{number}.csv", [Scored(f"person-{number}", 0.9), Scored(f"other-{number}", 0.2)])
    catalogue_all(MODEL, world.ports)
    day = Manifests(world.store).days(MODEL)[0]
    assert compact(MODEL, day, SPEC, world.ports) == 4
    [large] = world.tables.open(MODEL, "scored").files()
    assert "person-2" in people(world)[large.key]
    names = iter(f"n{number}" for number in range(99))
    erase(
        EraseRequest(model=MODEL, ids=("person-2",), who="ada"),
        ErasurePorts(MemoryStore("inbox"), world.store, names.__next__, measured.now),
    )
    assert large.key not in people(world), "no version is left of it"
    assert "person-2" not in set[str]().union(*people(world).values())
    catalogue(MODEL, {day}, world.ports)
    ids = sorted(id_ for (id_,) in world.query(f"SELECT id FROM {MODEL}_scored", f"{MODEL}_scored"))
    assert ids == sorted({f"{kind}-{number}" for kind in ("person", "other") for number in range(4)} - {"person-2"})
    assert compact(MODEL, day, SPEC, world.ports) == 4


@pytest.mark.parametrize("change", ["erased", "scored again"])
def test_what_changes_while_files_are_put_together_is_not_in_them(world: World, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    batches = upload(world)
    read, changed = world.store.read, list[str]()

    def overtaken(key: str, *rest: Any) -> bytes:
        body = read(key, *rest)
        if key.startswith("scored/") and not changed:
            changed.append(key)
            if change == "erased":
                world.erased(batches[0], rows(1, 1), "e1")
            else:
                world.scored("0.csv", rows(50, 2), purpose="rescore:2", created=timedelta(hours=1))
        return body

    monkeypatch.setattr(world.store, "read", overtaken)
    assert compact("m", DAY, SPEC, world.ports) == 0
    assert changed
    assert not [*world.store.versions("tables/m/scored/data/")], "not even as an old version"
    catalogue("m", {DAY}, world.ports)
    ids = [id_ for (id_,) in world.query("SELECT id FROM m_scored ORDER BY id::INT", "m_scored")]
    gone = {"0"} if change == "erased" else {"0", "1"}
    assert set(ids) == {str(number) for number in range(2 * UPLOADS)} - gone | ({"50", "51"} if change == "scored again" else set())


def test_a_night_may_die_at_any_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "_AT_ONCE", 1)
    killer, moment, at_work = Killer(world, monkeypatch), 0, True
    while at_work:
        model = world.new_model()
        upload(world, model, count=3)
        before = answer(world, model)
        at_work = killer.killed(lambda model=model: compact(model, DAY, SPEC, world.ports), at=moment)
        assert answer(world, model) == before, moment
        bring_and_count(model, {DAY}, world.ports, look=True)
        assert answer(world, model) == before, moment
        moment += 1
    assert moment > 20
