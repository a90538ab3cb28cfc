"""Prove that a compiled engine scores like its pipeline.

It is tried on the training rows, and on rows made to break it.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from functions.shared.domain.decision_rule import BY_PIPELINE, Codes, DecisionRule, Floats
from functions.shared.domain.errors import InvalidBundleError
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.engines.compiled import Compiled, build_engine
from functions.shared.engines.engine import Decider, Engine, EngineKind
from functions.shared.engines.native import REFUSALS, NativeEngine
from functions.shared.engines.predicting import own_prediction
from functions.shared.engines.rules import possible_rules
from functions.shared.engines.turning_points import turning_points
from functions.shared.foundation.counted import counted

TOLERANCE = 1e-9
"""Largest allowed difference between two scores; relative for scores beyond 1."""
MARGIN = 2 * TOLERANCE
"""Scores closer than this to each other, or to a threshold, do not decide a prediction."""
MAX_ROWS = 20_000
MAX_NATIVE_ROWS = 2_000
"""Fewer rows for a native pipeline, whose decision rule is the only open question."""
MIN_OUTCOMES = 2
"""Distinct outcomes that must be predicted; with fewer, the trial reveals nothing about the decision."""
MAX_EDGES = 2_000
MIXED_ROWS = 2_000
MAX_FEATURES = 50
"""Features that are tried one by one; in a wider model, the others are tried together."""
USUAL_ROWS = 64
EXTREMES = (-1e30, -1e9, -1.0, -1e-300, -0.0, 0.0, 1e-300, 1.0, 1e9, 1e30)


@dataclass(frozen=True, slots=True)
class Proved:
    """The engine that may serve a pipeline, and its rule (None for a regression)."""

    compiled: Compiled
    rule: DecisionRule | None


def prove(compiled: Compiled, pipeline: Any, spec: ModelSpec, rows: pa.Table) -> Proved:
    """Find the decision rule of `pipeline`, and keep `compiled` if it agrees with it.

    Both scores and predictions must agree. Otherwise the engine is `native`, with the first difference as the reason. It is also
    `native` if no rule turns the pipeline's scores into its predictions.

    Args:
        compiled: the result of `compile_pipeline` for `pipeline`.
        pipeline: the fitted pipeline; it is set to work in one job.
        spec: its spec.
        rows: typed training rows; at most `MAX_ROWS` of them, evenly spread, are scored.
    """
    trial = _Trial(compiled, pipeline, spec)
    # For many small batches, threads that wait for each other take longer than the work.
    with threadpool_limits(1):
        for what, batch in _cases(rows, spec, compiled, trial.turning_points):
            if trial.is_over:
                break
            trial.compare(what, batch)
    return trial.outcome()


class _Trial:
    """The compiled engine and the candidate rules that still agree after each batch."""

    def __init__(self, compiled: Compiled, pipeline: Any, spec: ModelSpec) -> None:
        self.native = NativeEngine(pipeline, spec.task, spec.features)
        self._spec, self._compiled = spec, compiled
        self._decides = spec.task is not Task.REGRESSION
        self._rules = list(possible_rules(pipeline, spec)) if self._decides else []
        self._settled = self._rules
        self._outcomes: set[int] = set()
        self._engine: Engine | None = None
        if compiled.kind is not EngineKind.NATIVE:
            try:
                self._engine = build_engine(compiled, spec)
            except InvalidBundleError as error:
                self._refuse(f"the compiled form is not sound: {error}")

    @property
    def is_over(self) -> bool:
        """Return whether no further rows can change the outcome."""
        return self._engine is None and not self._rules

    def turning_points(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Return rows between these where the prediction changes; none if refused."""
        try:
            return turning_points(self.native.predict, rows, self._spec.features)
        except REFUSALS:
            return rows.slice(0, 0)

    def compare(self, what: str, batch: pa.RecordBatch) -> None:
        """Compare scores and predictions of some rows with the pipeline's own."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = self.native.score(batch)
                predicted = own_prediction(self.native, batch, self._spec) if self._decides else None
        except REFUSALS as error:
            self._refuse(f"{self._compiled.kind} differs on {what}: scikit-learn refuses them ({str(error).partition('\n')[0]})")
            return
        scores = expected if self._engine is None else self._engine.score(batch)
        difference = _difference(scores, expected)
        if difference is None and isinstance(self._engine, Decider) and predicted is not None:
            differing = int(np.count_nonzero(own_prediction(self._engine, batch, self._spec) != predicted))
            difference = f"another prediction in {counted(differing, 'rows')}" if differing else None
        if difference is not None:
            self._refuse(f"{self._compiled.kind} differs on {what}: {difference}")
            scores = expected
        if predicted is not None:
            self._outcomes.update(np.unique(predicted).tolist())
            about = _about_positive(expected, self._spec)
            self._rules = [rule for rule in self._rules if _agrees(rule, about, predicted)]
            exactly = _about_positive(scores, self._spec)
            self._settled = [rule for rule in self._settled if np.array_equal(rule.decide(exactly), predicted)]

    def _refuse(self, reason: str) -> None:
        if self._engine is not None or self._compiled.kind is not EngineKind.NATIVE:
            self._compiled = Compiled(EngineKind.NATIVE, reason)
        self._engine = None

    def outcome(self) -> Proved:
        """Return the engine and the rule that passed."""
        if not self._decides:
            return Proved(self._compiled, None)
        if not self._rules:
            self._refuse("its predictions do not come of its scores by a threshold, nor as the highest of them")
        if not self._rules or (self._compiled.kind is EngineKind.NATIVE and len(self._outcomes) < MIN_OUTCOMES):
            return Proved(self._compiled, BY_PIPELINE)
        settled = [rule for rule in self._settled if rule in self._rules]
        if self._compiled.exact and settled:
            return Proved(self._compiled, settled[0])
        return Proved(self._compiled, self._rules[0].model_copy(update={"margin": MARGIN}))


def _agrees(rule: DecisionRule, scores: Floats, predicted: Codes) -> bool:
    """Return whether a rule predicts the same wherever scores are clear."""
    clear = ~rule.model_copy(update={"margin": MARGIN}).cannot_tell(scores)
    return bool(np.array_equal(rule.decide(scores)[clear], predicted[clear]))


def _about_positive(scores: Floats, spec: ModelSpec) -> Floats:
    return np.subtract(1.0, scores) if spec.scores_first_class else scores


def _difference(scores: Floats, expected: Floats) -> str | None:
    if scores.shape != expected.shape:
        return f"shape {scores.shape} instead of {expected.shape}"
    with np.errstate(invalid="ignore"):
        apart = np.abs(scores - expected) > TOLERANCE * np.maximum(1.0, np.abs(expected))
    different = np.argwhere((apart | np.isnan(scores) | np.isnan(expected)) & (scores != expected))
    if not len(different):
        return None
    row, output = different[0]
    return f"{scores[row, output]!r} instead of {expected[row, output]!r} in row {row} and {len(different) - 1} more"


def _cases(
    rows: pa.Table, spec: ModelSpec, compiled: Compiled, turns: Callable[[pa.RecordBatch], pa.RecordBatch]
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield the rows to compare.

    These are training rows, rows near where predictions change, and rows with awkward values in all features. A compiled engine is
    also tried with each feature's awkward values among usual values of the others.
    """
    is_compiled = compiled.kind is not EngineKind.NATIVE
    features = rows.select([feature.name for feature in spec.features])
    usual = _evenly(features, USUAL_ROWS)
    yield "training rows", _evenly(features, MAX_ROWS if is_compiled else MAX_NATIVE_ROWS)
    if spec.task is not Task.REGRESSION:
        yield "rows where its prediction changes", turns(_evenly(features, MAX_NATIVE_ROWS))
    if is_compiled:
        yield from _awkward_cases(usual, spec, compiled)


def _awkward_cases(usual: pa.RecordBatch, spec: ModelSpec, compiled: Compiled) -> Iterator[tuple[str, pa.RecordBatch]]:
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
    """Return rows whose features are drawn from both usual and awkward values.

    Extremes are left out: two of opposite sign cancel, and then only rounding is left of a sum.
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
    """Put each of the values into a usual row; usual rows are repeated as needed."""
    rows = max(usual.num_rows, len(values))
    repeated = usual.take(pa.array(np.arange(rows) % usual.num_rows))
    column = values.take(pa.array(np.arange(rows) % len(values)))
    return repeated.set_column(repeated.schema.get_field_index(name), name, column)
