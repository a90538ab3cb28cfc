"""A file scored in partitions gives what it gives when it is scored whole."""

import gzip
import io
import random
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.errors import ConservationError
from functions.shared.domain.formats import Formats
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.domain.partition import Partition
from functions.shared.engines.engine import EngineKind
from functions.shared.repositories.partitions import Partitions
from tests.component.scoring.world import HEADER, as_csv, as_jsonl, good_rows
from tests.fakes.documents import serve
from tests.fakes.versions import MODEL, make_version
from tests.integration.partitioning.world import LIMIT, PartitionedWorld, as_comparable

ROWS = [{**row, "price": "x"} if number % 9 == 4 else row for number, row in enumerate(good_rows(60))]
CITIES = [
    "北京",
    "上海",
    "广州",
    "深圳",
    "杭州",
    "南京",
    "成都",
    "重庆",
    "武汉",
    "西安",
    "苏州",
    "天津",
    "郑州",
    "长沙",
    "东莞",
    "宁波",
    "佛山",
    "合肥",
    "青岛",
    "昆明",
]
MULTI_LINE = [{**row, "note": 'first, "line"\nsecond\r\nthird'} if number % 3 else row for number, row in enumerate(ROWS)]


def grouped_parquet() -> bytes:
    body = io.BytesIO()
    rows = [{**row, "price": None, "id": None} if row["price"] == "x" else row for row in ROWS]
    pq.write_table(pa.Table.from_pylist(rows).select(list(HEADER)), body, row_group_size=7)
    return body.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "a.csv": lambda: as_csv(ROWS),
    "lines.csv": lambda: as_csv(MULTI_LINE),
    "crlf.csv": lambda: as_csv(ROWS).replace(b"\n", b"\r\n"),
    "cr.csv": lambda: as_csv(ROWS).replace(b"\n", b"\r"),
    "marked.csv": lambda: b"\xef\xbb\xbf" + as_csv(ROWS),
    "latin.csv": lambda: (
        as_csv([{**row, "note": "ü"} if number % 4 == 1 else row for number, row in enumerate(ROWS)]).decode().encode("latin-1")
    ),
    "gbk.csv": lambda: as_csv([{**row, "note": CITIES[number % 20]} for number, row in enumerate(ROWS)]).decode().encode("gbk"),
    "blank.csv": lambda: as_csv(ROWS).replace(b"\n", b"\n\n\n"),
    "ragged.csv": lambda: as_csv(ROWS).replace(b"r7,", b"r7,extra,"),
    "a.jsonl": lambda: as_jsonl(ROWS),
    "marked.jsonl": lambda: b"\xef\xbb\xbf" + as_jsonl(ROWS),
    "broken.jsonl": lambda: as_jsonl(ROWS).replace(b'{"id": "r8"', b'{"id" "r8"'),
    "a.parquet": grouped_parquet,
    "utf16.csv": lambda: as_csv(ROWS).decode().encode("utf-16"),
    "a.csv.gz": lambda: gzip.compress(as_csv(ROWS)),
}


@pytest.fixture
def world() -> PartitionedWorld:
    """A world in which a rollout is under way."""
    made = PartitionedWorld()
    serve(made.store, make_version(), make_version("2", EngineKind.BITVECTOR, seed=2), share=0.5)
    return made


def scored_both_ways(world: PartitionedWorld, body: bytes, name: str, partitions: int) -> tuple[Manifest, Manifest, list[int]]:
    """The same file whole and in about as many partitions as asked for, worked on in any order; and the partitions by turn."""
    whole = world.score(world.upload(body, f"batches/{MODEL}/{name}"))
    created = world.upload(body, f"batches/{MODEL}/again/{name}")
    turns = world.run(created, world.ports(max(1, len(body) // partitions)), order=random.Random(partitions))
    return whole, world.standing(created), turns


def assert_same(world: PartitionedWorld, whole: Manifest, parted: Manifest) -> None:
    assert as_comparable(parted) == as_comparable(whole)
    assert world.table(parted).schema == world.table(whole).schema
    assert world.table(parted).to_pylist() == world.table(whole).to_pylist()
    assert world.quarantined(parted) == world.quarantined(whole)


@pytest.mark.parametrize("partitions", [1, 2, 7, 200])
@pytest.mark.parametrize("name", FILES)
def test_rows_order_numbers_profiles_and_counts_are_the_same(world: PartitionedWorld, name: str, partitions: int) -> None:
    whole, parted, turns = scored_both_ways(world, FILES[name](), name, partitions)
    assert whole.rows_quarantined > 0
    assert_same(world, whole, parted)
    assert parted.partitions == turns[-1]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_a_text_that_is_ascii_at_first_is_read_alike_by_a_model_whose_files_have_an_encoding(encoding: str) -> None:
    world = PartitionedWorld()
    serve(world.store, make_version(formats=Formats(encoding="cp1252")))
    rows = [*ROWS * 20, *({**row, "note": "Köln"} for row in good_rows(5))]
    whole, parted, _ = scored_both_ways(world, as_csv(rows).decode().encode(encoding), "late.csv", 10)
    assert_same(world, whole, parted)
    assert world.table(parted)["note"].to_pylist()[-5:] == ["Köln"] * 5


def test_a_file_of_many_partitions_really_has_them(world: PartitionedWorld) -> None:
    assert scored_both_ways(world, as_csv(good_rows(300)), "many.csv", 200)[2][0] >= 150


def test_cuts_inside_quoted_fields_are_found_and_mended_in_a_second_turn(world: PartitionedWorld) -> None:
    whole, parted, turns = scored_both_ways(world, as_csv(MULTI_LINE), "lines.csv", 30)
    assert len(turns) == 2
    assert_same(world, whole, parted)


def test_partitions_whose_cuts_were_right_are_not_scored_again_in_the_second_turn(world: PartitionedWorld) -> None:
    rows = [*good_rows(200), {**good_rows()[0], "note": "a\n" * 40}]
    created = world.upload(as_csv(rows))
    assert len(world.run(created, world.ports(500))) == 2
    done = Partitions(world.store)
    first, second = ({partition.portion for partition in world.plan_of(created, turn)} for turn in (1, 2))
    kept = [partition for partition in world.plan_of(created, 2) if partition.portion in first & second]
    assert len(kept) > 10
    attempts = [result.attempt for partition in kept if (result := done.result(partition))]
    assert attempts == sorted(attempts)
    assert {world.store.writes(key) for key in world.store.keys() if "/results/" in key} == {1}  # noqa: SIM118 - a method


def test_a_bare_quote_does_no_harm_where_the_cuts_can_be_proved(world: PartitionedWorld) -> None:
    body = as_csv(good_rows(50)).replace(b"plain", b'5" pipe')
    whole, parted, turns = scored_both_ways(world, body, "pipes.csv", 12)
    assert len(turns) == 1
    assert_same(world, whole, parted)


def test_bare_quotes_that_make_the_cuts_unprovable_are_refused_by_name(world: PartitionedWorld) -> None:
    body = as_csv([{**row, "note": "1\n2\n3\n4\n5\n6\n7\n8"} for row in good_rows(50)]).replace(b"north", b'5" pipe')
    _, parted, turns = scored_both_ways(world, body, "pipes.csv", 40)
    assert len(turns) == 2
    assert parted.status is Status.FAILED
    assert parted.error is not None
    assert parted.error.code == "bare_quote"
    assert '"5"" pipe"' in parted.error.remedy
    assert (parted.outputs, parted.rows_in) == ((), 0)


@pytest.mark.parametrize("name", ["a.csv.gz", "utf16.csv"])
def test_what_cannot_be_cut_and_is_above_the_limit_is_refused_with_the_limit_and_the_remedy(world: PartitionedWorld, name: str) -> None:
    body = FILES[name]()
    created = world.upload(body, f"batches/{MODEL}/{name}")
    assert world.run(created, world.ports(100, whole_bytes=len(body) - 1)) == []
    error = world.standing(created).error
    assert error is not None
    assert error.code == "indivisible"
    assert str(len(body) - 1) in error.message
    assert "Parquet" in error.remedy


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"id,at,price,shop,member,distance,note\n\n\n\n\n\n", "empty_file"),
        (b"id,at,price\n" + b"1,2,3\n" * 30, "missing_column"),
        (b"", "empty_file"),
        (b"PK\x03\x04" + b"x" * 100, "unknown_format"),
    ],
)
def test_a_file_that_is_refused_whole_is_refused_in_partitions_too(world: PartitionedWorld, body: bytes, code: str) -> None:
    whole, parted, _ = scored_both_ways(world, body, "bad.csv", 5)
    assert whole.error is not None
    assert whole.error.code == code
    assert parted.error == whole.error


def test_all_partitions_are_scored_by_the_release_that_served_when_they_were_planned(world: PartitionedWorld) -> None:
    created = world.upload(as_csv(good_rows()))
    ports = world.ports(300)
    _planned(world, created, 300)
    serve(world.store, make_version("3", EngineKind.BITVECTOR, seed=3))
    world.run(created, ports)
    release = world.standing(created).release
    assert release is not None
    assert (release.seq, release.champion) == (1, "1")


def _planned(world: PartitionedWorld, created: StoredObject, partition_bytes: int) -> tuple[Partition, ...]:
    from functions.partitioning.service import plan_batch

    plan_batch(created.key, created.version_id, world.ports(partition_bytes))
    return world.plan_of(created)


def test_rows_that_a_partition_lost_are_missed_at_the_commit(world: PartitionedWorld) -> None:
    created = world.upload(as_csv(good_rows()))
    plan = _planned(world, created, 300)
    for partition in plan:
        world.work(partition)
    key = next(key for key in sorted(world.store.keys()) if "/results/" in key)
    world.store.write(key, world.store.read(key).replace(b'"rows_in": ', b'"rows_in": 1'))
    with pytest.raises(ConservationError, match="rows in"):
        world.run(created, world.ports(300))


def test_the_size_of_partitions_may_be_asked_for_by_the_key(world: PartitionedWorld) -> None:
    created = world.upload(as_csv(good_rows()), f"batches/{MODEL}/partitioned/400/april.csv")
    [partitions] = world.run(created, world.ports(LIMIT))
    assert partitions > 4
