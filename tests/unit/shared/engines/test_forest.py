from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.errors import InvalidBundleError
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.engines import forest
from functions.shared.engines.compiled import build_engine
from functions.shared.engines.compiler import compile_pipeline
from functions.shared.engines.engine import EngineKind
from functions.shared.engines.native import NativeEngine
from tests.unit.shared.engines.rows import fit, make_spec, training_rows


@cache
def deep_forest() -> tuple[ModelSpec, Any, Any]:
    spec = make_spec(Task.REGRESSION, "sklearn.ensemble.RandomForestRegressor", n_estimators=3)
    pipeline = fit(spec)
    return spec, pipeline, compile_pipeline(pipeline, spec)


@pytest.mark.parametrize("block_rows", [1, 7, 239, 240])
def test_rows_walk_alike_however_many_walk_together(monkeypatch: pytest.MonkeyPatch, block_rows: int) -> None:
    spec, pipeline, compiled = deep_forest()
    monkeypatch.setattr(forest, "BLOCK_ROWS", block_rows)
    expected = NativeEngine(pipeline, spec.task, spec.features).score(training_rows())
    assert compiled.kind is EngineKind.FOREST
    np.testing.assert_allclose(build_engine(compiled, spec).score(training_rows()), expected, rtol=1e-9)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 2**63 - 1)), min_size=1, max_size=3))
def test_damaged_nodes_are_refused_or_still_lead_to_a_leaf(damage: list[tuple[int, int]]) -> None:
    spec, _, compiled = deep_forest()
    nodes = compiled.arrays["nodes"].copy()
    for place, node in damage:
        nodes[place % len(nodes)] = node
    damaged = type(compiled)(compiled.kind, compiled.reason, {**compiled.arrays, "nodes": nodes})
    try:
        engine = build_engine(damaged, spec)
    except InvalidBundleError:
        return
    assert np.isfinite(engine.score(training_rows())).all()


@given(st.data())
def test_a_node_that_leads_back_or_away_is_refused(data: st.DataObject) -> None:
    spec, _, compiled = deep_forest()
    nodes = compiled.arrays["nodes"].copy()
    place = data.draw(st.integers(1, len(nodes) - 1))
    left = data.draw(st.integers(0, place - 1) | st.integers(len(nodes) - 1, 2**forest.NODE_BITS - 1).filter(lambda left: left != place))
    nodes[place] = forest.pack(np.array([0]), np.array([1]), np.array([left]))[0]
    with pytest.raises(InvalidBundleError, match="leads nowhere"):
        build_engine(type(compiled)(compiled.kind, compiled.reason, {**compiled.arrays, "nodes": nodes}), spec)
