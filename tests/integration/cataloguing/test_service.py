"""Tables show what the standing manifests say; DuckDB is asked after each step."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pytest

from functions.cataloguing.service import catalogue, catalogue_all, rebuild
from tests.integration.cataloguing.world import ARRIVED, World, days_of, rows

SCORED = "SELECT batch_id, id FROM m_scored ORDER BY id::INT"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as world:
        yield world


def test_a_batch_is_in_the_table_where_it_lies(world: World) -> None:
    batch = world.scored("a.csv", rows(0, 3))
    written = world.store.keys()
    catalogue("m", days_of(batch), world.ports)
    assert world.query('SELECT id, score, batch_id, arrived_on, "at" FROM m_scored ORDER BY id', "m_scored") == [
        (str(number), number / 100, batch.batch_id, date(2013, 4, 1), ARRIVED + timedelta(hours=number)) for number in range(3)
    ]
    added = world.store.keys() - written
    assert {key.split("/")[3] for key in added} == {"metadata", "data"}
    assert [key for key in added if "/data/" in key and not key.startswith("tables/m/batches/")] == []


def test_a_manifest_that_comes_twice_changes_nothing(world: World) -> None:
    batch = world.scored("a.csv", rows(0, 3))
    assert catalogue("m", days_of(batch), world.ports).added == 1
    stands = world.catalogue.load_table(("everscore", "m_scored")).metadata_location
    assert catalogue("m", days_of(batch), world.ports).added == 0
    assert world.catalogue.load_table(("everscore", "m_scored")).metadata_location == stands


def test_batches_whose_event_was_lost_come_with_the_next_of_their_day(world: World) -> None:
    world.scored("lost.csv", rows(0, 3))
    batch = world.scored("b.csv", rows(3, 2))
    assert catalogue("m", days_of(batch), world.ports).added == 2


@pytest.mark.parametrize("later_first", [True, False])
def test_of_a_batch_that_was_scored_again_the_newest_answers_are_shown(world: World, *, later_first: bool) -> None:
    first = world.scored("a.csv", rows(0, 3))
    if not later_first:
        catalogue("m", days_of(first), world.ports)
    again = world.scored("a.csv", rows(0, 3), purpose="rescore:2", created=timedelta(hours=1))
    catalogue("m", days_of(again), world.ports)
    catalogue("m", days_of(first), world.ports)
    assert world.query(SCORED, "m_scored") == [(again.batch_id, str(number)) for number in range(3)]
    reported = world.query("SELECT batch_id, standing, rows_scored FROM m_batches ORDER BY committed_at", "m_batches")
    assert reported == [(first.batch_id, False, 3), (again.batch_id, True, 3)]


def test_a_failed_batch_is_reported_and_has_no_rows(world: World) -> None:
    batch = world.scored("a.csv", None)
    catalogue("m", days_of(batch), world.ports)
    assert world.query("SELECT batch_id, status, rows_scored FROM m_batches", "m_batches") == [(batch.batch_id, "failed", 0)]
    assert world.query("SELECT count(*) FROM m_scored", "m_scored") == [(0,)]


def test_erased_rows_leave_the_table_with_their_file(world: World) -> None:
    batch, other = world.scored("a.csv", rows(0, 3)), world.scored("b.csv", rows(3, 2))
    catalogue("m", days_of(batch, other), world.ports)
    world.erased(batch, rows(1, 2), "a2")
    catalogue("m", days_of(batch), world.ports)
    assert world.query("SELECT id FROM m_scored ORDER BY id", "m_scored") == [("1",), ("2",), ("3",), ("4",)]
    world.erased(batch, None, "a3")
    catalogue("m", days_of(batch), world.ports)
    assert world.query("SELECT id FROM m_scored ORDER BY id", "m_scored") == [("3",), ("4",)]


def test_erased_rows_are_in_no_earlier_state_either(world: World) -> None:
    batch = world.scored("a.csv", rows(0, 3))
    catalogue("m", days_of(batch), world.ports)
    catalogue("m", days_of(world.scored("b.csv", rows(3, 2))), world.ports)
    world.erased(batch, rows(1, 2), "a2")
    catalogue("m", days_of(batch), world.ports)
    [state] = world.catalogue.load_table(("everscore", "m_scored")).snapshots()
    assert state.summary is not None
    assert state.summary["total-records"] == "4"


def test_ids_that_are_uuids_are_a_column(world: World) -> None:
    ids = [UUID(int=7), UUID(int=2**127)]
    table = rows(0, 2).drop_columns("id").append_column("id", pa.array([one.bytes for one in ids], pa.uuid()))
    catalogue("m", days_of(world.scored("a.csv", table)), world.ports)
    assert world.query("SELECT id::VARCHAR FROM m_scored ORDER BY score", "m_scored") == [(str(one),) for one in ids]


def test_a_column_that_came_later_is_missing_in_earlier_rows(world: World) -> None:
    first = world.scored("a.csv", rows(0, 1))
    catalogue("m", days_of(first), world.ports)
    second = world.scored("b.csv", rows(1, 1).append_column("Flug Nr.", pa.array(["LH 1"])))
    catalogue("m", days_of(second), world.ports)
    assert world.query("SELECT id, flug_nr_ FROM m_scored ORDER BY id", "m_scored") == [("0", None), ("1", "LH 1")]


def test_a_column_of_two_types_is_left_out_and_named(world: World) -> None:
    first = world.scored("a.csv", rows(0, 1).append_column("note", pa.array(["x"])))
    catalogue("m", days_of(first), world.ports)
    second = world.scored("b.csv", rows(1, 1).append_column("note", pa.array([7])))
    outcome = catalogue("m", days_of(second), world.ports)
    assert outcome.columns.left_out == {"note": ("long", "string")}
    assert world.query('SELECT * EXCLUDE (batch_id, arrived_on, "at") FROM m_scored ORDER BY id', "m_scored") == [("0", 0.0), ("1", 0.01)]


def test_whole_numbers_of_two_widths_are_one_column(world: World) -> None:
    first = world.scored("a.csv", rows(0, 1).append_column("n", pa.array([7], pa.int32())))
    catalogue("m", days_of(first), world.ports)
    second = world.scored("b.csv", rows(1, 1).append_column("n", pa.array([2**40])))
    catalogue("m", days_of(second), world.ports)
    assert world.query("SELECT n FROM m_scored ORDER BY id", "m_scored") == [(7,), (2**40,)]


def test_input_columns_may_be_called_as_the_tables_own(world: World) -> None:
    batch = world.scored("a.csv", rows(0, 1).append_column("batch_id", pa.array(["theirs"])))
    outcome = catalogue("m", days_of(batch), world.ports)
    assert outcome.columns.renamed == {"batch_id": "batch_id_2"}
    assert world.query("SELECT batch_id, batch_id_2 FROM m_scored", "m_scored") == [(batch.batch_id, "theirs")]


def test_columns_are_left_out_that_differ_in_their_letters_case_alone(world: World) -> None:
    """DuckDB, Athena and Spark would take one for the other."""
    outcome = catalogue("m", days_of(world.scored("a.csv", rows(0, 1).append_column("Score", pa.array([7.0])))), world.ports)
    assert outcome.columns.left_out == {"score": ("double",), "Score": ("double",)}
    assert world.query("SELECT column_name FROM (DESCRIBE m_scored)", "m_scored") == [("arrived_on",), ("batch_id",), ("id",), ("at",)]


def test_rebuilt_tables_are_the_same(world: World) -> None:
    batches = [world.scored(f"{day}.csv", rows(3 * day, 3), arrived=ARRIVED + timedelta(days=day)) for day in range(3)]
    again = world.scored("1.csv", rows(3, 3), purpose="rescore:2", arrived=ARRIVED + timedelta(days=1), created=timedelta(hours=1))
    for batch in (*batches, again):
        catalogue("m", days_of(batch), world.ports)
    before = world.query(SCORED, "m_scored"), world.query("SELECT * FROM m_batches ORDER BY batch_id", "m_batches")
    rebuild("m", world.ports)
    assert (world.query(SCORED, "m_scored"), world.query("SELECT * FROM m_batches ORDER BY batch_id", "m_batches")) == before


def test_two_models_never_share_a_table(world: World) -> None:
    catalogue("m-a", days_of(world.scored("a.csv", rows(0, 1), model="m-a")), world.ports)
    with pytest.raises(Exception, match="m_a_scored is that of the model 'm-a'"):
        catalogue("m_a", days_of(world.scored("a.csv", rows(0, 1), model="m_a")), world.ports)


def test_times_of_many_centuries_are_kept(world: World) -> None:
    far = pa.table(
        {"id": ["0", "1"], "at": pa.array([datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)], pa.timestamp("us", "UTC"))}
    )
    catalogue("m", days_of(world.scored("a.csv", far)), world.ports)
    assert world.query("SELECT id FROM m_scored WHERE \"at\" > TIMESTAMPTZ '9999-01-01'", "m_scored") == [("1",)]


def test_few_manifests_are_read_however_often_a_table_changes(world: World) -> None:
    for number in range(25):
        catalogue("m", days_of(world.scored(f"{number}.csv", rows(number, 1))), world.ports)
    again = world.scored("3.csv", rows(3, 1), purpose="rescore:2", created=timedelta(hours=1))
    catalogue("m", days_of(again), world.ports)
    assert world.query("SELECT count(*), count(DISTINCT id) FROM m_scored", "m_scored") == [(25, 25)]
    assert world.query("SELECT batch_id FROM m_scored WHERE id = '3'", "m_scored") == [(again.batch_id,)]
    for name in ("m_scored", "m_batches"):
        table = world.catalogue.load_table(("everscore", name))
        state = table.current_snapshot()
        assert state is not None
        assert len(state.manifests(table.io)) < 20


def test_few_snapshots_are_kept_however_often_a_table_changes(world: World) -> None:
    for number in range(15):
        catalogue("m", days_of(world.scored(f"{number}.csv", rows(number, 1))), world.ports)
    assert world.query("SELECT count(*), count(DISTINCT id) FROM m_scored", "m_scored") == [(15, 15)]
    for name in ("m_scored", "m_batches"):
        assert len(world.catalogue.load_table(("everscore", name)).snapshots()) == 11


def test_files_that_have_expired_leave_the_table_and_hold_up_none_of_the_others(world: World) -> None:
    expired, kept = world.scored("a.csv", rows(0, 3)), world.scored("b.csv", rows(3, 2))
    catalogue_all("m", world.ports)
    world.expire(expired)
    assert catalogue_all("m", world.ports).removed == 1
    assert world.query(SCORED, "m_scored") == [(kept.batch_id, "3"), (kept.batch_id, "4")]
    late = world.scored("c.csv", rows(5, 1))
    assert catalogue("m", days_of(late), world.ports).added == 1
    rebuild("m", world.ports)
    assert [row[1] for row in world.query(SCORED, "m_scored")] == ["3", "4", "5"]
    assert world.query("SELECT count(*) FROM m_batches WHERE standing", "m_batches") == [(3,)], "that it was scored stays known"
