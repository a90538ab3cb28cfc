"""XGBoost's estimators, whose boosters compare and add in single precision."""

import json
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.errors import InvalidBundleError, NotCompilableError
from functions.shared.domain.spec import FeatureKind, ModelSpec
from functions.shared.engines.families import xgboost_files
from functions.shared.engines.families.family import Family
from functions.shared.engines.families.inputs import Inputs
from functions.shared.engines.tree_forms import NO_BAND, CategorySplit, Tree, TreeForm, in_levels, reordered

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer

_ESTIMATORS = ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor")
_LINKS = {
    **dict.fromkeys(("binary:logistic", "reg:logistic"), "expit"),
    "multi:softprob": "softmax",
    **dict.fromkeys(("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft"), "exp"),
    **dict.fromkeys(("reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror"), "identity"),
    **dict.fromkeys(("reg:quantileerror", "reg:expectileerror"), "identity"),
}
_BY_CATEGORIES = 1
"""`split_type` of a node that splits on categories."""

type _Json = dict[str, Any]


class _XGBoost(Family):
    backend = "xgboost"
    library = "XGBoost"
    files_hold_parameters = False
    trusted_types = ("xgboost.core.Booster", *(f"xgboost.sklearn.{name}" for name in _ESTIMATORS))
    threaded = True
    numbered_classes = True

    def parameters(self, made: type) -> None:  # noqa: ARG002 - its boosters have more than any signature names
        return None

    def arguments(self, made: type, spec: ModelSpec) -> Mapping[str, object]:  # noqa: ARG002 - alike for all
        from functions.shared.engines.families.columns import by_position

        constrained = {name: json.dumps(value) for name, value in by_position(spec).items()}
        if "monotone_constraints" in constrained:
            constrained["monotone_constraints"] = f"({constrained['monotone_constraints'].strip('[]')})"
        return {"random_state": spec.seed, **spec.parameters, **constrained}

    def columns(self, model: Any, spec: ModelSpec, empty: Collection[str]) -> "ColumnTransformer":
        from functions.shared.engines.families.columns import native_columns
        from functions.shared.engines.families.scikit_learn import SCIKIT_LEARN

        if model.booster == "gblinear":
            return SCIKIT_LEARN.columns(model, spec, empty)
        categories = sum(feature.kind is FeatureKind.CATEGORY for feature in spec.features)
        model.set_params(feature_types=_types(len(spec.features), range(categories)), enable_categorical=True)
        return native_columns(spec)

    def estimator_in(self, body: bytes) -> Any | None:
        return xgboost_files.estimator_in(body) if xgboost_files.is_ours(body) else None

    def inputs(self, model: Any) -> Inputs | None:
        return xgboost_files.inputs(model) if hasattr(model, "get_booster") else None

    def take_codes(self, model: Any, coded: Collection[int]) -> None:
        booster = model.get_booster()
        kinds = _types(booster.num_features(), coded)
        booster.feature_names, booster.feature_types = None, kinds
        model.set_params(feature_types=kinds, enable_categorical=True)
        if model.early_stopping_rounds:
            # A clone has no validation rows for early stopping.
            model.set_params(early_stopping_rounds=None, n_estimators=model.best_iteration + 1)

    def fitting(self) -> AbstractContextManager[None]:
        return _complaints_as_errors()

    def tree_form(self, model: Any) -> TreeForm | None:
        if f"{type(model).__module__}.{type(model).__name__}" not in self.trusted_types:
            return None
        document = json.loads(model.get_booster().save_raw("json"))
        rounds = model._get_iteration_range(None)[1]  # noqa: SLF001 - as `predict` has it after early stopping
        return _form(document, rounds, float(model.missing))

    def check(self, model: Any) -> None:
        """Check children of trees: XGBoost does not, and a bad index crashes the process."""
        if not hasattr(model, "get_booster"):
            return
        learner = json.loads(model.get_booster().save_raw("json"))["learner"]
        for tree in learner["gradient_booster"]["model"].get("trees", ()):
            left, right, column = (np.array(tree[name], np.intp) for name in ("left_children", "right_children", "split_indices"))
            order = in_levels(left < 0, left, right)
            if np.any((column[order] < 0) | (column[order] >= int(learner["learner_model_param"]["num_feature"]))):
                message = "a tree of the model looks at a column that there is not"
                raise InvalidBundleError(message)


XGBOOST = _XGBoost()


def _types(columns: int, coded: Collection[int]) -> list[str]:
    return ["c" if place in coded else "q" for place in range(columns)]


@contextmanager
def _complaints_as_errors() -> Iterator[None]:
    """Raise a warning about unused parameters, and shorten errors to their message."""
    from xgboost.core import XGBoostError

    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            yield
    except XGBoostError as error:
        complaint = re.sub(r"^\[[^\]]*\] \S+: ", "", str(error).partition("\nStack trace")[0])
        raise ValueError(complaint.strip().replace("\nObjective candidate:", ",")) from error
    for warning in heard:
        if unused := re.search(r"Parameters: \{ (.*) \} are not used", str(warning.message)):
            message = f"XGBoost does nothing with {unused[1].replace('"', '')} here"
            raise ValueError(message)


def _form(document: _Json, rounds: int, missing: float) -> TreeForm:
    """Return the form of a model as JSON, limited to its first `rounds` (0: all).

    The number `missing` stands for a missing value too.
    """
    learner = document["learner"]
    objective, booster = learner["objective"]["name"], learner["gradient_booster"]
    if booster["name"] != "gbtree":
        message = f"XGBoost's {booster['name']} adds up what no tree says"
        raise NotCompilableError(message)
    if objective not in _LINKS:
        message = f"XGBoost's objective {objective} is not compiled"
        raise NotCompilableError(message)
    model = booster["model"]
    count = model["iteration_indptr"][rounds] if rounds else len(model["trees"])
    outputs = np.array(model["tree_info"][:count], np.intp)
    weights = model.get("weight_drop", [1.0] * count)
    if int(learner["learner_model_param"]["num_target"]) > 1:
        message = "XGBoost's models of several targets are not compiled"
        raise NotCompilableError(message)
    sums = max(1, int(learner["learner_model_param"]["num_class"]))
    band = None if np.isnan(missing) else np.float32(missing)
    # The trees of each sum come together, in order.
    order = np.argsort(outputs, kind="stable").tolist()
    return TreeForm(
        link=_LINKS[objective],
        base=_margins(document, sums),
        trees=tuple(_read(model["trees"][k], np.float32(weights[k]), band) for k in order),
        outputs=tuple((int(outputs[k]),) for k in order),
        compares_in=np.float32,
        band=NO_BAND if band is None else (float(band), float(band)),
    )


def _read(tree: _Json, weight: np.float32, band: np.float32 | None) -> Tree:
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        message = "XGBoost's trees with a value for each class are not compiled"
        raise NotCompilableError(message)
    left, right = (np.array(tree[f"{side}_children"], np.intp) for side in ("left", "right"))
    is_leaf = left < 0
    # A leaf stores its value as its condition.
    conditions = np.array(tree["split_conditions"], np.float32)
    whole = Tree(
        is_leaf=is_leaf,
        column=np.array(tree["split_indices"], np.intp),
        # "Less than the condition" means "at most the number before it".
        threshold=np.nextafter(conditions, np.float32(-np.inf)).astype(np.float64),
        left=left,
        right=right,
        missing_left=np.array(tree["default_left"], np.bool_),
        values=(conditions * weight).astype(np.float64)[:, np.newaxis],
        categories=_categories(tree),
        band_is_missing=None if band is None else ~is_leaf,
    )
    return reordered(whole, in_levels(is_leaf, left, right))


def _categories(tree: _Json) -> dict[int, CategorySplit]:
    """Return splits on categories: listed codes go right, all others left."""
    splits = {}
    parts = (tree[f"categories_{part}"] for part in ("nodes", "segments", "sizes"))
    for node, start, size in zip(*parts, strict=True):
        splits[node] = CategorySplit(np.array(tree["categories"][start : start + size], np.int64), listed_left=False)
    if set(splits) != set(np.flatnonzero(np.array(tree["split_type"]) == _BY_CATEGORIES).tolist()):
        message = "the splits on categories of a tree are not those that have some"
        raise InvalidBundleError(message)
    return splits


def _margins(document: _Json, sums: int) -> NDArray[np.float32]:
    """Return XGBoost's start of sums: its output when every tree is a leaf of 0."""
    from xgboost import Booster

    stump = {
        **{f"{side}_children": [-1] for side in ("left", "right")},
        "parents": [2**31 - 1],
        **{name: [0.0] for name in ("split_conditions", "base_weights", "sum_hessian", "loss_changes")},
        **{name: [0] for name in ("split_indices", "split_type", "default_left")},
        **{name: [] for name in ("categories", "categories_nodes", "categories_segments", "categories_sizes")},
    }
    learner = document["learner"]
    features = learner["learner_model_param"]["num_feature"]
    sizes = {"num_deleted": "0", "num_feature": features, "num_nodes": "1", "size_leaf_vector": "1"}
    model = {
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(sums)},
        "iteration_indptr": [0, sums],
        "tree_info": list(range(sums)),
        "trees": [{**stump, "id": k, "tree_param": sizes} for k in range(sums)],
        "cats": {"enc": [], "feature_segments": [], "sorted_idx": []},
    }
    bare = {**learner, "attributes": {}, "feature_names": [], "feature_types": [], "gradient_booster": {"name": "gbtree", "model": model}}
    booster = Booster()
    booster.load_model(bytearray(json.dumps({**document, "learner": bare}).encode()))
    answer: NDArray[np.float32] = booster.inplace_predict(np.zeros((1, int(features))), predict_type="margin").ravel()
    return answer
