"""LightGBM's estimators, with three kinds of missing values and category sets."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.errors import InvalidBundleError, NotCompilableError
from functions.shared.domain.spec import FeatureKind, ModelSpec
from functions.shared.engines.families import lightgbm_files
from functions.shared.engines.families.family import Family
from functions.shared.engines.families.inputs import Inputs
from functions.shared.engines.tree_forms import CategorySplit, Tree, TreeForm, in_levels, reordered

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer

ZERO = float(np.float32(1e-35))
"""LightGBM treats numbers this close to 0 as 0; for some splits, 0 is a missing value."""
_CATEGORICAL, _DEFAULT_LEFT, _MISSING_IS_ZERO, _MISSING_IS_NAN = 1, 2, 1, 2
"""A node's `decision_type`: two flags, then two bits for what counts as missing: nothing, 0 or NaN."""
_LINKS = {
    **dict.fromkeys(("binary", "cross_entropy", "multiclassova"), "expit"),
    "multiclass": "softmax",
    **dict.fromkeys(("poisson", "gamma", "tweedie"), "exp"),
    **dict.fromkeys(("regression", "regression_l1", "huber", "fair", "quantile", "mape"), "identity"),
}

type _Fields = dict[str, str]


class _LightGBM(Family):
    backend = "lightgbm"
    library = "LightGBM"
    trusted_types = (
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
    )
    threaded = True

    def parameters(self, made: type) -> Collection[str]:
        from lightgbm.basic import _ConfigAliases

        aliases = _ConfigAliases._get_all_param_aliases()  # noqa: SLF001 - its only list of them
        further = {name for main, others in aliases.items() for name in (main, *others)}
        return [*made().get_params(), *sorted(further)]

    def arguments(self, made: type, spec: ModelSpec) -> Mapping[str, object]:  # noqa: ARG002 - alike for all
        from functions.shared.engines.families.columns import by_position

        given = {**spec.parameters, **by_position(spec)}
        own: dict[str, object] = {"random_state": spec.seed, "verbosity": -1, "deterministic": True}
        if not {"force_col_wise", "force_row_wise"} & set(given):
            # By default it times both algorithms, and chooses the one that was faster this time.
            own["force_row_wise"] = True
        if given.get("boosting_type") == "rf":
            # Its trees differ only by the rows or columns that they are fitted on.
            own |= {"subsample": 0.632, "subsample_freq": 1}
        return {**own, **given}

    def columns(self, model: Any, spec: ModelSpec, empty: Collection[str]) -> "ColumnTransformer":  # noqa: ARG002 - needs no value
        from functions.shared.engines.families.columns import native_columns

        self.take_codes(model, range(sum(feature.kind is FeatureKind.CATEGORY for feature in spec.features)))
        return native_columns(spec)

    def estimator_in(self, body: bytes) -> Any | None:
        if not lightgbm_files.is_ours(body):
            return None
        text = lightgbm_files.text_of(body)
        _check(text)
        return lightgbm_files.estimator_in(text)

    def inputs(self, model: Any) -> Inputs | None:
        return lightgbm_files.inputs(model) if hasattr(model, "booster_") else None

    def take_codes(self, model: Any, coded: Collection[int]) -> None:
        if coded:
            # A clone keeps this alias, since it is an ordinary parameter; the usual name is only an argument of `fit`.
            model.set_params(categorical_column=sorted(coded))
        # Otherwise LightGBM warns about each batch of plain numbers.
        model._fitted_with_feature_names = False  # noqa: SLF001 - nothing else says so

    def fitting(self) -> AbstractContextManager[None]:
        return _errors_as_others_have_them()

    def tree_form(self, model: Any) -> TreeForm | None:
        if f"{type(model).__module__}.{type(model).__name__}" not in self.trusted_types:
            return None
        # Up to the best iteration that early stopping found, as `predict` does.
        return _form(model.booster_.model_to_string(importance_type="split"))

    def check(self, model: Any) -> None:
        """Check trees' children: LightGBM does not, and a bad index crashes the process."""
        if hasattr(model, "booster_"):
            _check(model.booster_.model_to_string(num_iteration=-1))


LIGHTGBM = _LightGBM()


@contextmanager
def _errors_as_others_have_them() -> Iterator[None]:
    from lightgbm.basic import LightGBMError

    try:
        yield
    except LightGBMError as error:
        raise ValueError(str(error)) from error


def _check(text: str) -> None:
    """Check that the trees of a model as text are complete and use existing columns.

    Raises:
        InvalidBundleError: if they do not.
    """
    try:
        header, trees = _parsed(text)
        last = max((int(_read(tree).column.max()) for tree in trees), default=0)
        columns = int(header["max_feature_idx"])
    except (LookupError, ValueError) as error:
        message = f"a tree of the model is not sound: {error}"
        raise InvalidBundleError(message) from error
    if last > columns:
        message = "a tree of the model looks at a column that there is not"
        raise InvalidBundleError(message)


def _form(text: str) -> TreeForm:
    """Return the form of a model as text."""
    header, trees = _parsed(text)
    link, scale = _link(header.get("objective", "custom"))
    if any(tree.get("is_linear") == "1" for tree in trees):
        message = "LightGBM's linear models in leaves are not compiled"
        raise NotCompilableError(message)
    sums = int(header["num_tree_per_iteration"])
    # The trees of each sum come together, in order.
    order = [k for output in range(sums) for k in range(output, len(trees), sums)]
    return TreeForm(
        link=link,
        base=np.zeros(sums),
        trees=tuple(_read(trees[k]) for k in order),
        outputs=tuple((k % sums,) for k in order),
        compares_in=np.float64,
        divisor=len(trees) / sums if "average_output" in header else 1.0,
        scale=scale,
        band=(-ZERO, ZERO),
    )


def _parsed(text: str) -> tuple[_Fields, list[_Fields]]:
    """Parse the lines before a model's trees, and those of each tree, as fields."""
    # LightGBM 2 wrote no mark where the trees end.
    before, *after = re.split(r"\nend of trees|\nfeature importances:", text, maxsplit=1)
    if not after:
        message = "its text ends before its trees do"
        raise ValueError(message)
    header, *trees = before.split("\nTree=")
    return _fields(header), [_fields(tree) for tree in trees]


def _fields(lines: str) -> _Fields:
    parts = (line.partition("=") for line in lines.splitlines())
    return {name: value for name, _, value in parts}


def _link(objective: str) -> tuple[str, float]:
    """Return the link and the scale of an objective such as `binary sigmoid:1`."""
    name, *settings = objective.split()
    if name not in _LINKS:
        message = f"LightGBM's objective {name} is not compiled"
        raise NotCompilableError(message)
    given = dict(setting.partition(":")[::2] for setting in settings)
    link = "signed_square" if "sqrt" in given else _LINKS[name]
    return link, float(given.get("sigmoid", 1.0))


def _read(fields: _Fields) -> Tree:
    leaves = int(fields["num_leaves"])
    splits = leaves - 1
    # Splits come first, then leaves. A negative child is a leaf: -1 is the first leaf.
    left, right = (_children(fields.get(f"{side}_child", ""), splits) for side in ("left", "right"))
    decision = _numbers(fields.get("decision_type", ""), np.int64)
    threshold = _around_zero(_numbers(fields.get("threshold", ""), np.float64))
    missing, is_categorical = decision >> 2 & 3, decision & _CATEGORICAL == _CATEGORICAL
    # Where nothing counts as missing, NaN is compared like 0.
    missing_left = np.where(missing == 0, threshold >= 0, decision & _DEFAULT_LEFT == _DEFAULT_LEFT) & ~is_categorical
    of_leaves = np.zeros(leaves, np.intp)
    whole = Tree(
        is_leaf=np.arange(splits + leaves) >= splits,
        column=np.concatenate([_numbers(fields.get("split_feature", ""), np.intp), of_leaves]),
        threshold=np.concatenate([threshold, of_leaves]),
        left=np.concatenate([left, of_leaves]),
        right=np.concatenate([right, of_leaves]),
        missing_left=np.concatenate([missing_left, of_leaves == 1]),
        values=np.concatenate([np.zeros(splits), _numbers(fields["leaf_value"], np.float64)])[:, np.newaxis],
        categories=_categories(fields, threshold, np.flatnonzero(is_categorical)),
        band_is_missing=np.concatenate([(missing == _MISSING_IS_ZERO) & ~is_categorical, of_leaves == 1]),
    )
    return reordered(whole, in_levels(whole.is_leaf, whole.left, whole.right))


def _children(text: str, splits: int) -> NDArray[np.intp]:
    children = _numbers(text, np.intp)
    return np.where(children < 0, splits + ~children, children)


def _around_zero(threshold: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move thresholds so that numbers LightGBM treats as 0 go the same way as 0."""
    passing = np.where((threshold >= 0) & (threshold < ZERO), ZERO, threshold)
    return np.where((threshold >= -ZERO) & (threshold < 0), np.nextafter(-ZERO, -1.0), passing)


def _numbers[Number: np.generic](text: str, kind: type[Number]) -> NDArray[Number]:
    return np.array(text.split(), kind)


def _categories(fields: _Fields, threshold: NDArray[np.float64], nodes: NDArray[np.intp]) -> dict[int, CategorySplit]:
    """Return splits on categories: codes whose bit is set go left, all others right.

    Missing values and codes unseen in training go right too.
    """
    if not len(nodes):
        return {}
    ends = _numbers(fields["cat_boundaries"], np.intp)
    words = _numbers(fields["cat_threshold"], np.uint32).astype("<u4")
    splits = {}
    for node in nodes.tolist():
        start, end = ends[int(threshold[node]) : int(threshold[node]) + 2]
        codes = np.flatnonzero(np.unpackbits(words[start:end].view(np.uint8), bitorder="little"))
        # A code is a number truncated towards 0, so that -0.5 has code 0.
        splits[node] = CategorySplit(codes, listed_left=True, zero_from=np.nextafter(-1.0, 0.0))
    return splits
