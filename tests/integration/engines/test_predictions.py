"""What is predicted is what the pipeline's own `predict` says, whatever engine scores, also where scores nearly tie."""

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.metrics import fbeta_score, make_scorer
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from functions.retraining.fitting import as_fitted
from functions.retraining.pipeline import clone_pipeline
from functions.retraining.training_set import TrainingSet
from functions.shared.domain.decision_rule import RuleKind
from functions.shared.domain.drift.baseline import build_baseline
from functions.shared.domain.spec import Task
from functions.shared.engines.bundle import LoadedModel, bundle_digest, load_bundle, make_bundle
from functions.shared.engines.engine import EngineKind
from functions.shared.engines.frame import to_frame
from functions.shared.engines.skops_file import dump_pipeline
from functions.shared.engines.turning_points import turning_points
from tests.unit.shared.engines.rows import FEATURES, batches, make_spec, target, training_rows

NAMES = np.array(["later", "never", "now"])


def prepared(model: Any) -> Any:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(make_column_transformer((numbers, ["price", "age"]), (texts, ["shop", "colour"]), ("drop", ["member"])), model)


def labels(task: Task) -> Any:
    return NAMES[target(task)]


def bundle_of(pipeline: Any, task: Task, *, positive: str | None = None) -> tuple[dict[str, bytes], EngineKind]:
    spec = make_spec(task, "sklearn.pipeline.Pipeline").model_copy(update={"classes": tuple(pipeline.classes_), "positive": positive})
    table = pa.Table.from_batches([training_rows()])
    fitted = as_fitted(pipeline, spec, TrainingSet(spec, table))
    baseline = build_baseline("sales", "1", table, fitted.spec, fitted.engine.score(training_rows()))
    return make_bundle(fitted.spec, baseline, fitted.compiled, dump_pipeline(pipeline)), fitted.compiled.kind


def served(pipeline: Any, task: Task, *, positive: str | None = None) -> tuple[LoadedModel, Any, EngineKind]:
    """A fitted pipeline as scoring loads it."""
    files, kind = bundle_of(pipeline, task, positive=positive)
    return load_bundle(files.__getitem__, bundle_digest(files)), pipeline, kind


def predictions(model: LoadedModel, rows: pa.RecordBatch) -> list[str]:
    codes = model.predict(rows, model.engine.score(rows))
    assert codes is not None
    return [model.spec.outcomes[code] for code in codes]


def agrees(model: LoadedModel, pipeline: Any, rows: pa.RecordBatch) -> None:
    assert predictions(model, rows) == pipeline.predict(to_frame(rows, FEATURES)).tolist()


def holds_where_it_turns(model: LoadedModel, pipeline: Any) -> None:
    """On rows of training, and on those between them where the prediction turns."""
    agrees(model, pipeline, training_rows())
    codes = {label: code for code, label in enumerate(pipeline.classes_)}
    near = turning_points(
        lambda rows: np.array([codes[label] for label in pipeline.predict(to_frame(rows, FEATURES))]), training_rows(), FEATURES
    )
    if near.num_rows:
        agrees(model, pipeline, near)


def holds_everywhere(model: LoadedModel, pipeline: Any) -> None:
    holds_where_it_turns(model, pipeline)

    @settings(max_examples=3)
    @given(batches)
    def on_any_batch(batch: pa.RecordBatch) -> None:
        agrees(model, pipeline, batch)

    on_any_batch()


LOGISTIC = LogisticRegression()
FOREST = RandomForestClassifier(10, random_state=0)
CLASSIFIERS: dict[str, tuple[Any, EngineKind]] = {
    "logistic regression": (LOGISTIC, EngineKind.LINEAR),
    "logistic regression whose scores are all nearly one half": (LogisticRegression(C=1e-20), EngineKind.LINEAR),
    "stochastic gradient": (SGDClassifier(loss="log_loss", random_state=0), EngineKind.LINEAR),
    "a forest of pure leaves, with many ties": (FOREST, EngineKind.BITVECTOR),
    "a forest of few leaves": (RandomForestClassifier(4, max_depth=2, random_state=0), EngineKind.BITVECTOR),
    "a tree": (DecisionTreeClassifier(min_samples_leaf=8), EngineKind.BITVECTOR),
    "a tree with weights": (DecisionTreeClassifier(min_samples_leaf=8, class_weight="balanced"), EngineKind.BITVECTOR),
    "boosting": (HistGradientBoostingClassifier(max_iter=5), EngineKind.BITVECTOR),
    "boosting that predicts the second class at a tie": (GradientBoostingClassifier(n_estimators=5), EngineKind.BITVECTOR),
    "neighbours, with many ties": (KNeighborsClassifier(4), EngineKind.NATIVE),
    "adaptive boosting": (AdaBoostClassifier(n_estimators=5), EngineKind.NATIVE),
    "one against the rest": (OneVsRestClassifier(LOGISTIC), EngineKind.NATIVE),
    "calibrated": (CalibratedClassifierCV(LOGISTIC, cv=3), EngineKind.NATIVE),
    "a calibrated classifier without probabilities of its own": (CalibratedClassifierCV(RidgeClassifier(), cv=3), EngineKind.NATIVE),
    "a support vector machine": (SVC(probability=True, random_state=0), EngineKind.NATIVE),
}


@cache
def fitted(name: str, task: Task) -> Any:
    return prepared(clone(CLASSIFIERS[name][0])).fit(to_frame(training_rows(), FEATURES), labels(task))


@pytest.mark.parametrize(
    ("name", "positive"),
    [*((name, None) for name in CLASSIFIERS), ("logistic regression", "later"), ("a forest of pure leaves, with many ties", "later")],
)
@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning", "ignore:overflow encountered")
def test_of_two_classes_the_pipelines_own_is_predicted(name: str, positive: str | None) -> None:
    model, pipeline, kind = served(fitted(name, Task.BINARY), Task.BINARY, positive=positive)
    assert kind is CLASSIFIERS[name][1]
    holds_everywhere(model, pipeline)


@pytest.mark.parametrize("model_", [RandomForestClassifier, ExtraTreesClassifier])
@pytest.mark.parametrize("positive", [None, "later"])
def test_equal_votes_of_a_deep_forest_are_decided_without_its_pipeline(model_: Any, positive: str | None) -> None:
    rows, chance = training_rows(4_000, 3), np.random.default_rng(4)
    answers = NAMES[(chance.random(4_000) < np.where(np.arange(4_000) % 3, 0.7, 0.3)).astype(int)]
    pipeline = prepared(model_(6, min_samples_split=4, random_state=0)).fit(to_frame(rows, FEATURES), answers)
    files, kind = bundle_of(pipeline, Task.BINARY, positive=positive)
    del files["pipeline.skops"]
    model = load_bundle(files.__getitem__, bundle_digest(files))
    assert kind is EngineKind.FOREST
    tied = rows.filter(pa.array(np.abs(model.engine.score(rows)[:, 0] - 0.5) < 1e-9))
    assert tied.num_rows > 10
    agrees(model, pipeline, rows)
    assert model.rule is not None
    by_score = [model.spec.outcomes[code] for code in model.rule.decide(model.engine.score(tied))]
    assert by_score != predictions(model, tied), "rounding decides some of them"


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning", "ignore:overflow encountered")
def test_of_several_classes_the_pipelines_own_is_predicted(name: str) -> None:
    holds_everywhere(*served(fitted(name, Task.MULTICLASS), Task.MULTICLASS)[:2])


@pytest.mark.parametrize(
    ("decides", "task"),
    [
        (FixedThresholdClassifier(SVC(probability=True, random_state=0), threshold=0.3, response_method="decision_function"), Task.BINARY),
        (SVC(probability=True, random_state=0), Task.MULTICLASS),
    ],
)
@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_a_pipeline_whose_predictions_contradict_its_probabilities_is_asked_for_every_row(decides: Any, task: Task) -> None:
    model, pipeline, kind = served(prepared(clone(decides)).fit(to_frame(training_rows(), FEATURES), labels(task)), task)
    assert kind is EngineKind.NATIVE
    assert model.spec.rule is not None
    assert model.spec.rule.kind is RuleKind.PIPELINE
    holds_everywhere(model, pipeline)


@settings(max_examples=8)
@given(
    inner=st.sampled_from([LOGISTIC, FOREST, GradientBoostingClassifier(n_estimators=3), SVC(probability=True, random_state=0)]),
    threshold=st.one_of(st.floats(0.0, 1.0), st.integers(0, 10).map(lambda tenths: tenths / 10)),
    about=st.sampled_from([None, "later", "never"]),
    positive=st.sampled_from([None, "later", "never"]),
    batch=batches,
)
@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_a_fixed_threshold_decides_whatever_class_it_is_about(
    inner: Any, threshold: float, about: str | None, positive: str | None, batch: pa.RecordBatch
) -> None:
    decided = FixedThresholdClassifier(clone(inner), threshold=threshold, pos_label=about)
    pipeline = prepared(decided).fit(to_frame(training_rows(), FEATURES), labels(Task.BINARY))
    model, _, kind = served(pipeline, Task.BINARY, positive=positive)
    assert (kind is EngineKind.NATIVE) is isinstance(inner, SVC)
    holds_where_it_turns(model, pipeline)
    agrees(model, pipeline, batch)


@pytest.mark.parametrize("about", ["later", "never"])
@pytest.mark.parametrize("inner", [LOGISTIC, GradientBoostingClassifier(n_estimators=3, loss="exponential")])
def test_a_threshold_of_the_decision_function_is_one_of_the_score(inner: Any, about: str) -> None:
    decided = FixedThresholdClassifier(inner, threshold=-0.4, pos_label=about, response_method="decision_function")
    pipeline = prepared(decided).fit(to_frame(training_rows(), FEATURES), labels(Task.BINARY))
    model, _, kind = served(pipeline, Task.BINARY)
    assert kind is not EngineKind.NATIVE
    holds_everywhere(model, pipeline)


@pytest.mark.parametrize(
    "scoring", ["balanced_accuracy", "f1_macro", make_scorer(fbeta_score, beta=2, pos_label="later")], ids=["name", "averaged", "made"]
)
@pytest.mark.parametrize("inner", [LOGISTIC, prepared(FOREST)], ids=["linear", "pipeline inside"])
def test_a_tuned_threshold_decides_and_its_estimator_is_compiled(inner: Any, scoring: Any) -> None:
    decided = TunedThresholdClassifierCV(inner, scoring=scoring, cv=3)
    pipeline = (decided if hasattr(inner, "steps") else prepared(decided)).fit(to_frame(training_rows(), FEATURES), labels(Task.BINARY))
    model, _, kind = served(pipeline, Task.BINARY)
    assert kind is not EngineKind.NATIVE
    assert model.spec.rule is not None
    assert (
        pipeline.best_threshold_
        if hasattr(inner, "steps")
        else pipeline[-1].best_threshold_
        in {
            model.spec.rule.threshold,
            1 - (model.spec.rule.threshold or 0),
        }
    )
    holds_everywhere(model, pipeline)


def test_a_frozen_estimator_is_compiled_and_learns_again_when_it_is_cloned() -> None:
    frame = to_frame(training_rows(), FEATURES)
    inside = prepared(LogisticRegression()).fit(frame, labels(Task.BINARY))
    pipeline = FixedThresholdClassifier(FrozenEstimator(inside), threshold=0.3).fit(frame, labels(Task.BINARY))
    model, _, kind = served(pipeline, Task.BINARY)
    assert kind is EngineKind.LINEAR
    holds_everywhere(model, pipeline)
    again = clone_pipeline(pipeline, model.spec)
    flipped = again.fit(frame, labels(Task.BINARY)[::-1])
    assert not np.allclose(flipped.estimator_[-1].coef_, inside[-1].coef_)


def test_rows_that_scores_decide_are_decided_without_loading_the_pipeline() -> None:
    model, pipeline, _ = served(fitted("logistic regression", Task.BINARY), Task.BINARY)

    def refuse() -> Any:
        raise AssertionError

    alone = LoadedModel(model.spec, model.baseline, model.engine, refuse, model.spec.rule)
    agrees(alone, pipeline, training_rows())
