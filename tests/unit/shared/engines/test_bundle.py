import hashlib
import io
import json
import zipfile
from functools import cache
from typing import Any

import numpy as np
import pytest

from functions.shared.domain.drift.baseline import Baseline
from functions.shared.domain.errors import DigestMismatchError, InvalidBundleError, NewerSchemaError
from functions.shared.domain.spec import Task
from functions.shared.engines.bundle import BundleIndex, bundle_digest, load_bundle, make_bundle
from functions.shared.engines.compiled import Compiled
from functions.shared.engines.compiler import compile_pipeline
from functions.shared.engines.engine import EngineKind
from functions.shared.engines.native import NativeEngine
from functions.shared.engines.skops_file import dump_pipeline
from tests.unit.shared.engines.rows import fit, make_spec, training_rows

BASELINE = Baseline(model="sales", version="1", rows=240, days=1, features=(), scores=())
SPECS = {
    EngineKind.LINEAR: make_spec(Task.MULTICLASS, "sklearn.linear_model.LogisticRegression"),
    EngineKind.BITVECTOR: make_spec(Task.BINARY, "sklearn.ensemble.HistGradientBoostingClassifier", max_iter=3, min_samples_leaf=3),
    EngineKind.FOREST: make_spec(Task.REGRESSION, "sklearn.ensemble.RandomForestRegressor", n_estimators=2),
    EngineKind.NATIVE: make_spec(Task.REGRESSION, "sklearn.neighbors.KNeighborsRegressor"),
}


@cache
def bundle(kind: EngineKind) -> tuple[dict[str, bytes], Any]:
    spec = SPECS[kind]
    pipeline = fit(spec)
    compiled = compile_pipeline(pipeline, spec)
    assert compiled.kind is kind
    return make_bundle(spec, BASELINE, compiled, dump_pipeline(pipeline)), pipeline


def sealed(files: dict[str, bytes]) -> dict[str, bytes]:
    """A bundle whose index lists its files as they now are."""
    index = BundleIndex.from_json(files["bundle.json"]).model_dump(mode="json")
    for name in index["files"]:
        index["files"][name] = {"sha256": hashlib.sha256(files[name]).hexdigest(), "bytes": len(files[name])}
    return {**files, "bundle.json": json.dumps(index).encode()}


@pytest.mark.parametrize("kind", EngineKind)
def test_a_loaded_bundle_scores_as_the_pipeline_that_went_in(kind: EngineKind) -> None:
    files, pipeline = bundle(kind)
    loaded = load_bundle(files.__getitem__, bundle_digest(files))
    assert loaded.spec == SPECS[kind]
    assert loaded.baseline == BASELINE
    expected = NativeEngine(pipeline, loaded.spec.task, loaded.spec.features).score(training_rows())
    np.testing.assert_allclose(loaded.engine.score(training_rows()), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", EngineKind)
def test_the_same_training_gives_the_same_bytes(kind: EngineKind) -> None:
    spec = SPECS[kind]
    again = fit(spec)
    assert make_bundle(spec, BASELINE, compile_pipeline(again, spec), dump_pipeline(again)) == bundle(kind)[0]


def test_the_index_names_the_engine_the_reason_and_every_other_file() -> None:
    files, _ = bundle(EngineKind.NATIVE)
    index = json.loads(files["bundle.json"])
    assert index["schema_version"] == 1
    assert (index["model"], index["engine"]) == ("sales", "native")
    assert "KNeighborsRegressor" in index["reason"]
    assert index["files"] == {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in files.items()
        if name != "bundle.json"
    }


@pytest.mark.parametrize("kind", EngineKind)
def test_only_what_the_engine_needs_is_read(kind: EngineKind) -> None:
    files, _ = bundle(kind)
    names = []

    def read(name: str) -> bytes:
        names.append(name)
        return files[name]

    load_bundle(read, bundle_digest(files))
    assert names == ["bundle.json", "spec.json", "baseline.json", "pipeline.skops" if kind is EngineKind.NATIVE else "engine.npz"]


@pytest.mark.parametrize(("kind", "name"), [(EngineKind.LINEAR, "engine.npz"), (EngineKind.NATIVE, "pipeline.skops")])
@pytest.mark.parametrize("bad", [b"", b"not what was released"])
def test_a_file_that_is_not_the_released_one_is_refused_before_it_is_parsed(kind: EngineKind, name: str, bad: bytes) -> None:
    files, _ = bundle(kind)
    for changed in (name, "spec.json", "baseline.json", "bundle.json"):
        with pytest.raises(DigestMismatchError, match=changed):
            load_bundle({**files, changed: bad}.__getitem__, bundle_digest(files))


def test_a_file_that_the_index_does_not_list_is_refused() -> None:
    files, _ = bundle(EngineKind.LINEAR)
    index = json.loads(files["bundle.json"])
    del index["files"]["engine.npz"]
    unlisted = {**files, "bundle.json": json.dumps(index).encode()}
    with pytest.raises(DigestMismatchError, match=r"engine\.npz"):
        load_bundle(unlisted.__getitem__, bundle_digest(unlisted))


def test_a_bundle_of_a_later_schema_says_to_update() -> None:
    files, _ = bundle(EngineKind.LINEAR)
    later = {**files, "bundle.json": files["bundle.json"].replace(b'"schema_version": 1', b'"schema_version": 2', 1)}
    with pytest.raises(NewerSchemaError, match="update"):
        load_bundle(later.__getitem__, bundle_digest(later))


def with_array(files: dict[str, bytes], name: str, array: Any) -> dict[str, bytes]:
    with np.load(io.BytesIO(files["engine.npz"])) as stored:
        arrays = dict(stored)
    arrays[name] = array
    out = io.BytesIO()
    np.savez(out, allow_pickle=True, **arrays)
    return sealed({**files, "engine.npz": out.getvalue()})


@pytest.mark.parametrize(
    ("kind", "name", "array"),
    [
        (EngineKind.LINEAR, "link", np.array("unheard of")),
        (EngineKind.LINEAR, "intercept", np.array([0.0, np.nan, 0.0])),
        (EngineKind.LINEAR, "intercept", np.zeros(2)),
        (EngineKind.LINEAR, "number_features", np.array([1, 99])),
        (EngineKind.LINEAR, "number_features", np.array([-1, 1])),
        (EngineKind.LINEAR, "table_0", np.zeros((1, 3))),
        (EngineKind.BITVECTOR, "link", np.array("unheard of")),
        (EngineKind.BITVECTOR, "features", np.array([], dtype=np.int64)),
        (EngineKind.BITVECTOR, "features", np.array([0, 7])),
        (EngineKind.BITVECTOR, "masks_1", np.zeros((2, 3), np.uint32)),
        (EngineKind.BITVECTOR, "masks_1", np.zeros((2, 3), np.uint8)),
        (EngineKind.BITVECTOR, "sum_first_trees", np.array([1])),
        (EngineKind.BITVECTOR, "sum_outputs", np.array([1])),
        (EngineKind.BITVECTOR, "sum_outputs", np.array([0, 0])),
        (EngineKind.BITVECTOR, "leaves_0", np.zeros((3, 16))),
        (EngineKind.FOREST, "link", np.array("unheard of")),
        (EngineKind.FOREST, "nodes", np.zeros(5, dtype=np.int64)),
        (EngineKind.FOREST, "nodes", np.array([], dtype=np.int64)),
        (EngineKind.FOREST, "roots", np.array([0, 10_000])),
        (EngineKind.FOREST, "roots", np.array([0])),
        (EngineKind.FOREST, "first_sums", np.array([0, 1])),
        (EngineKind.FOREST, "values", np.zeros((3, 1))),
        (EngineKind.FOREST, "code_features", np.array([0])),
        (EngineKind.FOREST, "ranks_0", np.array([0, 1])),
    ],
)
def test_released_arrays_that_do_not_fit_together_are_refused(kind: EngineKind, name: str, array: Any) -> None:
    files = with_array(bundle(kind)[0], name, array)
    with pytest.raises(InvalidBundleError):
        load_bundle(files.__getitem__, bundle_digest(files))


def test_pickled_objects_among_the_arrays_are_never_loaded() -> None:
    files = with_array(bundle(EngineKind.LINEAR)[0], "intercept", np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        load_bundle(files.__getitem__, bundle_digest(files))


def test_a_saved_pipeline_with_many_jobs_is_served_with_one() -> None:
    spec = make_spec(Task.BINARY, "sklearn.ensemble.RandomForestClassifier", n_estimators=2, n_jobs=4)
    pipeline = fit(spec)
    files = make_bundle(spec, BASELINE, Compiled(EngineKind.NATIVE, "asked for"), dump_pipeline(pipeline))
    loaded = load_bundle(files.__getitem__, bundle_digest(files))
    assert isinstance(loaded.engine, NativeEngine)
    assert loaded.engine.pipeline[-1].n_jobs == 1


def test_the_skops_file_is_a_plain_zip_without_times() -> None:
    files, _ = bundle(EngineKind.BITVECTOR)
    with zipfile.ZipFile(io.BytesIO(files["pipeline.skops"])) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
