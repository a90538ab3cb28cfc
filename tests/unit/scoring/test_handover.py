"""Which uploads are handed to the state machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from functions.scoring.handover import hand_over
from functions.shared.domain import layout
from functions.shared.envelopes import StoredObject


@dataclass
class Machine:
    """Executions by name, of which there is one each."""

    started: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def start(self, name: str, request: Mapping[str, str]) -> bool:
        return self.started.setdefault(name, request) is request


def upload(size: int, key: str = "batches/sales/april.csv") -> StoredObject:
    return StoredObject(bucket="inbox", key=key, version_id="v1", etag="e", size_bytes=size)


@pytest.mark.parametrize(("size", "handed"), [(99, False), (100, False), (101, True)])
def test_an_upload_above_the_size_is_handed_over_by_the_name_of_its_batch(size: int, handed: bool) -> None:  # noqa: FBT001
    machine = Machine()
    assert hand_over(upload(size), executions=machine, above_bytes=100) is handed
    name = layout.batch_id("inbox", "batches/sales/april.csv", "v1")
    assert machine.started == ({name: {"key": "batches/sales/april.csv", "version_id": "v1"}} if handed else {})


def test_an_upload_that_asks_for_partitions_is_handed_over_however_small_it_is() -> None:
    machine = Machine()
    assert hand_over(upload(1, "batches/sales/partitioned/500/april.csv"), executions=machine, above_bytes=100)
    assert len(machine.started) == 1


def test_a_second_delivery_starts_nothing_and_is_in_other_hands_all_the_same() -> None:
    machine = Machine()
    assert all(hand_over(upload(101), executions=machine, above_bytes=100) for _ in range(2))
    assert len(machine.started) == 1
