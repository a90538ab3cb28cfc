import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from functions.shared.domain.errors import ConflictError, NotFoundError
from infra.cli.local_folder import LocalFolder
from infra.cli.offline import score_offline
from tests.fakes.documents import serve
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL, make_version

ROWS = [
    {"id": "a", "at": "2013-04-01T10:00:00Z", "price": "20.5", "shop": "north", "member": "true", "note": "=1+1"},
    {"id": "b", "at": "2013-04-01T11:00:00Z", "price": "cheap", "shop": "south", "member": "false", "note": ""},
    {"id": "c", "at": "2013-04-02T10:00:00Z", "price": "", "shop": "west", "member": "no", "note": "x"},
]


@pytest.fixture
def releases() -> MemoryStore:
    store = MemoryStore("store")
    serve(store, make_version())
    return store


def upload(folder: Path, rows: list[dict[str, str]]) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, ROWS[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    file = folder / "april sales.csv"
    file.write_text(text.getvalue())
    return file


def test_a_file_scored_offline_has_the_pipelines_scores(tmp_path: Path, releases: MemoryStore) -> None:
    manifest = score_offline(MODEL, upload(tmp_path, ROWS), tmp_path / "out.parquet", releases=releases)
    scored = pq.read_table(tmp_path / "out.parquet")
    frame = pd.DataFrame({"price": [20.5, np.nan], "shop": ["north", "west"], "member": [1.0, 0.0]})
    expected = make_version().pipeline.predict_proba(frame)[:, 1]
    assert (manifest.status, manifest.rows_in, manifest.rows_scored) == ("suspect", 3, 2)
    assert scored["id"].to_pylist() == ["a", "c"]
    assert scored["score"].to_pylist() == pytest.approx(expected.tolist(), abs=1e-9)


def test_rows_that_break_the_contract_lie_next_to_the_scored_ones(tmp_path: Path, releases: MemoryStore) -> None:
    score_offline(MODEL, upload(tmp_path, ROWS), tmp_path / "out.parquet", releases=releases)
    quarantined = [json.loads(line) for line in (tmp_path / "out.parquet.quarantine.jsonl").read_text().splitlines()]
    assert [(row["row"], row["code"]) for row in quarantined] == [(2, "unparseable_number")]


def test_nothing_but_the_outputs_is_left_behind(tmp_path: Path, releases: MemoryStore) -> None:
    score_offline(MODEL, upload(tmp_path, ROWS[:1]), tmp_path / "out.parquet", releases=releases)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["april sales.csv", "out.parquet"]


def test_the_bad_rows_of_an_earlier_run_do_not_stay_next_to_a_clean_result_but_do_if_the_next_run_fails(
    tmp_path: Path, releases: MemoryStore
) -> None:
    out, aside = tmp_path / "out.parquet", tmp_path / "out.parquet.quarantine.jsonl"
    score_offline(MODEL, upload(tmp_path, ROWS), out, releases=releases)
    assert aside.exists()
    score_offline(MODEL, upload(tmp_path, []), out, releases=releases)
    assert (pq.read_table(out).num_rows, aside.exists()) == (2, True)
    score_offline(MODEL, upload(tmp_path, ROWS[:1]), out, releases=releases)
    assert (pq.read_table(out).num_rows, aside.exists()) == (1, False)


@pytest.mark.parametrize(("model", "rows", "code"), [(MODEL, [], "empty_file"), ("unknown", ROWS, "no_release")])
def test_a_batch_that_fails_writes_nothing_and_says_why(
    tmp_path: Path, releases: MemoryStore, model: str, rows: list[dict[str, str]], code: str
) -> None:
    manifest = score_offline(model, upload(tmp_path, rows), tmp_path / "out.parquet", releases=releases)
    assert manifest.error is not None
    assert manifest.error.code == code
    assert not (tmp_path / "out.parquet").exists()


def test_a_folder_creates_once_and_replaces_only_what_was_read(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    assert folder.create("a/b", b"one")
    assert not folder.create("a/b", b"two")
    _, etag = folder.read_tagged("a/b")
    folder.replace("a/b", b"three", etag=etag)
    with pytest.raises(ConflictError):
        folder.replace("a/b", b"four", etag=etag)
    assert folder.read("a/b") == b"three"


def test_a_folder_lists_whole_objects_in_order_and_forgets_deleted_ones(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    for key in ("a/2", "a/1", "b/c/1"):
        folder.write(key, b"x")
    with folder.upload("a/3") as unfinished:
        unfinished.write(b"half")
        assert [info.key for info in folder.list("a/")] == ["a/1", "a/2"]
    assert list(folder.folders("b/")) == ["c"]
    folder.delete(["a/1", "absent"])
    assert [info.key for info in folder.list("")] == ["a/2", "b/c/1"]
    with pytest.raises(NotFoundError):
        folder.info("a/1")
