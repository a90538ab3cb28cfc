"""Whoever is erased is found nowhere, and everybody else is where they were."""

import io
from datetime import date, timedelta

import pyarrow.parquet as pq
import pytest

from functions.shared.domain import layout
from functions.shared.domain.errors import InputError, RetrainingBusyError
from functions.shared.domain.manifest import Manifest
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.leases import Leases
from functions.shared.repositories.snapshots import Snapshots
from tests.fakes.documents import make_decision
from tests.fakes.remembered import HEADER, NOW, PEOPLE, Life, lived, shown
from tests.fakes.versions import MODEL


def ids_of(life: Life, manifest: Manifest) -> list[str]:
    """The ids in a batch's scored files."""
    tables = [pq.read_table(io.BytesIO(life.store.read(file.key))) for file in manifest.outputs]
    return [person for table in tables for person in table["id"].to_pylist()]


def test_people_left_traces_everywhere_before() -> None:
    kinds = {key.split("/", 1)[0] for key in shown(lived())}
    assert kinds == {"batches", "labels", "training", "scored", "quarantine", "labelled", "waiting", "snapshots", "manifests", "alerts"}


def test_nobody_who_was_erased_is_found_in_any_version_of_any_object() -> None:
    life = lived()
    erasure = life.erase()
    assert shown(life) == set()
    assert erasure.ended_at == NOW
    assert erasure.left == ()
