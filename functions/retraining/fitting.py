"""Make a version from rows: fit, compile, prove, and score held-out rows."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.retraining.pipeline import fit_pipeline
from functions.retraining.training_set import TrainingSet
from functions.shared.domain.decision_rule import Codes, Floats
from functions.shared.domain.errors import TrainingError
from functions.shared.domain.labels import canonical_labels
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.engines.compiled import Compiled, build_engine
from functions.shared.engines.compiler import compile_pipeline
from functions.shared.engines.engine import Engine, EngineKind
from functions.shared.engines.families.table import family_of, library_of, threaded_jobs
from functions.shared.engines.frame import to_frame
from functions.shared.engines.native import NativeEngine
from functions.shared.engines.positive import about_positive
from functions.shared.engines.predicting import predict
from functions.shared.engines.proof import prove
from functions.shared.engines.steps import steps_of
from functions.shared.foundation.ahead import map_ahead
from functions.shared.foundation.counted import counted

MIN_ROWS = 50
THREADS = "threads"
"""Key in a spec's `platform`: the threads of an estimator that by default uses all processors."""
_LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "skops")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A version before it has a number: its completed spec, pipeline and engine."""

    spec: ModelSpec
    pipeline: Any
    compiled: Compiled
    engine: Engine
    native: NativeEngine

    def predict(self, rows: pa.RecordBatch, scores: Floats) -> Codes | None:
        """Return the predicted outcomes' numbers, shape (rows,); None for a regression."""
        rule = self.spec.rule
        return None if rule is None else predict(rule, rows, scores, self.spec, lambda: self.native)

    def score(self, rows: TrainingSet) -> NDArray[np.float64]:
        """Return scores of rows, shape (rows, outputs), by the engine that will serve."""
        return score_rows(self.engine, rows)

    @property
    def library(self) -> str:
        """Return the library that made the model, with its version."""
        return library_of(steps_of(self.pipeline)[-1])


def score_rows(engine: Engine, rows: TrainingSet) -> NDArray[np.float64]:
    """Return scores of rows, shape (rows, outputs)."""
    return np.concatenate(list(map_ahead(engine.score, iter(rows.table.to_batches(max_chunksize=65_536)))))


def fit(spec: ModelSpec, rows: TrainingSet, template: Any = None, threads: int | None = None) -> Fitted:
    """Fit the spec's estimator, and compile it if the result is exact.

    Exactness is tested on these rows and on awkward ones.

    Args:
        spec: the target, the features and the estimator.
        rows: the training rows.
        template: the pipeline to clone, for an adopted model.
        threads: the threads of an estimator that by default uses all processors (default: all).

    Raises:
        TrainingError: if there are too few rows, a single class, or more than two for a binary task.
    """
    if rows.rows < MIN_ROWS:
        message = f"{counted(rows.rows, 'rows')} to train on, at least {MIN_ROWS} are needed"
        raise TrainingError(message, remedy="send a file with more labelled rows")
    frame = to_frame(rows.table, spec.features)
    target = _target(spec, rows)
    if spec.task is not Task.REGRESSION:
        _check_labels(spec, target)
        spec = spec.model_copy(update={"classes": _classes(spec, target)})
        target = _as_learnt_before(target, template)
    threads = threads or os.process_cpu_count() or 1
    pipeline = fit_pipeline(spec, frame, target, template, threads)
    if spec.task is not Task.REGRESSION and not family_of(steps_of(pipeline)[-1]).numbered_classes:
        spec = spec.model_copy(update={"classes": classes_of(pipeline)})
    return as_fitted(pipeline, spec, rows, {THREADS: str(threads)} if threaded_jobs(pipeline) else {})


def as_fitted(pipeline: Any, spec: ModelSpec, rows: TrainingSet, made_in: Mapping[str, str] | None = None) -> Fitted:
    """Return a fitted pipeline with its engine, proved on `rows`, and its spec.

    The spec records the libraries and the platform, with `made_in` added.
    """
    made_on = {**present_platform(), **(made_in or {})}
    fitted_spec = spec.model_copy(update={"libraries": library_versions(spec.estimator), "platform": made_on})
    proved = prove(compile_pipeline(pipeline, fitted_spec), pipeline, fitted_spec, rows.table)
    fitted_spec, compiled = fitted_spec.model_copy(update={"decision_rule": proved.rule}), proved.compiled
    native = NativeEngine(pipeline, fitted_spec.task, fitted_spec.features)
    engine = native if compiled.kind is EngineKind.NATIVE else build_engine(compiled, fitted_spec)
    return Fitted(fitted_spec, pipeline, compiled, about_positive(engine, fitted_spec), native)


def _check_labels(spec: ModelSpec, target: NDArray[Any]) -> None:
    classes = np.unique(target)
    if len(classes) < 2:
        message = f"every row has the {spec.target!r} {str(classes[0])!r}: there is nothing to learn"
        raise TrainingError(message, remedy="add rows of another class")
    if spec.task is Task.BINARY and len(classes) > 2:
        message = f"a binary task has two classes, but {spec.target!r} is one of {', '.join(classes[:5])}"
        raise TrainingError(message, remedy="leave --task out, or choose multiclass or regression")
    if spec.positive is not None and spec.positive not in classes:
        message = f"the positive class {spec.positive!r} is none of {', '.join(classes)}, the rows' {spec.target!r}"
        raise TrainingError(message)


def _classes(spec: ModelSpec, target: NDArray[Any]) -> tuple[str, ...]:
    """Return the classes in score order: an earlier version's if the classes agree."""
    classes = np.unique(target).tolist()
    return spec.classes if sorted(spec.classes) == classes else tuple(classes)


def classes_of(pipeline: Any) -> tuple[str, ...]:
    """Return a fitted classifier's classes as label texts, in its order."""
    return tuple(canonical_labels(pa.array(pipeline.classes_.tolist())).to_pylist())


def _as_learnt_before(target: NDArray[Any], template: Any) -> NDArray[Any]:
    """Convert labels to an adopted pipeline's type: its parameters may name one."""
    classes = {} if template is None else dict(zip(classes_of(template), template.classes_.tolist(), strict=True))
    return np.array([classes[label] for label in target.tolist()]) if classes.keys() >= set(target.tolist()) else target


def _target(spec: ModelSpec, rows: TrainingSet) -> NDArray[Any]:
    values = rows.table[spec.target]
    if spec.task is Task.REGRESSION:
        return np.asarray(values.to_numpy(), dtype=np.float64)
    return np.asarray(values.to_pylist(), dtype=str)


def library_versions(estimator: str) -> Mapping[str, str]:
    """Return the library versions that a rebuild needs, including the estimator's.

    `estimator` is a dotted path.
    """
    package = estimator.partition(".")[0]
    own = set() if package == "sklearn" else set(packages_distributions().get(package, ()))
    return {name: version(name) for name in (*_LIBRARIES, *sorted(own.difference(_LIBRARIES)))}


def present_platform() -> Mapping[str, str]:
    """Return other facts about the platform that decide the last digits of a sum."""
    return {"python": platform.python_version(), "architecture": platform.machine()}
