"""Stored documents stay readable both ways, since old and new code may run side by side.

`golden/` holds one of each kind as released code wrote it, with its schema version in the file's name, and after a dot what was
added since. They are never written again: a change that cannot read them needs a later schema version, whose readers are released
before its writers.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from functions.shared.domain.alert import Alert
from functions.shared.domain.cause import Causes
from functions.shared.domain.decision import Decision
from functions.shared.domain.document import Document
from functions.shared.domain.drift.baseline import Baseline
from functions.shared.domain.erasure import Erasure
from functions.shared.domain.errors import NewerSchemaError
from functions.shared.domain.judgement import BatchJudgement, HeldBatch
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.partition import Partition, PartitionResult
from functions.shared.domain.performance.days import DayPerformance
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import Refusal, Release
from functions.shared.domain.rollout.tally import Tally
from functions.shared.domain.spec import ModelSpec
from functions.shared.domain.totals import Totals
from functions.shared.engines.bundle import BundleIndex
from functions.shared.repositories.batch_index import BatchIndex, Indexed
from functions.shared.repositories.leases import Lease
from functions.shared.repositories.performances import PerformanceMonth
from tests.fakes.memory_store import MemoryStore

KINDS: Mapping[str, type[Document]] = {
    "alerts": Alert,
    "baseline": Baseline,
    "bundle": BundleIndex,
    "causes": Causes,
    "decisions": Decision,
    "emitted": BatchJudgement,
    "erasure": Erasure,
    "held": HeldBatch,
    "indexed": Indexed,
    "lease": Lease,
    "manifests": Manifest,
    "partition": Partition,
    "partition-result": PartitionResult,
    "performance": DayPerformance,
    "performance-month": PerformanceMonth,
    "policies": Policy,
    "refused": Refusal,
    "release": Release,
    "rollout": Tally,
    "spec": ModelSpec,
    "totals": Totals,
}
NEVER_SET = {".image_digest is gone"}
"""Was null in all that was ever written, which old code takes for the same as its absence."""
FOLDER = Path(__file__).parent / "golden"
GOLDEN = sorted(FOLDER.glob("*.json"))


def kind_of(path: Path) -> type[Document]:
    return KINDS[path.stem.rsplit("-", 1)[0].partition(".")[0]]


def lost(old: Any, new: Any, place: str = "") -> Iterator[str]:
    """Places where a document says something else than it did, or nothing any more; what it says besides is for newer readers."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name, value in old.items():
            yield from lost(value, new[name], f"{place}.{name}") if name in new else (f"{place}.{name} is gone",)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from lost(before, after, f"{place}[{number}]")
    elif old != new:
        yield f"{place}: {old!r} became {new!r}"


def test_each_kind_of_document_has_a_golden_file() -> None:
    assert {kind_of(path) for path in GOLDEN} == set(KINDS.values())


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_new_code_reads_what_old_code_wrote_and_old_code_finds_all_it_knew_in_what_new_code_writes(path: Path) -> None:
    read = kind_of(path).from_json(path.read_bytes())
    assert set(lost(json.loads(path.read_text()), json.loads(read.to_json()))) <= NEVER_SET


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_what_newer_code_adds_is_passed_over_but_a_newer_schema_is_refused(path: Path) -> None:
    content = json.loads(path.read_text())
    kind = kind_of(path)
    if not issubclass(kind, Policy):  # a person writes it: a field that means nothing is a mistake
        assert kind.from_json(json.dumps(content | {"of_the_future": 1})) == kind.from_json(path.read_bytes())
    with pytest.raises(NewerSchemaError):
        kind.from_json(json.dumps(content | {"schema_version": kind.SCHEMA_VERSION + 1}))


def test_batches_have_the_names_in_the_index_that_they_always_had_and_are_found_by_them() -> None:
    """One batch of three days in February 2013, and one that superseded it, of 31 March to 2 April."""
    first = Manifest.from_json((FOLDER / "manifests-1.json").read_bytes())
    days = {date(2013, 3, 31): 1, date(2013, 4, 2): 3}
    again = first.model_copy(update={"batch_id": "f" * 32, "supersedes": first.batch_id, "event_days": days})
    names = (FOLDER / "index-1.txt").read_text().split()
    written, read = MemoryStore(), MemoryStore()
    for manifest in (first, again):
        BatchIndex(written).add(manifest)
    assert sorted(info.key for info in written.list("")) == names
    for name in names:
        read.write(name, b"")
    assert [arrival.batch for arrival in BatchIndex(read).of_days(first.model, {date(2013, 4, 1)})] == [again.batch_id]
    assert not BatchIndex(read).of_days(first.model, {date(2013, 2, 16)}), "the batch was scored again"


def test_the_search_for_what_was_lost_finds_it() -> None:
    assert list(lost({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}, "new": 0})) == [".a.b[1]: 2 became 3"]
    assert list(lost({"a": 1}, {})) == [".a is gone"]
