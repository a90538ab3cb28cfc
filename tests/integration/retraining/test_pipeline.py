import re
import warnings
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from functions.retraining.pipeline import build_pipeline, default_estimator, fit_pipeline
from functions.shared.domain.errors import TrainingError
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.engines.frame import to_frame
from functions.shared.engines.skops_file import dump_pipeline

FEATURES = (
    Feature(name="x", kind=FeatureKind.NUMBER),
    Feature(name="on", kind=FeatureKind.BOOLEAN),
    Feature(name="code", kind=FeatureKind.CATEGORY),
)


def make_spec(task: Task, estimator: str, features: tuple[Feature, ...] = FEATURES, **parameters: object) -> ModelSpec:
    classes = {Task.BINARY: ("0", "1"), Task.MULTICLASS: ("0", "1", "2"), Task.REGRESSION: ()}[task]
    return ModelSpec(
        name="m",
        task=task,
        target="y",
        id_column="id",
        features=features,
        classes=classes,
        metric="log_loss",
        estimator=estimator,
        parameters=parameters,
        seed=11,
    )


def rows(count: int = 400, codes: int = 300) -> pa.Table:
    rng = np.random.default_rng(3)
    return pa.table(
        {
            "x": pa.array([None if k % 7 == 0 else float(v) for k, v in enumerate(rng.normal(size=count))], pa.float64()),
            "on": pa.array([None if k % 11 == 0 else bool(k % 2) for k in range(count)]),
            "code": pa.array([None if k % 13 == 0 else f"c{k % codes}" for k in range(count)]).dictionary_encode(),
        }
    )


def labels(count: int = 400) -> Any:
    return (np.nan_to_num(to_frame(rows(count), FEATURES)["x"].to_numpy()) + np.random.default_rng(4).normal(size=count) > 0).astype(int)


LINEAR_BOOSTER = "ignore:.*gblinear. is deprecated:UserWarning"
LOGISTIC = "sklearn.linear_model.LogisticRegression"
ESTIMATORS = [
    (Task.BINARY, "sklearn.ensemble.HistGradientBoostingClassifier", {"max_iter": 3}),
    (Task.BINARY, "sklearn.ensemble.RandomForestClassifier", {"n_estimators": 3}),
    (Task.BINARY, "sklearn.ensemble.GradientBoostingClassifier", {"n_estimators": 3}),
    (Task.BINARY, "sklearn.tree.DecisionTreeClassifier", {"max_depth": 3}),
    (Task.BINARY, "sklearn.linear_model.LogisticRegression", {}),
    (Task.BINARY, "sklearn.discriminant_analysis.LinearDiscriminantAnalysis", {}),
    (Task.BINARY, "sklearn.neural_network.MLPClassifier", {"max_iter": 2}),
    (Task.REGRESSION, "sklearn.ensemble.HistGradientBoostingRegressor", {"max_iter": 3}),
    (Task.REGRESSION, "sklearn.linear_model.Ridge", {}),
    (Task.BINARY, "xgboost.XGBClassifier", {"n_estimators": 3, "subsample": 0.7}),
    (Task.BINARY, "xgboost.XGBRFClassifier", {"n_estimators": 3}),
    (Task.REGRESSION, "xgboost.XGBRegressor", {"n_estimators": 3, "rate_drop": 0.5}),
    (Task.REGRESSION, "xgboost.XGBRFRegressor", {"n_estimators": 3}),
    (Task.REGRESSION, "xgboost.XGBRegressor", {"n_estimators": 3, "booster": "gblinear"}),
    (Task.BINARY, "lightgbm.LGBMClassifier", {"n_estimators": 3}),
    (Task.BINARY, "lightgbm.LGBMClassifier", {"n_estimators": 3, "boosting_type": "rf"}),
    (Task.REGRESSION, "lightgbm.LGBMRegressor", {"n_estimators": 3, "boosting_type": "dart", "drop_rate": 0.5}),
    (Task.REGRESSION, "lightgbm.LGBMRegressor", {"n_estimators": 3, "data_sample_strategy": "goss"}),
]


@pytest.mark.parametrize(
    ("task", "estimator", "parameters"), ESTIMATORS, ids=[f"{path.rpartition('.')[2]} {parameters}" for _, path, parameters in ESTIMATORS]
)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings(LINEAR_BOOSTER)
def test_nulls_unseen_and_more_than_255_categories_are_trained_on_and_scored(
    task: Task, estimator: str, parameters: dict[str, Any]
) -> None:
    pipeline = fit_pipeline(make_spec(task, estimator, **parameters), to_frame(rows(), FEATURES), labels())
    odd = pa.table({"x": pa.array([None, 1e9], pa.float64()), "on": pa.array([None, True]), "code": ["unseen", None]})
    scores = pipeline.predict(to_frame(odd, FEATURES)) if task is Task.REGRESSION else pipeline.predict_proba(to_frame(odd, FEATURES))
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(("task", "estimator", "parameters"), [*ESTIMATORS[:5], *ESTIMATORS[9:]])
def test_the_same_rows_parameters_and_seed_give_the_same_model(task: Task, estimator: str, parameters: dict[str, Any]) -> None:
    spec = make_spec(task, estimator, **parameters)
    first, second = (dump_pipeline(fit_pipeline(spec, to_frame(rows(), FEATURES), labels())) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("parameters", "target"), [({"max_iter": -1}, labels()), ({}, np.zeros(400, int))])
def test_a_value_or_a_target_that_scikit_learn_refuses_is_a_training_error(parameters: dict[str, Any], target: Any) -> None:
    spec = make_spec(Task.BINARY, "sklearn.linear_model.LogisticRegression", **parameters)
    with pytest.raises(TrainingError, match="cannot be trained"):
        fit_pipeline(spec, to_frame(rows(), FEATURES), target)


def test_a_feature_that_is_empty_in_training_does_no_harm() -> None:
    empty = rows().set_column(0, "x", pa.nulls(400, pa.float64()))
    for estimator in (LOGISTIC, "sklearn.ensemble.GradientBoostingClassifier", "xgboost.XGBClassifier", "lightgbm.LGBMClassifier"):
        pipeline = fit_pipeline(make_spec(Task.BINARY, estimator), to_frame(empty, FEATURES), labels())
        assert np.isfinite(pipeline.predict_proba(to_frame(rows(), FEATURES))).all()


@pytest.mark.parametrize("kind", FeatureKind)
def test_one_feature_of_any_kind_is_enough(kind: FeatureKind) -> None:
    features = tuple(feature for feature in FEATURES if feature.kind is kind)
    for estimator in (LOGISTIC, "sklearn.ensemble.HistGradientBoostingClassifier", "xgboost.XGBClassifier", "lightgbm.LGBMClassifier"):
        fit_pipeline(make_spec(Task.BINARY, estimator, features), to_frame(rows(), features), labels())


def test_the_seed_and_parameters_reach_the_estimator() -> None:
    spec = make_spec(Task.BINARY, "sklearn.ensemble.RandomForestClassifier", n_estimators=17, random_state=5)
    assert build_pipeline(spec)[-1].get_params()["n_estimators"] == 17
    assert build_pipeline(spec)[-1].random_state == 5
    assert build_pipeline(make_spec(Task.BINARY, spec.estimator))[-1].random_state == 11


def test_early_stopping_is_off_unless_asked_for() -> None:
    estimator = default_estimator(Task.BINARY)
    assert build_pipeline(make_spec(Task.BINARY, estimator))[-1].early_stopping is False
    assert build_pipeline(make_spec(Task.BINARY, estimator, early_stopping=True))[-1].early_stopping is True


@pytest.mark.parametrize("task", Task)
def test_the_default_estimator_fits_its_task(task: Task) -> None:
    assert default_estimator(task).rpartition(".")[2] in type(build_pipeline(make_spec(task, default_estimator(task)))[-1]).__name__


REFUSED = [
    (Task.BINARY, "os.system", {}, "is not an estimator"),
    (Task.BINARY, "our_estimators.Boost", {}, "must be installed in the functions' image"),
    (Task.BINARY, "sklearn.linear_model.Logistic", {}, "cannot be imported"),
    (Task.BINARY, "sklearn.nowhere.LogisticRegression", {}, "cannot be imported"),
    (Task.BINARY, "LogisticRegression", {}, "give a dotted path"),
    (Task.BINARY, "sklearn", {}, "give a dotted path"),
    (Task.BINARY, "sklearn.metrics.log_loss", {}, "is not an estimator"),
    (Task.BINARY, "sklearn.linear_model._base.LinearModel", {}, "is not an estimator"),
    (Task.BINARY, "sklearn.linear_model.LogisticRegression", {"depth": 3}, "no parameter depth"),
    (Task.BINARY, "sklearn.linear_model.Ridge", {}, "choose a classifier"),
    (Task.BINARY, "sklearn.preprocessing.StandardScaler", {}, "is not an estimator"),
    (Task.REGRESSION, "sklearn.linear_model.LogisticRegression", {}, "choose a regressor"),
    (Task.BINARY, "sklearn.svm.LinearSVC", {}, "no predict_proba"),
    (Task.BINARY, "sklearn.linear_model.SGDClassifier", {}, "no predict_proba"),
    (Task.BINARY, "sklearn.pipeline.Pipeline", {}, "cannot be made"),
    (Task.BINARY, "xgboost.XGBRegressor", {}, "choose a classifier"),
    (Task.REGRESSION, "xgboost.XGBRanker", {}, "choose a regressor"),
    (Task.REGRESSION, "lightgbm.LGBMClassifier", {}, "choose a regressor"),
    (Task.BINARY, "lightgbm.LGBMClassifier", {"leaves": 3}, "has no parameter leaves\nremedy: choose from: boosting_type"),
    (Task.BINARY, "lightgbm.LGBMClassifier", {"monotone_constraints": [1, 0]}, 'monotone_constraints={"age": 1'),
    (Task.BINARY, "xgboost.XGBClassifier", {"monotone_constraints": {"age": 1}}, "columns are constrained by name"),
    (Task.BINARY, "sklearn.semi_supervised.SelfTrainingClassifier", {}, "cannot be made"),
]


@pytest.mark.parametrize(("task", "estimator", "parameters", "message"), REFUSED)
def test_what_cannot_be_trained_is_refused_with_the_reason(task: Task, estimator: str, parameters: dict[str, Any], message: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TrainingError, match=re.escape(message)):
            build_pipeline(make_spec(task, estimator, **parameters))


UNLEARNT = [
    (Task.BINARY, "xgboost.XGBClassifier", {"depth": 3}, "XGBoost does nothing with depth here"),
    (Task.BINARY, "xgboost.XGBClassifier", {"objective": "binary:logit"}, "Unknown objective function: `binary:logit`"),
    (Task.BINARY, "xgboost.XGBClassifier", {"objective": "binary:logitraw"}, "does not give probabilities: choose another objective"),
    (Task.BINARY, "xgboost.XGBClassifier", {"early_stopping_rounds": 3}, "Must have at least 1 validation dataset"),
    (Task.REGRESSION, "xgboost.XGBRegressor", {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.9]}, "one prediction per row"),
    (Task.REGRESSION, "lightgbm.LGBMRegressor", {"objective": "squared"}, "Unknown objective type name: squared"),
    (Task.BINARY, "lightgbm.LGBMClassifier", {"objective": "regression", "n_estimators": 500}, "does not give probabilities"),
]


@pytest.mark.parametrize(("task", "estimator", "parameters", "message"), UNLEARNT)
def test_what_a_booster_refuses_is_reported_in_its_own_words_and_no_others(
    task: Task, estimator: str, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrainingError) as refused:
        fit_pipeline(make_spec(task, estimator, **parameters), to_frame(rows(), FEATURES), labels())
    assert message in str(refused.value)
    assert len(str(refused.value)) < 900
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("estimator", ["xgboost.XGBClassifier", "lightgbm.LGBMClassifier"])
def test_constraints_hold_for_the_columns_that_they_name(estimator: str) -> None:
    features = (*FEATURES, Feature(name="z", kind=FeatureKind.NUMBER))
    noise = np.random.default_rng(6).normal(size=400)
    table = rows().append_column("z", pa.array(noise))
    target = (np.sin(3 * noise) > 0).astype(int)
    falling = make_spec(Task.BINARY, estimator, features, monotone_constraints={"z": -1}, n_estimators=20)
    pipeline = fit_pipeline(falling, to_frame(table, features), target)
    steps = pa.table({"x": [0.0] * 50, "on": [True] * 50, "code": ["c1"] * 50, "z": np.linspace(-2, 2, 50)})
    assert (np.diff(pipeline.predict_proba(to_frame(steps, features))[:, 1]) <= 0).all()
    free = fit_pipeline(make_spec(Task.BINARY, estimator, features, n_estimators=20), to_frame(table, features), target)
    assert (np.diff(free.predict_proba(to_frame(steps, features))[:, 1]) > 0).any()


@pytest.mark.parametrize("estimator", ["xgboost.XGBClassifier", "lightgbm.LGBMClassifier"])
def test_columns_that_may_not_interact_do_not(estimator: str) -> None:
    features = (Feature(name="x", kind=FeatureKind.NUMBER), Feature(name="z", kind=FeatureKind.NUMBER))
    rng = np.random.default_rng(7)
    table = pa.table({"x": rng.normal(size=400), "z": rng.normal(size=400)})
    target = (table["x"].to_numpy() * table["z"].to_numpy() > 0).astype(int)
    apart = make_spec(Task.BINARY, estimator, features, interaction_constraints=[["x"], ["z"]], n_estimators=20)
    pipeline = fit_pipeline(apart, to_frame(table, features), target)
    corners = pa.table({"x": [-1.0, -1.0, 1.0, 1.0], "z": [-1.0, 1.0, -1.0, 1.0]})
    shares = pipeline.predict_proba(to_frame(corners, features))[:, 1]
    odds = np.log(shares / (1 - shares))
    # What adds up has no interaction: the differences along one column are the same at either end of the other.
    assert odds[1] - odds[0] == pytest.approx(odds[3] - odds[2], abs=1e-4)


def test_a_boosters_threads_are_those_it_is_given_unless_a_parameter_says_otherwise() -> None:
    for estimator in ("xgboost.XGBClassifier", "lightgbm.LGBMClassifier"):
        spec = make_spec(Task.BINARY, estimator, n_estimators=2)
        assert fit_pipeline(spec, to_frame(rows(), FEATURES), labels(), threads=3)[-1].n_jobs == 3
        wanted = make_spec(Task.BINARY, estimator, n_estimators=2, n_jobs=1)
        assert fit_pipeline(wanted, to_frame(rows(), FEATURES), labels(), threads=3)[-1].n_jobs == 1
    forest = make_spec(Task.BINARY, "sklearn.ensemble.RandomForestClassifier", n_estimators=2)
    assert fit_pipeline(forest, to_frame(rows(), FEATURES), labels(), threads=3)[-1].n_jobs is None
