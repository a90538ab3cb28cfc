"""Express scikit-learn's fitted tree ensembles in the common form."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from functions.shared.domain.errors import NotCompilableError
from functions.shared.engines.engine import Floats
from functions.shared.engines.tree_forms import CategorySplit, Flags, Tree, TreeForm


def tree_form(model: Any) -> TreeForm | None:
    """Return the form of a fitted estimator; None if it is of no known kind.

    Raises:
        NotCompilableError: if a part of it cannot be expressed in this form.
    """
    rule = _RULES.get(type(model))
    return None if rule is None else rule(model)


def _histogram(link: Callable[[Any], str], model: Any) -> TreeForm:
    known_bits, known_row = model._bin_mapper.make_known_categories_bitsets()  # noqa: SLF001 - no public form
    known = _bits(known_bits)[known_row] if len(known_bits) else np.zeros((0, 256), dtype=np.bool_)
    rounds = model._predictors  # noqa: SLF001
    sums = range(model.n_trees_per_iteration_)
    return TreeForm(
        link=link(model),
        base=np.asarray(model._baseline_prediction, dtype=np.float64).ravel(),  # noqa: SLF001
        trees=tuple(_histogram_tree(trees[k], known) for k in sums for trees in rounds),
        outputs=tuple((k,) for k in sums for _ in rounds),
        compares_in=np.float64,
        preprocessor=model._preprocessor,  # noqa: SLF001
    )


def _histogram_tree(predictor: Any, known: Flags) -> Tree:
    """Convert a tree; `known` flags each column's codes in training, (columns, 256)."""
    nodes = predictor.nodes
    left = _bits(predictor.raw_left_cat_bitsets)
    categories = {}
    for node in np.flatnonzero((nodes["is_categorical"] == 1) & (nodes["is_leaf"] == 0)).tolist():
        # A negative or unknown code is treated as missing.
        goes_left, missing_left = left[nodes["bitset_idx"][node]], nodes["missing_go_to_left"][node] == 1
        listed = known[nodes["feature_idx"][node]] & ~goes_left if missing_left else goes_left
        categories[node] = CategorySplit(np.flatnonzero(listed), listed_left=not missing_left)
    return Tree(
        is_leaf=nodes["is_leaf"] == 1,
        column=nodes["feature_idx"].astype(np.intp),
        threshold=nodes["num_threshold"].astype(np.float64),
        left=nodes["left"].astype(np.intp),
        right=nodes["right"].astype(np.intp),
        missing_left=nodes["missing_go_to_left"] == 1,
        values=nodes["value"].astype(np.float64)[:, np.newaxis],
        categories=categories,
    )


def _bits(words: NDArray[np.uint32]) -> Flags:
    """Expand bit sets of eight 32-bit words to flags of shape (sets, 256)."""
    octets = np.ascontiguousarray(words, dtype="<u4").view(np.uint8)
    return np.unpackbits(octets, axis=1, bitorder="little").astype(np.bool_)


def _boosted(link: Callable[[Any], str], model: Any) -> TreeForm:
    if not isinstance(model.init_, str) and type(model.init_).__name__ not in ("DummyClassifier", "DummyRegressor"):
        message = f"{type(model).__name__} with init={type(model.init_).__name__} is not compiled"
        raise NotCompilableError(message)
    any_row = np.zeros((1, model.n_features_in_), dtype=np.float32)
    rounds, sums = model.estimators_, range(model.estimators_.shape[1])
    return TreeForm(
        link=link(model),
        base=np.asarray(model._raw_predict_init(any_row), dtype=np.float64).ravel(),  # noqa: SLF001
        trees=tuple(_tree(stage[k].tree_, stage[k].tree_.value[:, 0, :] * model.learning_rate) for k in sums for stage in rounds),
        outputs=tuple((k,) for k in sums for _ in rounds),
        compares_in=np.float32,
    )


def _averaged(model: Any) -> TreeForm:
    members = getattr(model, "estimators_", [model])
    classes = getattr(model, "classes_", None)
    # Of two classes, the second's probability is the score; the first's is needed where they may be equal.
    binary = classes is not None and _is_binary(model)
    leaves = [(member.tree_, member.tree_.value[:, 0, :]) for member in members]
    trees = tuple(_tree(tree, value[:, 1:], value[:, 0]) if binary else _tree(tree, value) for tree, value in leaves)
    sums = trees[0].values.shape[1]
    return TreeForm(
        link="identity",
        base=np.zeros(sums),
        trees=trees,
        outputs=(tuple(range(sums)),) * len(trees),
        compares_in=np.float32,
        divisor=float(len(trees)),
        in_order=classes is not None and not binary,
    )


def _tree(tree: Any, values: Floats, first_class: Floats | None = None) -> Tree:
    return Tree(
        is_leaf=tree.children_left < 0,
        column=tree.feature.astype(np.intp),
        threshold=tree.threshold.astype(np.float64),
        left=tree.children_left.astype(np.intp),
        right=tree.children_right.astype(np.intp),
        missing_left=np.asarray(tree.missing_go_to_left) == 1,
        values=values,
        first_class=first_class,
    )


def _is_binary(model: Any) -> bool:
    return len(model.classes_) == 2


def _classifier_link(model: Any) -> str:
    if not _is_binary(model):
        return "softmax"
    return "expit_of_twice" if model.loss == "exponential" else "expit"


def _regressor_link(model: Any) -> str:
    return "exp" if model.loss in ("poisson", "gamma") else "identity"


_RULES: Mapping[type, Callable[[Any], TreeForm]] = {
    HistGradientBoostingClassifier: partial(_histogram, _classifier_link),
    HistGradientBoostingRegressor: partial(_histogram, _regressor_link),
    GradientBoostingClassifier: partial(_boosted, _classifier_link),
    GradientBoostingRegressor: partial(_boosted, _regressor_link),
    RandomForestClassifier: _averaged,
    RandomForestRegressor: _averaged,
    ExtraTreesClassifier: _averaged,
    ExtraTreesRegressor: _averaged,
    DecisionTreeClassifier: _averaged,
    DecisionTreeRegressor: _averaged,
    ExtraTreeClassifier: _averaged,
    ExtraTreeRegressor: _averaged,
}
