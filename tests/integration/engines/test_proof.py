from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.pipeline import make_pipeline

from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.engines.compiled import Compiled
from functions.shared.engines.compiler import compile_pipeline
from functions.shared.engines.engine import EngineKind
from functions.shared.engines.frame import to_frame
from functions.shared.engines.proof import prove as prove_all
from tests.unit.shared.engines.rows import FEATURES, fit, make_spec, target, training_rows

ROWS = pa.Table.from_batches([training_rows()])
FULL = ROWS.filter(pa.compute.and_(ROWS["price"].is_valid(), ROWS["age"].is_valid()))


@cache
def boosted() -> tuple[ModelSpec, Any, Compiled]:
    spec = make_spec(Task.BINARY, "sklearn.ensemble.HistGradientBoostingClassifier", max_iter=5, min_samples_leaf=3)
    pipeline = fit(spec)
    return spec, pipeline, compile_pipeline(pipeline, spec)


@cache
def linear() -> tuple[ModelSpec, Any, Compiled]:
    spec = make_spec(Task.BINARY, "sklearn.linear_model.LogisticRegression")
    pipeline = fit(spec)
    return spec, pipeline, compile_pipeline(pipeline, spec)


def prove(compiled: Compiled, pipeline: Any, spec: ModelSpec, rows: pa.Table) -> Compiled:
    return prove_all(compiled, pipeline, spec, rows).compiled


def changed(compiled: Compiled, name: str, change: Any) -> Compiled:
    arrays = {key: array.copy() for key, array in compiled.arrays.items()}
    arrays[name] = change(arrays[name])
    return Compiled(compiled.kind, compiled.reason, arrays)


def shifted(edges: Any) -> Any:
    return np.nextafter(edges, np.inf)


def last_row_changed(table: Any) -> Any:
    table[-1] = table[0]
    return table


def test_an_exact_engine_is_kept() -> None:
    for spec, pipeline, compiled in (boosted(), linear()):
        assert prove(compiled, pipeline, spec, ROWS) is compiled


def test_what_is_native_already_stays_so() -> None:
    spec, pipeline, _ = linear()
    native = Compiled(EngineKind.NATIVE, "for a reason")
    assert prove(native, pipeline, spec, ROWS) is native


def test_a_threshold_one_representable_number_off_is_found() -> None:
    spec, pipeline, compiled = boosted()
    proved = prove(changed(compiled, "edges_1", shifted), pipeline, spec, FULL)
    assert proved.kind is EngineKind.NATIVE
    assert "differs on rows where its prediction changes" in proved.reason


def test_a_difference_beyond_the_tolerance_is_found_and_one_below_it_is_not() -> None:
    spec, pipeline, compiled = linear()
    assert prove(changed(compiled, "intercept", lambda values: values + 1e-7), pipeline, spec, ROWS).kind is EngineKind.NATIVE
    assert prove(changed(compiled, "intercept", lambda values: values + 1e-10), pipeline, spec, ROWS).kind is EngineKind.LINEAR


def test_a_wrong_answer_to_missing_values_alone_is_found_though_training_had_none() -> None:
    spec, pipeline, compiled = linear()
    complete = ROWS.filter(pa.compute.invert(pa.compute.is_null(ROWS["price"])))
    proved = prove(changed(compiled, "missing", lambda values: values + 0.5), pipeline, spec, complete)
    assert proved.kind is EngineKind.NATIVE


def test_a_wrong_answer_to_unseen_categories_alone_is_found() -> None:
    spec, pipeline, compiled = linear()

    def astray(rows: Any) -> Any:
        rows[-2] = rows[1] if rows[-2] != rows[1] else rows[2]
        return rows

    proved = prove(changed(compiled, "rows_0", astray), pipeline, spec, ROWS)
    assert proved.kind is EngineKind.NATIVE
    assert "differs on" in proved.reason


def test_arrays_that_do_not_fit_together_are_native() -> None:
    spec, pipeline, compiled = linear()
    proved = prove(changed(compiled, "centers", lambda values: values[:-1]), pipeline, spec, ROWS)
    assert "not sound" in proved.reason


def test_a_pipeline_that_refuses_missing_values_stays_native_and_says_so() -> None:
    pipeline = make_pipeline(make_column_transformer(("passthrough", ["price", "age"])), GradientBoostingClassifier(n_estimators=2))
    labels = target(Task.BINARY)[: FULL.num_rows]
    pipeline.fit(to_frame(FULL, FEATURES), labels)
    spec = make_spec(Task.BINARY, "sklearn.pipeline.Pipeline")
    proved = prove(compile_pipeline(pipeline, spec), pipeline, spec, FULL)
    assert proved.kind is EngineKind.NATIVE
    assert "refuses" in proved.reason
    assert "NaN" in proved.reason


@pytest.mark.parametrize("rows", [1, 2])
def test_very_few_training_rows_suffice(rows: int) -> None:
    spec, pipeline, compiled = boosted()
    assert prove(compiled, pipeline, spec, ROWS.slice(0, rows)) is compiled
