"""From a tree ensemble's form to the arrays of the engine that walks its trees.

Imports scikit-learn: for retraining, not for scoring.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.errors import NotCompilableError
from functions.shared.engines.engine import Floats
from functions.shared.engines.forest import CODE_BITS, NEVER, NODE_BITS, Code, ForestModel, pack
from functions.shared.engines.probe import Probe, last_passing
from functions.shared.engines.tree_forms import Tree, TreeForm

MAX_NODES = 4 * 2**20
"""Beyond this the arrays take over 64 MB, and a function's memory is better spent otherwise."""
MAX_THRESHOLDS = 2**16
"""Beyond this it takes minutes to find the numbers that each of them separates."""


def forest_model(form: TreeForm, probe: Probe) -> ForestModel:
    """The ensemble as ranks and nodes.

    Raises:
        NotCompilableError: if it splits on sets of categories, or is larger than the engine takes.
    """
    sizes = [len(tree.is_leaf) for tree in form.trees]
    if any(tree.categories is not None for tree in form.trees):
        message = "a tree of more than 64 leaves splits on sets of categories"
        raise NotCompilableError(message)
    if sum(sizes) > MAX_NODES:
        message = f"the trees have {sum(sizes)} nodes, more than {MAX_NODES}"
        raise NotCompilableError(message)
    thresholds = thresholds_by_feature(form.trees, probe)
    if sum(map(len, thresholds.values())) > MAX_THRESHOLDS:
        message = f"the trees have {sum(map(len, thresholds.values()))} distinct thresholds, more than {MAX_THRESHOLDS}"
        raise NotCompilableError(message)
    columns = np.unique(np.concatenate([tree.column[~tree.is_leaf] for tree in form.trees])).tolist()
    used = {probe.columns[column].feature for column in columns}
    edges = last_passing(probe, thresholds, form.compares_in)
    bins = {feature.name: probe.bins(feature, edges.get(feature.name)) for feature in probe.features if feature.name in used}
    with np.errstate(over="ignore"):
        values = probe.values({name: inside for name, (_, inside) in bins.items()}).astype(form.compares_in)
    places = {feature.name: place for place, feature in enumerate(probe.features)}
    codes: list[Code] = []
    distinct: dict[int, NDArray[np.floating]] = {}
    for column in columns:
        name = probe.columns[column].feature
        of_bins = values[: bins[name][0].size, column]
        distinct[column] = np.unique(of_bins[~np.isnan(of_bins)])
        # NaN sorts after all numbers, so its rank is above theirs; below them is 0.
        above = np.searchsorted(distinct[column], of_bins).astype(np.int32) + 1
        codes += [Code(places[name], above), Code(places[name], np.where(np.isnan(of_bins), np.int32(0), above))]
    if len(codes) > 1 << CODE_BITS or max(map(len, distinct.values())) + 1 >= NEVER or sum(sizes) >= 1 << NODE_BITS:
        message = "the trees compare more columns or values than a node has bits for"
        raise NotCompilableError(message)
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    packed = [_packed(tree, int(root), columns, distinct) for tree, root in zip(form.trees, roots, strict=True)]
    return ForestModel(
        link=form.link,
        base=form.base,
        bins=tuple((places[name], feature_bins) for name, (feature_bins, _) in bins.items()),
        codes=tuple(codes),
        nodes=np.concatenate([nodes for nodes, _ in packed]),
        roots=roots,
        first_sums=np.array([outputs[0] for outputs in form.outputs], dtype=np.int64),
        values=np.concatenate([leaf_values for _, leaf_values in packed]),
    )


def thresholds_by_feature(trees: Sequence[Tree], probe: Probe) -> dict[str, NDArray[np.void]]:
    """By number feature, the distinct (column, threshold) pairs at which a column that follows a line is compared."""
    record = np.dtype([("column", np.intp), ("threshold", np.float64)])
    parts = [np.empty(0, record)]
    for tree in trees:
        compared = tree.has_thresholds()
        pairs = np.empty(int(compared.sum()), record)
        pairs["column"], pairs["threshold"] = tree.column[compared], tree.threshold[compared]
        parts.append(pairs)
    pairs = np.unique(np.concatenate(parts))
    by_feature = {}
    for feature in probe.features:
        columns = [column for column in probe.columns_of(feature) if probe.columns[column].line is not None]
        chosen = pairs[np.isin(pairs["column"], columns)]
        if len(chosen):
            by_feature[feature.name] = chosen
    return by_feature


def _packed(tree: Tree, root: int, columns: Sequence[int], distinct: dict[int, NDArray[np.floating]]) -> tuple[NDArray[np.int64], Floats]:
    """A tree's nodes and leaf values, level by level, siblings side by side."""
    order = _by_level(tree)
    is_leaf = tree.is_leaf[order]
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    left = root + np.where(is_leaf, np.arange(len(order)), place[tree.left[order]])
    number = np.searchsorted(columns, np.where(is_leaf, columns[0], tree.column[order]))
    rank = np.full(len(order), NEVER)
    for k, column in enumerate(columns):
        compared = (number == k) & ~is_leaf
        rank[compared] = np.searchsorted(distinct[column], tree.threshold[order][compared], side="right")
    code = 2 * number + tree.missing_left[order]
    return pack(code, rank, left), np.where(is_leaf[:, np.newaxis], tree.values[order], 0.0)


def _by_level(tree: Tree) -> NDArray[np.intp]:
    """All nodes, the root first, then its children, then theirs; each left child just before its right sibling."""
    levels = [np.zeros(1, np.intp)]
    while len(inner := levels[-1][~tree.is_leaf[levels[-1]]]):
        levels.append(np.stack([tree.left[inner], tree.right[inner]], axis=1).ravel())
    return np.concatenate(levels)
