"""Which uploads are handed to the state machine."""

import gzip
import io
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from functions.scoring.handover import hand_over
from functions.scoring.ports import Ports
from functions.shared.domain import layout
from functions.shared.domain.envelopes import StoredObject
from functions.shared.ports import ObjectStore
from functions.shared.reading.weight import GZIP_EXPANSION, MOST_EXPANSION
from functions.shared.repositories.bundles import Bundles
from tests.fakes.documents import NOW
from tests.fakes.memory_store import MemoryStore

KEY = "batches/sales/april.csv"


@dataclass
class Machine:
    """Executions by name, of which there is one each."""

    started: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def start(self, name: str, request: Mapping[str, str]) -> bool:
        return self.started.setdefault(name, request) is request


def upload(size: int, key: str = KEY) -> StoredObject:
    return StoredObject(bucket="inbox", key=key, version_id="v1", etag="e", size_bytes=size)


def ports(machine: Machine | None, above: int = 100, inbox: ObjectStore | None = None) -> Ports:
    store = MemoryStore()
    return Ports(inbox or MemoryStore("inbox"), store, Bundles(store), lambda: "a", lambda: NOW, executions=machine, whole_bytes=above)


def handed(body: bytes, *, above: int, deliveries: int = 1) -> bool:
    """Whether a file of these bytes, below a name that says nothing, is handed over."""
    inbox, machine = MemoryStore("inbox"), Machine()
    info = inbox.write(KEY, body)
    created = StoredObject(bucket="inbox", key=KEY, version_id=info.version_id, etag=info.etag, size_bytes=len(body), deliveries=deliveries)
    assert hand_over(created, ports(machine, above, inbox)) is bool(machine.started)
    return bool(machine.started)


def parquet(rows: int) -> bytes:
    """One number again and again, which takes next to nothing in the file."""
    body = io.BytesIO()
    pq.write_table(pa.table({"a": [1.0] * rows, "b": [2.0] * rows}), body, row_group_size=1000)
    return body.getvalue()


@pytest.mark.parametrize(("size", "expected"), [(99, False), (100, False), (101, True)])
def test_text_above_the_size_is_handed_over(size: int, expected: bool) -> None:  # noqa: FBT001
    assert handed(b"x" * size, above=100) is expected


def test_an_execution_has_the_name_of_the_batch() -> None:
    machine, inbox = Machine(), MemoryStore("inbox")
    version = inbox.write(KEY, b"x").version_id
    hand_over(upload(101).model_copy(update={"version_id": version}), ports(machine, inbox=inbox))
    assert machine.started == {layout.batch_id("inbox", KEY, version): {"key": KEY, "version_id": version}}


@pytest.mark.parametrize(("above", "expected"), [(160_000, False), (159_999, True)])
def test_parquet_is_weighed_by_its_values_and_not_by_its_size(above: int, expected: bool) -> None:  # noqa: FBT001
    body = parquet(10_000)
    assert len(body) < 16_000
    assert handed(body, above=above) is expected


def test_gzip_data_is_weighed_by_the_text_that_it_may_hold() -> None:
    body = gzip.compress(b"".join(b"%d," % number for number in range(1000)))
    assert not handed(body, above=GZIP_EXPANSION * len(body))
    assert handed(body, above=GZIP_EXPANSION * len(body) - 1)


def test_where_nobody_takes_large_uploads_all_are_scored_whole() -> None:
    assert not hand_over(upload(101, "batches/sales/partitioned/500/april.csv"), ports(None))


def test_a_damaged_file_is_not_handed_over_since_its_scoring_says_what_is_wrong() -> None:
    assert not handed(b"PAR1" + b"x" * 96, above=100)


def test_an_upload_that_did_not_end_in_two_deliveries_is_handed_over_unless_it_is_small() -> None:
    body = b"x" * 60
    assert [handed(body, above=100, deliveries=deliveries) for deliveries in (1, 2, 3)] == [False, False, True]
    assert [handed(body, above=60 * MOST_EXPANSION, deliveries=deliveries) for deliveries in (4, 5)] == [False, True]


@pytest.mark.parametrize(("key", "deliveries"), [(KEY, 1), (KEY, 5), ("batches/sales/partitioned/500/april.csv", 1)])
def test_an_upload_that_is_gone_is_not_handed_over_since_its_scoring_says_so(key: str, deliveries: int) -> None:
    machine = Machine()
    gone = upload(101, key).model_copy(update={"deliveries": deliveries})
    assert not hand_over(gone, ports(machine))
    assert machine.started == {}


def test_an_upload_that_asks_for_partitions_is_handed_over_however_small_it_is() -> None:
    machine, inbox = Machine(), MemoryStore("inbox")
    asking = upload(1, "batches/sales/partitioned/500/april.csv")
    version = inbox.write(asking.key, b"x").version_id
    assert hand_over(asking.model_copy(update={"version_id": version}), ports(machine, inbox=inbox))
    assert len(machine.started) == 1


def test_a_second_delivery_starts_nothing_and_is_in_other_hands_all_the_same() -> None:
    machine, inbox = Machine(), MemoryStore("inbox")
    created = upload(101).model_copy(update={"version_id": inbox.write(KEY, b"x").version_id})
    assert all(hand_over(created, ports(machine, inbox=inbox)) for _ in range(2))
    assert len(machine.started) == 1
