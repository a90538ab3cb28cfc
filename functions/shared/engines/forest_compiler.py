"""From a tree ensemble's form to the arrays of the engine that walks its trees.

Imports scikit-learn: for retraining, not for scoring.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.errors import NotCompilableError
from functions.shared.engines.bins import Bins
from functions.shared.engines.engine import Floats
from functions.shared.engines.forest import CODE_BITS, NEVER, NODE_BITS, Code, ForestModel, pack
from functions.shared.engines.probe import Probe, last_passing
from functions.shared.engines.tree_forms import Tree, TreeForm

MAX_BYTES = 256 * 2**20
"""Of nodes and leaf values; beyond this a function's memory is better spent otherwise."""
STRETCH = NEVER
"""Ranks that one code tells apart."""
MAX_THRESHOLDS = 2**22
"""Beyond this it takes minutes to find the numbers that each of them separates."""


@dataclass(frozen=True, slots=True)
class _Column:
    """One column as codes: the values that bins give it, in order, and where its codes begin, two for each stretch of ranks."""

    distinct: NDArray[np.floating[Any]]
    first_code: int

    def codes(self, feature: int, of_bins: NDArray[np.floating[Any]]) -> list[Code]:
        """Its codes, given the value in each bin of the feature that decides it."""
        # NaN sorts after all numbers, so its rank is above theirs; below them is 0.
        above = np.searchsorted(self.distinct, of_bins) + 1
        below = np.where(np.isnan(of_bins), 0, above)
        stretches = np.arange(0, len(self.distinct) + 1, STRETCH)
        return [Code(feature, (ranks - start).clip(0, STRETCH).astype(np.uint16)) for start in stretches for ranks in (above, below)]

    def compared(self, thresholds: Floats, missing_left: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The code that each split on this column looks at, and the highest rank that goes left."""
        stretch, rank = np.divmod(np.searchsorted(self.distinct, thresholds, side="right"), STRETCH)
        return self.first_code + 2 * stretch + missing_left, rank


def forest_model(form: TreeForm, probe: Probe) -> ForestModel:
    """The ensemble as ranks and nodes.

    Raises:
        NotCompilableError: if it splits on sets of categories, or is larger than the engine takes.
    """
    thresholds = steps_by_feature(form, probe)
    sizes = [len(tree.is_leaf) for tree in form.trees]
    _check(form, sum(sizes), sum(map(len, thresholds.values())))
    columns = np.unique(np.concatenate([tree.column[~tree.is_leaf] for tree in form.trees])).tolist()
    used = {probe.columns[column].feature for column in columns}
    edges = last_passing(probe, thresholds, form.compares_in)
    bins = {feature.name: probe.bins(feature, edges.get(feature.name)) for feature in probe.features if feature.name in used}
    coded, codes = _coded(columns, bins, probe, form.compares_in)
    if len(codes) > 1 << CODE_BITS:
        message = f"the trees compare more columns than a node has bits for: {len(columns)}"
        raise NotCompilableError(message)
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    packed = [_packed(tree, int(root), coded) for tree, root in zip(form.trees, roots, strict=True)]
    places = {feature.name: place for place, feature in enumerate(probe.features)}
    return ForestModel(
        link=form.link,
        base=form.base,
        divisor=form.divisor,
        bins=tuple((places[name], feature_bins) for name, (feature_bins, _) in bins.items()),
        codes=tuple(codes),
        nodes=np.concatenate([nodes for nodes, _ in packed]),
        roots=roots,
        first_sums=np.array([outputs[0] for outputs in form.outputs], dtype=np.int64),
        values=np.concatenate([leaf_values for _, leaf_values in packed]),
    )


def _check(form: TreeForm, nodes: int, thresholds: int) -> None:
    size = 8 * nodes * (1 + form.trees[0].values.shape[1])
    if any(tree.categories for tree in form.trees):
        message = "the trees split on sets of categories, and are too large for tables of masks"
    elif size > MAX_BYTES or nodes >= 1 << NODE_BITS:
        message = f"the trees take {size >> 20} MiB, more than {MAX_BYTES >> 20}"
    elif thresholds > MAX_THRESHOLDS:
        message = f"the trees have {thresholds} distinct thresholds, more than {MAX_THRESHOLDS}"
    else:
        return
    raise NotCompilableError(message)


def _coded(
    columns: Sequence[int], bins: Mapping[str, tuple[Bins, NDArray[Any]]], probe: Probe, cast: type[np.floating[Any]]
) -> tuple[dict[int, _Column], list[Code]]:
    with np.errstate(over="ignore"):
        values = probe.values({name: inside for name, (_, inside) in bins.items()}).astype(cast)
    places = {feature.name: place for place, feature in enumerate(probe.features)}
    coded: dict[int, _Column] = {}
    codes: list[Code] = []
    for column in columns:
        name = probe.columns[column].feature
        of_bins = values[: bins[name][0].size, column]
        coded[column] = _Column(np.unique(of_bins[~np.isnan(of_bins)]), len(codes))
        codes += coded[column].codes(places[name], of_bins)
    return coded, codes


def steps_by_feature(form: TreeForm, probe: Probe) -> dict[str, NDArray[np.void]]:
    """By number feature, the distinct (column, threshold) pairs at which a column that follows a line is compared."""
    record = np.dtype([("column", np.intp), ("threshold", np.float64)])
    steps = [form.steps(tree) for tree in form.trees]
    columns, values = (np.concatenate(parts) for parts in zip(*steps, strict=True))
    by_feature = {}
    for feature in probe.features:
        parts = []
        for column in probe.columns_of(feature):
            if probe.columns[column].line is not None:
                distinct = np.unique(values[columns == column])
                parts.append(np.empty(len(distinct), record))
                parts[-1]["column"], parts[-1]["threshold"] = column, distinct
        if sum(map(len, parts)):
            by_feature[feature.name] = np.concatenate(parts)
    return by_feature


def _packed(tree: Tree, root: int, coded: Mapping[int, _Column]) -> tuple[NDArray[np.int64], Floats]:
    """A tree's nodes and leaf values, level by level, siblings side by side."""
    order = _by_level(tree)
    is_leaf, column = tree.is_leaf[order], tree.column[order]
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    left = root + np.where(is_leaf, np.arange(len(order)), place[tree.left[order]])
    code, rank = np.zeros(len(order), np.intp), np.full(len(order), NEVER)
    for number in np.unique(column[~is_leaf]).tolist():
        split = (column == number) & ~is_leaf
        code[split], rank[split] = coded[number].compared(tree.threshold[order][split], tree.missing_left[order][split])
    return pack(code, rank, left), np.where(is_leaf[:, np.newaxis], tree.values[order], 0.0)


def _by_level(tree: Tree) -> NDArray[np.intp]:
    """All nodes, the root first, then its children, then theirs; each left child just before its right sibling."""
    levels = [np.zeros(1, np.intp)]
    while len(inner := levels[-1][~tree.is_leaf[levels[-1]]]):
        levels.append(np.stack([tree.left[inner], tree.right[inner]], axis=1).ravel())
    return np.concatenate(levels)
