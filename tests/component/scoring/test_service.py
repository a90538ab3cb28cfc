import csv
import gzip
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain import layout
from functions.shared.domain.decision_rule import above
from functions.shared.domain.drift.baseline import Baseline
from functions.shared.domain.errors import ConservationError, DigestMismatchError
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.domain.policy import Costs, DecisionPolicy, RowContract
from functions.shared.domain.release import Role
from functions.shared.domain.rollout.canary import answered_by_challenger
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.engines.bundle import BASELINE
from functions.shared.engines.engine import EngineKind
from functions.shared.repositories.manifests import Manifests
from tests.component.scoring.world import HEADER, World, as_csv, as_jsonl, as_parquet, by_scikit_learn, good_rows, in_small_blocks
from tests.fakes.documents import NOW, serve
from tests.fakes.memory_store import MemoryStore, MemoryUpload
from tests.fakes.versions import DISTANCE, ESTIMATORS, FEATURES, MODEL, Version, make_version
from tests.fakes.watched_store import Moment, WatchedStore

WITH_DISTANCE = (*FEATURES, DISTANCE)


@pytest.fixture
def world() -> World:
    """A world that serves version 1."""
    made = World()
    serve(made.store, make_version())
    return made


def scores(table: pa.Table, *names: str) -> Any:
    return np.column_stack([table[name].to_numpy() for name in names])


# What a batch becomes


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


# Bad rows


def test_bad_rows_are_set_aside_with_their_lines_and_the_others_keep_their_order(world: World) -> None:
    rows = [dict(row) for row in good_rows()[:6]]
    rows[1]["price"] = "cheap"
    rows[3]["id"] = None
    rows[5]["note"] = "two\nlines"
    body = as_csv(rows) + b"r6,2013-04-01,1,north\nr7,2013-04-01T10:00:00Z,inf,north,true,1,x\n"
    manifest = world.score(world.upload(body))
    assert (manifest.status, manifest.rows_in, manifest.rows_scored, manifest.rows_quarantined) == (Status.SUSPECT, 8, 4, 4)
    assert world.table(manifest)["id"].to_pylist() == ["r0", "r2", "r4", "r5"]
    lines = body.split(b"\n")
    quarantined = world.quarantined(manifest)
    # Row 6 of the file holds a line end, so the rows after it stand two lines below their number.
    assert [(row["row"], row["line"]) for row in quarantined] == [(2, 3), (4, 5), (7, 9), (8, 10)]
    assert [row["raw"].encode() for row in quarantined] == [lines[2], lines[4], lines[8], lines[9]]
    assert [row["byte_offset"] for row in quarantined] == [sum(len(line) + 1 for line in lines[:n]) for n in (2, 4, 8, 9)]
    assert Counter(row["code"] for row in quarantined) == manifest.quarantined_by_reason
    assert "price" in quarantined[0]["message"]


def test_a_file_of_bad_rows_only_is_suspect_and_has_no_scored_file(world: World) -> None:
    manifest = world.score(world.upload(as_csv([{**row, "id": ""} for row in good_rows()])))
    assert (manifest.status, manifest.rows_scored, manifest.rows_quarantined, manifest.outputs) == (Status.SUSPECT, 0, 40, ())
    assert [row["row"] for row in world.quarantined(manifest)] == list(range(1, 41))


@pytest.mark.parametrize(("bad", "status"), [(4, Status.SCORED), (5, Status.SUSPECT)])
def test_a_batch_is_suspect_above_the_error_budget(bad: int, status: Status) -> None:
    world = World()
    serve(world.store, make_version(), contract=RowContract(error_budget=0.10))
    rows = [{**row, "price": "x"} if number < bad else row for number, row in enumerate(good_rows())]
    assert world.score(world.upload(as_csv(rows))).status is status


def test_possible_ranges_of_the_pinned_policy_are_obeyed() -> None:
    world = World()
    serve(world.store, make_version(), contract=RowContract(ranges={"price": (0.0, 10.0)}))
    manifest = world.score(world.upload(as_csv(good_rows())))
    assert manifest.quarantined_by_reason == {"out_of_range": sum((row["price"] or 0) > 10 for row in good_rows())}


@pytest.mark.parametrize("engine", [EngineKind.LINEAR, EngineKind.NATIVE])
@pytest.mark.parametrize("threshold", [0.0, 0.12, 0.9, 1.0])
def test_the_threshold_of_the_pinned_policy_decides_whatever_the_versions_own_is(engine: EngineKind, threshold: float) -> None:
    world = World()
    serve(world.store, make_version(engine=engine, threshold=0.4), decision=DecisionPolicy(threshold=threshold))
    manifest = world.score(world.upload(as_csv(good_rows())))
    table = world.table(manifest)
    assert table["prediction"].to_pylist() == ["yes" if score >= threshold else "no" for score in table["score"].to_pylist()]
    assert manifest.release is not None
    assert manifest.release.decision_rules == {Role.CHAMPION: above(threshold, inclusive=True)}


def test_costs_choose_each_versions_own_threshold() -> None:
    world, costs = World(), Costs(false_positive=1, false_negative=20)
    champion, challenger = make_version(), make_version("2", seed=2)
    serve(world.store, champion, challenger, decision=DecisionPolicy(costs=costs))
    manifest = world.score(world.upload(as_csv(good_rows())))
    assert manifest.release is not None
    rules = manifest.release.decision_rules
    curves = [Baseline.from_json(version.files[BASELINE]).error_curve for version in (champion, challenger)]
    assert [rules[role].threshold for role in Role] == [curve.cheapest(costs) for curve in curves if curve]
    table = world.table(manifest)
    for role in Role:
        scores, said = table[f"{role}_score"].to_pylist(), table[f"{role}_prediction"].to_pylist()
        assert said == ["yes" if score >= rules[role].threshold else "no" for score in scores]


def test_a_threshold_means_nothing_to_a_regression() -> None:
    world = World()
    serve(world.store, make_version(task=Task.REGRESSION), decision=DecisionPolicy(threshold=0.2))
    table = world.table(world.score(world.upload(as_csv(good_rows()))))
    assert table["prediction"].equals(table["score"])


FAULTS = st.sampled_from(["good", "word", "no id", "short", "not a time"])


@given(faults=st.lists(FAULTS, min_size=1, max_size=30))
def test_no_row_is_lost_or_made_up_and_each_is_where_it_belongs(faults: list[str]) -> None:
    world = World()
    serve(world.store, make_version())
    lines = []
    for number, fault in enumerate(faults):
        price, name, at = ("x" if fault == "word" else "1.5"), ("" if fault == "no id" else f"r{number}"), "2013-04-01"
        lines.append(f"{name},{'soon' if fault == 'not a time' else at},{price}" + (",north,true,1,x" if fault != "short" else ""))
    manifest = world.score(world.upload("\n".join([",".join(HEADER), *lines]).encode()))
    scored = world.table(manifest)["id"].to_pylist() if manifest.outputs else []
    quarantined = world.quarantined(manifest)
    assert manifest.rows_in == len(faults) == manifest.rows_scored + manifest.rows_quarantined
    assert scored == [f"r{number}" for number, fault in enumerate(faults) if fault == "good"]
    assert [(row["row"], row["raw"]) for row in quarantined] == [(n + 1, lines[n]) for n, fault in enumerate(faults) if fault != "good"]


class LosingStore(MemoryStore):
    """A store whose files are described with a row less than they were given."""

    def upload(self, key: str) -> MemoryUpload:
        upload = super().upload(key)
        finish = upload.finish
        upload.finish = lambda *, rows: finish(rows=rows - 1)  # type: ignore[method-assign]
        return upload


def test_a_batch_whose_rows_do_not_add_up_is_not_committed() -> None:
    world = World(store=LosingStore())
    serve(world.store, make_version())
    with pytest.raises(ConservationError, match="40 rows in, 40 scored and 0 quarantined, 39 and 0 stored"):
        world.score(world.upload(as_csv(good_rows())))
    assert not any(key.startswith("manifests/") for key in world.written())


# Batches that cannot be scored


def without(column: str) -> bytes:
    return as_csv(good_rows(), [name for name in HEADER if name != column])


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


# What is carried


@pytest.mark.parametrize(
    ("carry", "kept"),
    [
        ("all", HEADER),
        ("id", ("id", "at")),
        (("note", "price", "absent"), ("id", "at", "price", "note")),
        ((), ("id", "at")),
    ],
)
def test_the_policy_says_which_columns_are_stored_with_the_answers(carry: Any, kept: tuple[str, ...]) -> None:
    world = World()
    serve(world.store, make_version(), contract=RowContract(carry=carry))
    table = world.table(world.score(world.upload(as_csv(good_rows()))))
    assert tuple(table.column_names) == (*kept, "prediction", "score", "model_version", "role")


def test_an_input_column_with_the_name_of_an_answer_is_kept_under_another(world: World) -> None:
    columns = [*HEADER, "score", "role", "model_version", "prediction"]
    rows = [{**row, "score": "s", "role": "r", "model_version": "v", "prediction": "p"} for row in good_rows()]
    table = world.table(world.score(world.upload(as_csv(rows, columns))))
    assert table.column_names[len(HEADER) :] == [
        *("input_score", "input_role", "input_model_version", "input_prediction"),
        *("prediction", "score", "model_version", "role"),
    ]
    assert [set(table[f"input_{name}"].to_pylist()) for name in ("score", "role")] == [{"s"}, {"r"}]
    assert set(table["role"].to_pylist()) == {"champion"}


@given(extra=st.lists(st.sampled_from(["role", "input_role", "input_input_role", "score", "champion_score"]), unique=True))
def test_no_column_is_lost_whatever_the_input_calls_its_own(extra: list[str]) -> None:
    world = World()
    serve(world.store, make_version())
    rows = [{**row, **{name: f"{name} {row['id']}" for name in extra}} for row in good_rows(3)]
    body = as_csv(rows, [*HEADER, *extra])
    table = world.table(world.score(world.upload(body)))
    stored = [table[name].to_pylist() for name in table.column_names[len(HEADER) : len(HEADER) + len(extra)]]
    read = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    assert stored == [[row[name] for row in read] for name in extra]


# A rollout


def rollout(share: float = 0.5, mode: Any = "canary", challenger: Version | None = None) -> World:
    world = World()
    serve(world.store, make_version(), challenger or make_version("2", EngineKind.BITVECTOR, seed=2), share=share, mode=mode)
    return world


def test_in_a_rollout_both_models_score_all_rows_and_each_answers_its_own() -> None:
    world = rollout()
    manifest = world.score(world.upload(as_csv(good_rows())))
    table = world.table(manifest)
    champion, challenger = (
        by_scikit_learn(version, good_rows())[:, 0] for version in (make_version(), make_version("2", EngineKind.BITVECTOR, seed=2))
    )
    theirs = answered_by_challenger(pa.array([row["id"] for row in good_rows()]), salt="rollout 1", share=0.5)
    assert 0 < theirs.sum() < 40
    np.testing.assert_allclose(table["champion_score"].to_numpy(), champion, rtol=0, atol=1e-9)
    np.testing.assert_allclose(table["challenger_score"].to_numpy(), challenger, rtol=0, atol=1e-9)
    served = np.where(theirs, challenger, champion)
    np.testing.assert_allclose(table["score"].to_numpy(), served, rtol=0, atol=1e-9)
    assert table["prediction"].to_pylist() == ["yes" if score > 0.5 else "no" for score in served]
    assert table["model_version"].to_pylist() == ["2" if chosen else "1" for chosen in theirs]
    assert table["role"].to_pylist() == ["challenger" if chosen else "champion" for chosen in theirs]
    assert manifest.served == {"challenger": int(theirs.sum()), "champion": 40 - int(theirs.sum())}
    assert {role: profile.rows for role, profile in manifest.profiles.items()} == {"champion": 40, "challenger": 40}
    assert manifest.agreement is not None
    assert manifest.agreement.rows == 40
    assert manifest.agreement.difference_sum == pytest.approx(float((challenger - champion).sum()))
    assert manifest.release is not None
    assert manifest.release.challenger is not None
    assert (manifest.release.challenger.version, manifest.release.challenger.share) == ("2", 0.5)
    assert 0 < manifest.timings.challenger_predict_s < manifest.timings.predict_s


def test_the_same_ids_stay_with_the_challenger_when_its_share_grows() -> None:
    by_share = []
    for share in (0.1, 0.4, 1.0):
        world = rollout(share)
        table = world.table(world.score(world.upload(as_csv(good_rows()))))
        by_share.append({row["id"] for row in table.to_pylist() if row["role"] == "challenger"})
    assert by_share[0] < by_share[1] < by_share[2]
    assert len(by_share[2]) == 40


def test_a_shadow_scores_every_row_and_answers_none() -> None:
    world = rollout(1.0, "shadow")
    manifest = world.score(world.upload(as_csv(good_rows())))
    table = world.table(manifest)
    assert set(table["role"].to_pylist()) == {"champion"}
    assert table["challenger_score"].null_count == 0
    assert manifest.served == {"champion": 40}


def test_a_challenger_may_use_a_column_that_the_champion_does_not() -> None:
    challenger = make_version("2", features=WITH_DISTANCE)
    world = rollout(challenger=challenger)
    table = world.table(world.score(world.upload(as_csv(good_rows()))))
    np.testing.assert_allclose(scores(table, "challenger_score"), by_scikit_learn(challenger, good_rows()), rtol=0, atol=1e-9)


@pytest.mark.parametrize("as_file", [as_csv, as_parquet, as_jsonl])
def test_a_challenger_whose_column_is_missing_sits_this_batch_out(as_file: Callable[..., bytes]) -> None:
    world = rollout(challenger=make_version("2", features=WITH_DISTANCE))
    columns = [name for name in HEADER if name != "distance"]
    manifest = world.score(world.upload(as_file(good_rows(), columns), f"batches/{MODEL}/april"))
    table = world.table(manifest)
    assert manifest.release is not None
    assert manifest.release.challenger_suspended is not None
    assert "distance" in manifest.release.challenger_suspended
    assert not manifest.release.challenger_damaged
    assert (manifest.rows_scored, manifest.served, set(manifest.profiles)) == (40, {"champion": 40}, {"champion"})
    assert "challenger_score" not in table.column_names
    np.testing.assert_allclose(scores(table, "score"), by_scikit_learn(make_version(), good_rows()), rtol=0, atol=1e-9)


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_challenger_that_cannot_be_loaded_is_left_out_and_the_champion_serves(damage: str) -> None:
    world = World()
    challenger = make_version("2", seed=2)
    serve(world.store, make_version("1"), challenger)
    arrays = challenger.served.prefix + "engine.npz"
    if damage == "gone":
        world.store.delete([arrays])
    else:
        world.store.write(arrays, b"other bytes")
    manifest = world.score(world.upload(as_csv(good_rows())))
    assert (manifest.status, manifest.served) == ("scored", {"champion": 40})
    assert manifest.release is not None
    assert manifest.release.challenger_suspended is not None
    assert "version 2 cannot be loaded" in manifest.release.challenger_suspended
    assert manifest.release.challenger_damaged


def test_columns_have_one_type_inside_a_rollout_and_outside(world: World) -> None:
    outside = world.table(world.score(world.upload(as_csv(good_rows()))))
    serve(world.store, make_version("1"), make_version("2", seed=2), share=0.5)
    inside = world.table(world.score(world.upload(as_csv(good_rows()), f"batches/{MODEL}/later.csv")))
    assert {name: inside.schema.field(name).type for name in outside.column_names} == dict(
        zip(outside.column_names, outside.schema.types, strict=True)
    )


def test_a_batch_that_lacks_the_champions_column_fails_even_if_the_challenger_could() -> None:
    world = World()
    serve(world.store, make_version("1", features=WITH_DISTANCE), make_version("2"))
    manifest = world.score(world.upload(without("distance")))
    assert manifest.error is not None
    assert (manifest.error.code, "distance" in manifest.error.message) == ("missing_column", True)


# The same upload again


def test_a_second_delivery_gives_the_first_ones_manifest_and_writes_nothing(world: World) -> None:
    created = world.upload(as_csv(good_rows()))
    first = world.score(created, "a1")
    calls: list[str] = []
    store = WatchedStore(world.store, lambda moment: calls.append(moment.call.split()[0]))
    assert world.score(created, "a2", store=store) == first
    assert set(calls) == {"read"}


def test_a_file_that_takes_anothers_place_just_after_the_commit_is_not_cleared_with_lost_attempts(world: World) -> None:
    created = world.upload(as_csv(good_rows()))

    def erase_at_once(moment: Moment) -> None:
        if moment.side == "after" and moment.call.startswith("create manifests/"):
            key = moment.call.split(" ", 1)[1]
            manifest = Manifest.from_json(world.store.read(key))
            [file] = manifest.outputs
            lighter = file.model_copy(update={"key": layout.of_attempt(file.key, "erasure")})
            world.store.write(lighter.key, world.store.read(file.key))
            world.store.write(key, manifest.model_copy(update={"outputs": (lighter,)}).to_json())

    batch = world.score(created, store=WatchedStore(world.store, erase_at_once)).batch_id
    standing = Manifests(world.store).named(MODEL, batch)
    assert world.table(standing).num_rows == standing.rows_scored


def test_an_object_overwritten_under_the_same_key_is_a_new_batch(world: World) -> None:
    old, new = world.upload(as_csv(good_rows()[:10])), world.upload(as_csv(good_rows()[:20]))
    late, early = world.score(new, "a1"), world.score(old, "a2")
    assert late.batch_id != early.batch_id
    assert (early.rows_scored, late.rows_scored) == (10, 20)
    assert world.table(early)["id"].to_pylist() == [row["id"] for row in good_rows()[:10]]


def test_the_same_bytes_under_another_key_are_another_batch(world: World) -> None:
    manifests: list[Manifest] = [world.score(world.upload(as_csv(good_rows()), f"batches/{MODEL}/{name}.csv")) for name in ("a", "b")]
    assert len({manifest.batch_id for manifest in manifests}) == 2
