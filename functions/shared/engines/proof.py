"""The proof that a compiled engine answers as scikit-learn does, on the training rows and on rows made to break it."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from functions.shared.domain.errors import InvalidBundleError
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec
from functions.shared.engines.compiled import Compiled, build_engine
from functions.shared.engines.engine import Engine, EngineKind
from functions.shared.engines.native import REFUSALS, NativeEngine

TOLERANCE = 1e-9
"""Largest difference between two scores; relative to the score where that is beyond 1."""
MAX_ROWS = 20_000
MAX_EDGES = 2_000
MIXED_ROWS = 2_000
MAX_FEATURES = 50
"""Features that are tried one by one; a wider model's others are tried all at once."""
USUAL_ROWS = 64
EXTREMES = (-1e30, -1e9, -1.0, -1e-300, -0.0, 0.0, 1e-300, 1.0, 1e9, 1e30)


def prove(compiled: Compiled, pipeline: Any, spec: ModelSpec, rows: pa.Table) -> Compiled:
    """`compiled` itself if it scores as `pipeline` does, otherwise `native` with the first difference as the reason.

    Args:
        compiled: what `compile_pipeline` made of `pipeline`.
        pipeline: the fitted pipeline; it is set to work in one job.
        spec: its spec.
        rows: typed training rows; at most `MAX_ROWS` of them, evenly spread, are scored.
    """
    if compiled.kind is EngineKind.NATIVE:
        return compiled
    try:
        engine = build_engine(compiled, spec)
    except InvalidBundleError as error:
        return Compiled(EngineKind.NATIVE, f"the compiled form is not sound: {error}")
    native = NativeEngine(pipeline, spec.task, spec.features)
    for what, batch in _cases(rows, spec, compiled):
        difference = _difference(engine, native, batch)
        if difference is not None:
            return Compiled(EngineKind.NATIVE, f"{compiled.kind} differs on {what}: {difference}")
    return compiled


def _difference(engine: Engine, native: Engine, batch: pa.RecordBatch) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = native.score(batch)
    except REFUSALS as error:
        return f"scikit-learn refuses them ({str(error).partition('\n')[0]})"
    scores = engine.score(batch)
    if scores.shape != expected.shape:
        return f"shape {scores.shape} instead of {expected.shape}"
    with np.errstate(invalid="ignore"):
        apart = np.abs(scores - expected) > TOLERANCE * np.maximum(1.0, np.abs(expected))
    different = np.argwhere((apart | np.isnan(scores) | np.isnan(expected)) & (scores != expected))
    if not len(different):
        return None
    row, output = different[0]
    return f"{scores[row, output]!r} instead of {expected[row, output]!r} in row {row} and {len(different) - 1} more"


def _cases(rows: pa.Table, spec: ModelSpec, compiled: Compiled) -> Iterator[tuple[str, pa.RecordBatch]]:
    """What is compared: the training rows, then awkward values of all features at once, then each feature's among usual others."""
    features = rows.select([feature.name for feature in spec.features])
    usual = _evenly(features, USUAL_ROWS)
    yield "training rows", _evenly(features, MAX_ROWS)
    yield "one row", usual.slice(0, 1)
    nothing = {feature.name: pa.nulls(1, usual.schema.field(feature.name).type) for feature in spec.features}
    yield "a row of nulls", pa.record_batch(nothing)
    awkward = [dict(_awkward(feature, k, compiled.arrays)) for k, feature in enumerate(spec.features)]
    yield "awkward values in all features", _mixed(usual, spec.features, awkward)
    for k in np.linspace(0, len(awkward) - 1, min(len(awkward), MAX_FEATURES)).astype(int).tolist():
        name = spec.features[k].name
        for what, values in awkward[k].items():
            yield f"{what} in {name}", _with_column(usual, name, values)
        if spec.features[k].kind is FeatureKind.NUMBER:
            yield f"extremes in {name}", _with_column(usual, name, pa.array(EXTREMES))


def _awkward(feature: Feature, position: int, arrays: Mapping[str, Any]) -> Iterator[tuple[str, pa.Array]]:
    types = {FeatureKind.NUMBER: pa.float64(), FeatureKind.CATEGORY: pa.string(), FeatureKind.BOOLEAN: pa.bool_()}
    if feature.nullable:
        yield "nulls", pa.nulls(1, types[feature.kind])
    if feature.kind is FeatureKind.BOOLEAN:
        yield "both truths", pa.array([False, True])
    elif feature.kind is FeatureKind.CATEGORY:
        yield "unseen categories", pa.array(["", " ", "nan", "None", "never seen before", "\N{SNOWMAN}"])
        yield "known categories", _known(arrays, position)
    else:
        edges = arrays.get(f"edges_{position}", np.empty(0))
        edges = edges[np.linspace(0, len(edges) - 1, min(len(edges), MAX_EDGES)).astype(int)]
        if len(edges):
            yield "thresholds", pa.array(np.concatenate([np.nextafter(edges, -np.inf), edges, np.nextafter(edges, np.inf)]))


def _mixed(usual: pa.RecordBatch, features: Sequence[Feature], awkward: Sequence[Mapping[str, pa.Array]]) -> pa.RecordBatch:
    """Rows whose features are each drawn from usual and awkward values alike.

    Extremes are left out: two of opposite sign cancel, and then rounding is all that is left of a sum.
    """
    rng = np.random.default_rng(0)
    columns = {}
    for feature, values in zip(features, awkward, strict=True):
        ordinary = usual.column(feature.name)
        if feature.kind is FeatureKind.CATEGORY:
            ordinary = ordinary.cast(pa.string())
        pool = pa.concat_arrays([ordinary, *values.values()])
        columns[feature.name] = pool.take(pa.array(rng.integers(0, len(pool), MIXED_ROWS)))
    return pa.record_batch(columns)


def _known(arrays: Mapping[str, Any], position: int) -> pa.Array:
    octets, ends = arrays.get(f"octets_{position}"), arrays.get(f"ends_{position}")
    if octets is None or ends is None:
        return pa.array([""])
    starts = np.concatenate([[0], ends])[:-1]
    return pa.array([octets[start:end].tobytes().decode() for start, end in zip(starts, ends, strict=True)] or [""])


def _evenly(rows: pa.Table, count: int) -> pa.RecordBatch:
    places = np.linspace(0, rows.num_rows - 1, min(count, rows.num_rows)).astype(np.int64)
    return rows.take(pa.array(places)).combine_chunks().to_batches()[0]


def _with_column(usual: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    """Each of the values among the usual rows, which are repeated as often as it takes."""
    rows = max(usual.num_rows, len(values))
    repeated = usual.take(pa.array(np.arange(rows) % usual.num_rows))
    column = values.take(pa.array(np.arange(rows) % len(values)))
    return repeated.set_column(repeated.schema.get_field_index(name), name, column)
