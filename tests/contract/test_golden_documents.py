"""Stored documents stay readable both ways, since old and new code may run side by side.

`golden/` holds one of each kind as released code wrote it, with its schema version in the file's name, and after a dot what was
added since. They are never written anew: a change that cannot read them needs a later schema version, whose readers are released
before its writers.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from functions.shared.domain.alert import Alert
from functions.shared.domain.decision import Decision
from functions.shared.domain.document import Document
from functions.shared.domain.drift.profile import Baseline
from functions.shared.domain.erasure import Erasure
from functions.shared.domain.errors import NewerSchemaError
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.partition import Partition, PartitionResult
from functions.shared.domain.performance.measures import DayPerformance
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import Refusal, Release
from functions.shared.domain.spec import ModelSpec
from functions.shared.domain.totals import Totals
from functions.shared.engines.bundle import BundleIndex
from functions.shared.repositories.leases import Lease

KINDS: Mapping[str, type[Document]] = {
    "alerts": Alert,
    "baseline": Baseline,
    "bundle": BundleIndex,
    "decisions": Decision,
    "emitted": BatchJudgement,
    "erasure": Erasure,
    "lease": Lease,
    "manifests": Manifest,
    "partition": Partition,
    "partition-result": PartitionResult,
    "performance": DayPerformance,
    "policies": Policy,
    "refused": Refusal,
    "release": Release,
    "spec": ModelSpec,
    "totals": Totals,
}
NEVER_SET = {".image_digest is gone"}
"""Was null in all that was ever written, which old code takes for the same as its absence."""
GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))


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


def test_the_search_for_what_was_lost_finds_it() -> None:
    assert list(lost({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}, "new": 0})) == [".a.b[1]: 2 became 3"]
    assert list(lost({"a": 1}, {})) == [".a is gone"]
