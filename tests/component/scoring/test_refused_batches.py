"""Batches that cannot be scored fail with the reason."""

import gzip
import io
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from functions.shared.domain.errors import DigestMismatchError
from functions.shared.domain.manifest import Status
from functions.shared.domain.release import Role
from tests.component.scoring.world import (
    World,
    as_csv,
    as_parquet,
    good_rows,
    in_small_blocks,
    without,
)
from tests.fakes.documents import NOW
from tests.fakes.versions import MODEL, make_version

REFUSED: list[tuple[str, bytes, str, str]] = [
    (f"batches/{MODEL}/a.csv", without("price"), "missing_column", "price"),
    (f"batches/{MODEL}/a.csv", without("id"), "missing_column", "id"),
    (f"batches/{MODEL}/a.csv", without("at"), "missing_column", "at"),
    (f"batches/{MODEL}/a.csv", b"", "empty_file", "no bytes"),
    (f"batches/{MODEL}/a.csv", as_csv([]), "empty_file", "no rows"),
    (f"batches/{MODEL}/a.zip", b"PK\x03\x04zip", "unknown_format", "zip"),
    (f"batches/{MODEL}/a.parquet", as_parquet(good_rows())[:-9], "truncated_parquet", "footer"),
    (f"batches/{MODEL}/a.csv.gz", gzip.compress(as_csv(good_rows()))[:-9], "truncated_gzip", ""),
    ("batches/other/a.csv", as_csv(good_rows()), "no_release", "other"),
    ("batches/loose.csv", as_csv(good_rows()), "no_model", "batches/loose.csv"),
    ("batches/../a.csv", as_csv(good_rows()), "no_model", "batches/../a.csv"),
    ("batches/un nameable/a.csv", as_csv(good_rows()), "no_model", "un nameable"),
]


@pytest.mark.parametrize(("key", "body", "code", "named"), REFUSED, ids=[f"{code}-{key}" for key, _, code, _ in REFUSED])
def test_a_batch_that_cannot_be_scored_fails_with_a_reason_and_leaves_nothing_else(
    world: World, key: str, body: bytes, code: str, named: str
) -> None:
    manifest = world.score(world.upload(body, key))
    assert (manifest.status, manifest.outputs, manifest.quarantine, manifest.rows_in) == (Status.FAILED, (), (), 0)
    assert manifest.error is not None
    assert manifest.error.code == code
    assert named in manifest.error.message
    assert manifest.error.remedy
    [written] = world.written()
    assert written.startswith("manifests/")


def test_damage_far_into_a_file_fails_it_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_blocks(monkeypatch, 500)
    rows = as_csv(good_rows(200))
    packed = gzip.compress(rows, compresslevel=1)
    manifest = world.score(world.upload(packed[: len(packed) // 2], f"batches/{MODEL}/a.csv.gz"))
    assert manifest.error is not None
    assert manifest.error.code == "truncated_gzip"
    [written] = world.written()
    assert written.startswith("manifests/")


def test_a_failed_batch_is_not_tried_again_when_the_model_serves_later(world: World) -> None:
    created = world.upload(as_csv(good_rows()), "batches/other/a.csv")
    first = world.score(created)
    assert world.score(created, "a2") == first


def test_an_upload_that_was_deleted_before_it_was_scored_fails_once_and_says_so(world: World) -> None:
    arrived = NOW - timedelta(days=3)
    created = world.upload(as_csv(good_rows())).model_copy(update={"version_id": "v9999", "created_at": arrived})
    manifest = world.score(created)
    assert (manifest.status, manifest.rows_in) == (Status.FAILED, 0)
    assert manifest.error is not None
    assert (manifest.error.code, manifest.error.remedy) == ("upload_gone", "upload it again")
    assert manifest.source.last_modified == arrived
    assert world.score(created, "a2") == manifest


def test_an_upload_that_was_deleted_after_it_was_scored_keeps_its_manifest(world: World) -> None:
    created = world.upload(as_csv(good_rows()))
    manifest = world.score(created)
    world.inbox.forget([version.info for version in world.inbox.versions("")])
    another_day = created.model_copy(update={"created_at": NOW + timedelta(days=3)})
    assert world.score(another_day, "a2") == manifest


@pytest.mark.parametrize("file", ["bundle.json", "engine.npz", "spec.json", "baseline.json"])
def test_a_bundle_that_is_not_the_released_one_scores_nothing(world: World, file: str) -> None:
    world.store.write(f"releases/{MODEL}/versions/1/{file}", make_version("2", seed=9).files[file])
    with pytest.raises(DigestMismatchError):
        world.score(world.upload(as_csv(good_rows())))
    assert world.written() == set()


def test_many_blocks_give_the_same_rows_as_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{**row, "price": "x"} if number % 9 == 4 else row for number, row in enumerate(good_rows(200))]
    whole = world.score(world.upload(as_csv(rows)))
    in_small_blocks(monkeypatch, 500)
    monkeypatch.setattr("functions.scoring.scored_file.ROW_GROUP_BYTES", 1)
    pieces = world.score(world.upload(as_csv(rows)))
    assert pq.ParquetFile(io.BytesIO(world.store.read(pieces.outputs[0].key))).metadata.num_row_groups > 10
    assert world.table(pieces).to_pylist() == world.table(whole).to_pylist()
    assert world.quarantined(pieces) == world.quarantined(whole)
    same = {"rows_in", "rows_scored", "rows_quarantined", "quarantined_by_reason", "served", "event_days"}
    assert pieces.model_dump(include=same) == whole.model_dump(include=same)
    assert pieces.profiles[Role.CHAMPION].features == whole.profiles[Role.CHAMPION].features
