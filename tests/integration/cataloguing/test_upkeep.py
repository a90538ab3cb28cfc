"""The clock finds what no event brought, rings when counts differ, and deletes what no table names."""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from functions.cataloguing import upkeep
from functions.cataloguing.ports import NewFile, TableFile
from functions.cataloguing.service import Outcome, catalogue, rebuild
from functions.cataloguing.upkeep import compare, sweep
from functions.shared.domain import layout
from functions.shared.domain.errors import TablesDifferError
from functions.shared.ports import ObjectInfo
from tests.integration.cataloguing.world import ARRIVED, DATABASE, World, days_of, rows


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as world:
        yield world


def test_batches_whose_event_was_lost_come_within_the_hour(world: World) -> None:
    world.scored("lost.csv", rows(0, 3))
    assert compare(world.ports, ARRIVED + timedelta(hours=1)) == {"models": 1, "files": 1}
    assert world.query("SELECT count(*) FROM m_scored", "m_scored") == [(3,)]
    assert compare(world.ports, ARRIVED + timedelta(hours=2)) == {"models": 1, "files": 0}


def test_looks_that_end_with_the_functions_time_do_not_leave_out_the_same_models(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    models = {world.new_model() for _ in range(6)}
    for model in models:
        world.scored("a.csv", rows(0, 1), model=model)
    begun = set[str]()

    class TimeIsUpError(BaseException):
        pass

    for night in range(20):
        left = iter(range(3))

        def look(model: str, *_: object, left: Iterator[int] = left, **__: object) -> int:
            if next(left, None) is None:
                raise TimeIsUpError
            begun.add(model)
            return 0

        monkeypatch.setattr(upkeep, "bring_and_count", look)
        with pytest.raises(TimeIsUpError):
            sweep(world.ports, ARRIVED + timedelta(days=night))
    assert begun == models


def test_batches_of_long_ago_come_in_the_night(world: World) -> None:
    world.scored("old.csv", rows(0, 3), arrived=ARRIVED - timedelta(days=30))
    world.scored("new.csv", rows(3, 3))
    compare(world.ports, ARRIVED)
    assert world.query("SELECT count(*) FROM m_scored", "m_scored") == [(3,)]
    sweep(world.ports, ARRIVED)
    assert world.query("SELECT count(*) FROM m_scored", "m_scored") == [(6,)]


def test_a_table_that_cannot_be_brought_to_its_manifests_is_an_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a commit of the batch's rows were lost although its manifest counts as known."""
    catalogue("m", days_of(world.scored("a.csv", rows(0, 3))), world.ports)
    table = world.tables.open("m", "scored")
    [file] = table.files({ARRIVED.date()})
    table.commit(table.columns, added=[], removed=[file])
    monkeypatch.setattr(upkeep, "catalogue", lambda *_, **__: Outcome(0, 0, table.columns))
    with pytest.raises(ExceptionGroup) as failed:
        compare(world.ports, ARRIVED)
    [error] = failed.value.exceptions
    assert isinstance(error, TablesDifferError)
    assert str(error).startswith("the tables of 'm' lack 0 batches, and have other rows of 1 batch")


def test_rows_that_have_expired_leave_the_table_and_are_not_missed(world: World) -> None:
    expired = world.scored("a.csv", rows(0, 3))
    world.scored("b.csv", rows(3, 2))
    sweep(world.ports, ARRIVED)
    world.expire(expired)
    sweep(world.ports, ARRIVED)
    assert world.query("SELECT id FROM m_scored ORDER BY id", "m_scored") == [("3",), ("4",)]
    world.tables.forget("m", "scored")
    compare(world.ports, ARRIVED)
    assert world.query("SELECT id FROM m_scored ORDER BY id", "m_scored") == [("3",), ("4",)]


@pytest.mark.parametrize("with_expired", [False, True])
def test_a_batch_that_comes_while_the_night_looks_stays(world: World, monkeypatch: pytest.MonkeyPatch, *, with_expired: bool) -> None:
    expired = world.scored("a.csv", rows(0, 3))
    sweep(world.ports, ARRIVED)
    if with_expired:
        world.expire(expired)
    listed, came = world.store.list, list[str]()

    def overtaken(prefix: str) -> list[ObjectInfo]:
        found = list(listed(prefix))
        if prefix == "scored/m/" and len(came) < 2:
            came.append(f"came{len(came)}.csv")
            catalogue("m", days_of(world.scored(came[-1], rows(len(came) * 10, 2))), world.ports)
        return found

    monkeypatch.setattr(world.store, "list", overtaken)
    sweep(world.ports, ARRIVED)
    left = [] if with_expired else ["0", "1", "2"]
    assert world.query("SELECT id FROM m_scored ORDER BY id", "m_scored") == [(id_,) for id_ in sorted([*left, "10", "11", "20", "21"])]


def test_a_batch_of_which_some_files_have_expired_is_counted_by_the_others(world: World) -> None:
    batch = world.scored("a.csv", rows(0, 3))
    second = world.stored(layout.scored_key("m", batch.batch_id, "a1", 1), rows(3, 2))
    both = batch.model_copy(update={"outputs": (*batch.outputs, second), "rows_scored": 5})
    world.store.write(layout.manifest_key("m", ARRIVED.date(), batch.batch_id), both.to_json())
    sweep(world.ports, ARRIVED)
    world.expire(batch)
    sweep(world.ports, ARRIVED)
    assert world.query("SELECT id FROM m_scored ORDER BY id", "m_scored") == [("3",), ("4",)]


def test_the_night_asks_no_more_for_batches_that_have_expired(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.expire(world.scored("a.csv", rows(0, 3)))
    sweep(world.ports, ARRIVED)
    read, asked = world.store.read, list[str]()
    monkeypatch.setattr(world.store, "read", lambda key, *rest: (asked.append(key), read(key, *rest))[1])
    sweep(world.ports, ARRIVED)
    assert not [key for key in asked if key.startswith("manifests/")]


def test_the_night_takes_out_what_an_earlier_everscore_reported_of_errors(world: World) -> None:
    """Then the table of batches had their texts, which may quote a person."""
    batch = world.scored("a.csv", None)
    sweep(world.ports, ARRIVED)
    table = world.tables.open("m", "batches")
    [file] = table.files()
    earlier = pq.read_table(io.BytesIO(world.store.read(file.key))).append_column("error_message", pa.array(["no column 'Ada'"]))
    sink = io.BytesIO()
    pq.write_table(earlier, sink)
    reported = TableFile(layout.table_file_key("m", "batches", file.day, "earlier"), file.day)
    world.store.write(reported.key, sink.getvalue())
    new = NewFile(reported, 1, len(sink.getvalue()), bounds={})
    table.commit(table.columns.with_files([earlier.schema]), added=[new], removed=[file])
    assert world.query("SELECT error_message FROM m_batches", "m_batches") == [("no column 'Ada'",)]
    sweep(world.ports, max(info.last_modified for info in world.store.list("tables/m/")) + timedelta(days=2))
    columns = [name for (name,) in world.query("SELECT column_name FROM (DESCRIBE m_batches)", "m_batches")]
    assert "error_message" not in columns
    assert world.query("SELECT batch_id FROM m_batches", "m_batches") == [(batch.batch_id,)]
    assert reported.key not in {info.key for info in world.store.list("tables/m/")}, "nor is it left in an earlier state"
    assert len(world.catalogue.load_table(("everscore", "m_batches")).snapshots()) == 1


def test_the_night_deletes_metadata_that_no_table_names_and_changes_no_answer(world: World) -> None:
    for number in range(25):
        catalogue("m", days_of(world.scored(f"{number}.csv", rows(number, 1))), world.ports)
    files = {version.info for version in world.store.versions("tables/m/")}
    soon = sweep(world.ports, max(info.last_modified for info in world.store.list("tables/m/")) + timedelta(hours=1))
    assert soon["deleted"] == 0
    later = sweep(world.ports, max(info.last_modified for info in world.store.list("tables/m/")) + timedelta(days=2))
    left = {version.info for version in world.store.versions("tables/m/")}
    assert later["deleted"] == len(files) - len(left) > 50
    for name in ("m_scored", "m_batches"):
        table = world.catalogue.load_table(("everscore", name))
        assert len(table.snapshots()) == 11
        for state in table.snapshots():
            assert [entry for manifest in state.manifests(table.io) for entry in manifest.fetch_manifest_entry(table.io)]
    assert world.query("SELECT count(*), count(DISTINCT id) FROM m_scored", "m_scored") == [(25, 25)]
    assert world.query("SELECT sum(rows_scored) FROM m_batches WHERE standing", "m_batches") == [(25,)]
    catalogue("m", days_of(world.scored("next.csv", rows(25, 1))), world.ports)
    assert world.query("SELECT count(*) FROM m_scored", "m_scored") == [(26,)]


def before_removal(world: World, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Something happens just before the night removes what it found."""
    forget = world.store.forget

    def removed(versions: Iterable[ObjectInfo]) -> None:
        act()
        forget(versions)

    monkeypatch.setattr(world.store, "forget", removed)


def night(world: World) -> None:
    sweep(world.ports, max(info.last_modified for info in world.store.list("tables/m/")) + timedelta(days=2))


def test_a_rebuild_during_the_night_loses_no_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes tables out of the catalogue, and then makes files of the same names."""
    batch = world.scored("a.csv", rows(0, 3))
    catalogue("m", days_of(batch), world.ports)
    exists = world.tables.exists

    def dropped_meanwhile(model: str, kind: str) -> bool:
        if kind == "batches" and exists(model, kind):
            world.catalogue.drop_table((DATABASE, "m_batches"))
        return exists(model, kind)

    def rebuilt() -> None:
        monkeypatch.setattr(world.tables, "exists", exists)
        rebuild("m", world.ports)

    monkeypatch.setattr(world.tables, "exists", dropped_meanwhile)
    before_removal(world, monkeypatch, rebuilt)
    night(world)
    assert world.query("SELECT batch_id, rows_scored FROM m_batches", "m_batches") == [(batch.batch_id, 3)]


def test_a_file_that_is_written_again_while_the_night_looks_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue("m", days_of(world.scored("a.csv", rows(0, 3))), world.ports)
    key = layout.table_file_key("m", "batches", ARRIVED.date(), "earlier")
    world.store.write(key, b"rows")
    before_removal(world, monkeypatch, lambda: world.store.write(key, b"rows"))
    night(world)
    assert world.store.read(key) == b"rows"
    monkeypatch.undo()
    night(world)
    assert not list(world.store.versions(key)), "a later night removes it for good"


def test_a_manifests_event_that_comes_after_its_model_went_makes_no_tables(world: World) -> None:
    batch = world.scored("a.csv", rows(0, 3))
    catalogue("m", days_of(batch), world.ports)
    for kind in ("scored", "batches"):
        world.tables.forget("m", kind)
    world.store.forget([version.info for version in world.store.versions("")])
    catalogue("m", days_of(batch), world.ports)
    assert not [kind for kind in ("scored", "batches") if world.tables.exists("m", kind)]
    assert not list(world.store.list("tables/m/"))
