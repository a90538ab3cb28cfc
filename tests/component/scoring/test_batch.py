"""What a scored batch becomes."""

import gzip
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from functions.shared.domain.manifest import Status
from functions.shared.domain.release import Role
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.engines.engine import EngineKind
from tests.component.scoring.world import (
    World,
    as_csv,
    as_jsonl,
    as_parquet,
    by_scikit_learn,
    good_rows,
    in_small_blocks,
    scores,
)
from tests.fakes.documents import serve
from tests.fakes.versions import ESTIMATORS, MODEL, make_version

FORMATS: dict[str, Callable[[], bytes]] = {
    "april.csv": lambda: as_csv(good_rows()),
    "april.CSV.GZ": lambda: gzip.compress(as_csv(good_rows())),
    "april.jsonl": lambda: as_jsonl(good_rows()),
    "april.parquet": lambda: as_parquet(good_rows()),
}


@pytest.mark.parametrize("engine", ESTIMATORS)
@pytest.mark.parametrize("name", FORMATS)
def test_every_row_of_any_format_is_scored_as_scikit_learn_would_in_its_order(name: str, engine: EngineKind) -> None:
    world, version = World(), make_version("3", engine)
    serve(world.store, version)
    manifest = world.score(world.upload(FORMATS[name](), f"batches/{MODEL}/{name}"))
    table = world.table(manifest)
    assert (manifest.status, manifest.rows_in, manifest.rows_scored, manifest.rows_quarantined) == (Status.SCORED, 40, 40, 0)
    assert table["id"].to_pylist() == [row["id"] for row in good_rows()]
    expected = by_scikit_learn(version, good_rows())
    np.testing.assert_allclose(scores(table, "score"), expected, rtol=0, atol=1e-9)
    assert table["prediction"].to_pylist() == ["yes" if score > 0.5 else "no" for score in expected[:, 0]]
    assert set(table["model_version"].to_pylist()) == {"3"}
    assert set(table["role"].to_pylist()) == {"champion"}


@pytest.mark.parametrize("engine", ESTIMATORS)
def test_the_score_is_about_the_class_that_a_person_calls_positive(engine: EngineKind) -> None:
    world, version = World(), make_version("3", engine, positive="no")
    serve(world.store, version)
    table = world.table(world.score(world.upload(as_csv(good_rows()))))
    assert version.pipeline.classes_.tolist() == ["no", "yes"]
    of_yes = by_scikit_learn(version, good_rows())[:, 0]
    np.testing.assert_allclose(table["score"].to_numpy(), 1 - of_yes, rtol=0, atol=1e-9)
    assert table["prediction"].to_pylist() == ["yes" if score > 0.5 else "no" for score in of_yes]


@pytest.mark.parametrize("positive", [None, "no"])
@pytest.mark.parametrize("engine", ESTIMATORS)
def test_what_is_predicted_is_what_a_pipeline_with_a_threshold_predicts(engine: EngineKind, positive: str | None) -> None:
    world, version = World(), make_version("3", engine, positive=positive, threshold=0.2)
    serve(world.store, version)
    table = world.table(world.score(world.upload(as_csv(good_rows()))))
    of_yes = by_scikit_learn(version, good_rows())[:, 0]
    expected = ["yes" if score >= 0.2 else "no" for score in of_yes]
    assert table["prediction"].to_pylist() == expected != ["yes" if score > 0.5 else "no" for score in of_yes]


def test_a_version_that_recorded_no_rule_predicts_its_most_probable_class_as_it_did() -> None:
    world, version = World(), make_version("3", threshold=0.2)
    spec = ModelSpec.from_json(version.files["spec.json"]).model_copy(update={"decision_rule": None}).to_json()
    listed = json.loads(version.files["bundle.json"])
    listed["files"]["spec.json"] = {"sha256": hashlib.sha256(spec).hexdigest(), "bytes": len(spec)}
    serve(world.store, replace(version, files={**version.files, "spec.json": spec, "bundle.json": json.dumps(listed).encode()}))
    table = world.table(world.score(world.upload(as_csv(good_rows()))))
    assert table["prediction"].to_pylist() == ["yes" if score > 0.5 else "no" for score in by_scikit_learn(version, good_rows())[:, 0]]


IDS, CARRIED = [f"{number:03d}" for number in range(40)], ["007", "1.50", "NA", "true", " x ", "2013-04-01", "1e3", "é"] * 5


@pytest.mark.parametrize(
    ("name", "notes", "kept"),
    [
        ("april.csv", CARRIED, CARRIED),
        ("april.jsonl", CARRIED, CARRIED),
        ("april.jsonl", [7, 1.5, True, "007", None, [1], 2**60, "x"] * 5, ["7", "1.5", "true", "007", None, "[1]", str(2**60), "x"] * 5),
    ],
)
@pytest.mark.parametrize("block_bytes", [200, 2**20])
def test_ids_and_carried_columns_of_text_files_come_out_as_text_to_the_letter(
    name: str, notes: list[object], kept: list[object], block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_blocks(monkeypatch, block_bytes)
    world = World()
    serve(world.store, make_version())
    sent = [row | {"id": number, "note": note} for row, number, note in zip(good_rows(), IDS, notes, strict=True)]
    table = world.table(world.score(world.upload((as_csv if name.endswith("csv") else as_jsonl)(sent), f"batches/{MODEL}/{name}")))
    assert (table["id"].to_pylist(), table["note"].to_pylist()) == (IDS, kept)
    assert {str(table.schema.field(column).type) for column in ("id", "note")} == {"string"}


@pytest.mark.parametrize(
    ("ids", "notes"),
    [
        (pa.array(range(40)), pa.array([2**60, None] * 20)),
        (pa.array(IDS), pa.array([1.5, float("nan")] * 20, pa.float32())),
        (pa.array(IDS, pa.large_string()), pa.array([["a"], []] * 20)),
        (pa.array(range(40), pa.uint8()), pa.array(["a", "b"] * 20).dictionary_encode()),
        (pa.array(range(40), pa.decimal128(5, 2)), pa.array([b"a", None] * 20)),
    ],
)
@pytest.mark.parametrize("block_bytes", [200, 2**20])
def test_ids_and_carried_columns_of_parquet_keep_values_and_types(
    ids: pa.Array, notes: pa.Array, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_blocks(monkeypatch, block_bytes)
    world = World()
    serve(world.store, make_version())
    rows = pq.read_table(io.BytesIO(as_parquet(good_rows())))
    sent = rows.set_column(0, "id", ids).set_column(rows.column_names.index("note"), "note", notes)
    body = io.BytesIO()
    pq.write_table(sent, body, row_group_size=15)
    table = world.table(world.score(world.upload(body.getvalue(), f"batches/{MODEL}/april.parquet")))
    for name in ("id", "note"):
        assert repr(table[name].to_pylist()) == repr(sent[name].to_pylist())
    assert table.schema.field("note").type == notes.type
    assert table.schema.field("id").type == (pa.string() if ids.type == pa.large_string() else ids.type)


def test_a_multiclass_model_gives_a_score_a_class_and_predicts_the_most_probable() -> None:
    world, version = World(), make_version("1", EngineKind.LINEAR, Task.MULTICLASS)
    serve(world.store, version)
    table = world.table(world.score(world.upload(as_csv(good_rows()))))
    expected = by_scikit_learn(version, good_rows())
    np.testing.assert_allclose(scores(table, "score_few", "score_many", "score_none"), expected, rtol=0, atol=1e-9)
    assert table["prediction"].to_pylist() == [("few", "many", "none")[best] for best in expected.argmax(axis=1)]


def test_a_regressions_score_is_its_prediction() -> None:
    world, version = World(), make_version("1", EngineKind.LINEAR, Task.REGRESSION)
    serve(world.store, version)
    table = world.table(world.score(world.upload(as_csv(good_rows()))))
    np.testing.assert_allclose(scores(table, "prediction", "score"), np.repeat(by_scikit_learn(version, good_rows()), 2, 1), atol=1e-9)


def test_the_manifest_says_what_was_read_what_was_served_and_what_the_rows_look_like(world: World) -> None:
    created = world.upload(as_csv(good_rows()))
    manifest = world.score(created)
    info = world.inbox.info(created.key)
    assert (manifest.source.key, manifest.source.version_id, manifest.source.etag) == (created.key, info.version_id, info.etag)
    assert (manifest.source.bytes, manifest.source.last_modified) == (info.bytes, info.last_modified)
    assert manifest.release is not None
    assert (manifest.release.seq, manifest.release.champion, manifest.release.challenger) == (1, "1", None)
    assert manifest.served == {"champion": 40}
    assert {day.isoformat(): rows for day, rows in manifest.event_days.items()} == {"2013-04-01": 20, "2013-04-02": 20}
    profile = manifest.profiles[Role.CHAMPION]
    assert profile.rows == 40
    assert [sum(counts) for counts in (*profile.features.values(), *profile.scores.values())] == [40, 40, 40, 40]
    missing = sum(row["price"] is None for row in good_rows())
    unseen = sum(row["shop"] == "moon" for row in good_rows())
    assert (profile.features["price"][0], profile.features["shop"][-1]) == (missing, unseen)
    assert (manifest.unseen, manifest.unseen_shares) == ({"shop": unseen}, {"shop": unseen / 40})
    total = float(by_scikit_learn(make_version(), good_rows()).sum())
    assert profile.score_sums["score"] == pytest.approx(total, abs=1e-9)
    assert profile.positives == np.count_nonzero(by_scikit_learn(make_version(), good_rows()) > 0.5)
    assert manifest.predicted_positive == profile.positives / 40


def test_a_batch_in_another_encoding_is_scored_as_in_utf8_and_its_manifest_says_which(world: World) -> None:
    words = ["北京", "上海", "广州", "深圳", "杭州", "南京", "成都", "重庆", "基本套餐", "高级套餐", "已流失客户", "张伟", "王芳", "李娜"]
    rows = [{**row, "note": words[place % len(words)]} for place, row in enumerate(good_rows())]
    plain, other = (world.score(world.upload(as_csv(rows).decode().encode(encoding))) for encoding in ("utf-8", "gb18030"))
    assert (plain.encoding, other.encoding) == (None, "gb18030")
    assert world.table(other).equals(world.table(plain))


def test_the_files_are_those_the_manifest_describes(world: World) -> None:
    manifest = world.score(world.upload(as_csv([*good_rows(), {"id": "", "at": ""}])))
    for file in (*manifest.outputs, *manifest.quarantine):
        assert world.store.info(file.key).bytes == file.bytes
    [stored] = manifest.outputs
    parquet = pq.ParquetFile(io.BytesIO(world.store.read(stored.key)))
    assert (parquet.metadata.num_rows, stored.rows) == (40, 40)


def test_one_row_is_enough(world: World) -> None:
    assert world.table(world.score(world.upload(as_csv(good_rows()[:1])))).num_rows == 1
