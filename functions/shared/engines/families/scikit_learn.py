"""scikit-learn's estimators, and those of other packages with its interface."""

import inspect
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import get_tags

from functions.shared.domain.errors import InvalidBundleError
from functions.shared.domain.spec import FeatureKind, ModelSpec
from functions.shared.engines.families.columns import imputer, of_kind, ordinal, transformer
from functions.shared.engines.families.family import Family
from functions.shared.engines.families.scikit_learn_linear import linear_form
from functions.shared.engines.families.scikit_learn_trees import tree_form
from functions.shared.engines.linear_forms import LinearForm
from functions.shared.engines.tree_forms import TreeForm

MAX_ONE_HOT_CATEGORIES = 100

# Set where scikit-learn's default does not converge on tabular data, or makes equal trainings differ.
_DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "HistGradientBoostingClassifier": {"early_stopping": False},
    "HistGradientBoostingRegressor": {"early_stopping": False},
    "LogisticRegression": {"max_iter": 1000},
    "PoissonRegressor": {"max_iter": 1000},
    "GammaRegressor": {"max_iter": 1000},
    "TweedieRegressor": {"max_iter": 1000},
}


class _ScikitLearn(Family):
    backend = "scikit-learn"
    library = "scikit-learn"
    trusted_types = (
        "builtins.object",
        "functools.partial",
        "numpy.dtype",
        "numpy.number",
        "scipy.interpolate._bsplines.BSpline",
        "scipy.interpolate._bsplines._BSpline",
        "sklearn._loss.loss.HalfTweedieLoss",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.compose._column_transformer.make_column_selector",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.feature_selection._mutual_info.mutual_info_classif",
        "sklearn.feature_selection._mutual_info.mutual_info_regression",
        "sklearn.feature_selection._univariate_selection.chi2",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.feature_selection._univariate_selection.f_regression",
        "sklearn.feature_selection._univariate_selection.r_regression",
        "sklearn.metrics._classification.accuracy_score",
        "sklearn.metrics._classification.balanced_accuracy_score",
        "sklearn.metrics._classification.cohen_kappa_score",
        "sklearn.metrics._classification.f1_score",
        "sklearn.metrics._classification.fbeta_score",
        "sklearn.metrics._classification.jaccard_score",
        "sklearn.metrics._classification.matthews_corrcoef",
        "sklearn.metrics._classification.precision_score",
        "sklearn.metrics._classification.recall_score",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._scorer._CurveScorer",
        "sklearn.metrics._scorer._PassthroughScorer",
        "sklearn.metrics._scorer._Scorer",
        "sklearn.model_selection._split.KFold",
        "sklearn.model_selection._split.RepeatedStratifiedKFold",
        "sklearn.model_selection._split.StratifiedKFold",
        "sklearn.model_selection._split.StratifiedShuffleSplit",
        "sklearn.model_selection._split.TimeSeriesSplit",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        "sklearn.utils._metadata_requests.MetadataRequest",
        "sklearn.utils._metadata_requests.MethodMetadataRequest",
        "sklearn.utils.validation.check_array",
    )

    def parameters(self, made: type) -> Collection[str]:
        return inspect.signature(made).parameters

    def arguments(self, made: type, spec: ModelSpec) -> Mapping[str, object]:
        seed = {"random_state": spec.seed} if "random_state" in self.parameters(made) else {}
        return {**_DEFAULTS.get(made.__name__, {}), **seed, **spec.parameters}

    def columns(self, model: Any, spec: ModelSpec, empty: Collection[str]) -> ColumnTransformer:
        numbers, categories, booleans = (of_kind(spec, kind) for kind in (FeatureKind.NUMBER, FeatureKind.CATEGORY, FeatureKind.BOOLEAN))
        accepts = get_tags(model).input_tags
        if "categorical_features" in model.get_params():
            if "categorical_features" not in spec.parameters:
                # The encoder's columns come first.
                model.set_params(categorical_features=list(range(len(categories))))
            binned = [name for name in numbers + booleans if name not in empty]
            parts = [("categories", ordinal(float("nan")), categories), ("numbers", "passthrough", binned)]
        elif type(model).__module__.startswith(("sklearn.ensemble.", "sklearn.tree.")):
            parts = [
                ("categories", ordinal(float("nan") if accepts.allow_nan else -2), categories),
                ("numbers", "passthrough" if accepts.allow_nan else imputer("median"), numbers + booleans),
            ]
        else:
            one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5, max_categories=MAX_ONE_HOT_CATEGORIES)
            parts = [
                ("categories", one_hot, categories),
                ("numbers", make_pipeline(imputer("median"), StandardScaler()), numbers),
                ("booleans", imputer("most_frequent"), booleans),
            ]
        return transformer(parts, sparse_threshold=0.3 if accepts.sparse else 0.0)

    def linear_form(self, model: Any) -> LinearForm | None:
        return linear_form(model)

    def tree_form(self, model: Any) -> TreeForm | None:
        return tree_form(model)

    def check(self, model: Any) -> None:
        """Check histogram trees, in which a bad index would crash scikit-learn."""
        if not isinstance(model, BaseHistGradientBoosting):
            return
        for predictor in (predictor for iteration in model._predictors for predictor in iteration):  # noqa: SLF001
            nodes = predictor.nodes
            inner = nodes[nodes["is_leaf"] == 0]
            parents = np.flatnonzero(nodes["is_leaf"] == 0)
            sound = len(nodes) > 0 and all(bool(np.all((parents < inner[side]) & (inner[side] < len(nodes)))) for side in ("left", "right"))
            split_sets = inner[inner["is_categorical"] == 1]["bitset_idx"]
            if (
                not sound
                or bool(np.any((inner["feature_idx"] < 0) | (inner["feature_idx"] >= model.n_features_in_)))
                or bool(np.any(split_sets >= len(predictor.raw_left_cat_bitsets)))
            ):
                message = "a tree of the model points outside itself"
                raise InvalidBundleError(message)


SCIKIT_LEARN = _ScikitLearn()
