"""Compile a tree ensemble's form into arrays of the engine that walks its trees.

Imports scikit-learn: for retraining, not for scoring.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.errors import NotCompilableError
from functions.shared.engines.engine import Floats, Reals
from functions.shared.engines.forest import CODE_BITS, NEVER, NODE_BITS, RANK_BITS, Code, ForestModel, Votes, pack, packed_sets
from functions.shared.engines.probe import Probe, last_passing
from functions.shared.engines.tree_forms import Tree, TreeForm

MAX_BYTES = 256 * 2**20
"""Limit on nodes and leaf values, to save the function's memory."""
STRETCH = NEVER
"""Ranks that one code can distinguish."""
SETS_OF_A_CODE = NEVER
"""Sets of categories that one code can distinguish."""
MAX_THRESHOLDS = 2**22
"""Limit on thresholds: with more, finding the numbers that they separate takes minutes."""


@dataclass(frozen=True, slots=True)
class _Column:
    """One column as codes: its possible values, in order, and where its codes begin.

    Each range of ranks has two codes, or four if the ensemble's band is missing for some splits and not for others.
    """

    distinct: NDArray[np.floating[Any]]
    first_code: int
    band: tuple[float, float] | None

    def codes(self, feature: int, of_bins: NDArray[np.floating[Any]]) -> list[Code]:
        """Return the column's codes, given its value in each bin of its feature."""
        # NaN sorts after all numbers, so its rank is above theirs; the rank below them is 0.
        ranks = np.searchsorted(self.distinct, of_bins) + 1
        missing = [np.isnan(of_bins)]
        if self.band is not None:
            missing.append(missing[0] | ((of_bins >= self.band[0]) & (of_bins <= self.band[1])))
        ways = [np.where(gone, instead, ranks) for gone in missing for instead in (len(self.distinct) + 1, 0)]
        stretches = np.arange(0, len(self.distinct) + 1, STRETCH)
        return [Code(feature, (way - start).clip(0, STRETCH).astype(np.uint16)) for start in stretches for way in ways]

    def compared(
        self, thresholds: Floats, missing_left: NDArray[np.bool_], banded: NDArray[np.bool_]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return each split's code on this column, and the highest rank that goes left."""
        stretch, rank = np.divmod(np.searchsorted(self.distinct, thresholds, side="right"), STRETCH)
        return self.first_code + (2 if self.band is None else 4) * stretch + 2 * banded + missing_left, rank


def forest_model(form: TreeForm, probe: Probe, *, votes: bool = False) -> ForestModel:
    """Convert the ensemble to ranks and nodes.

    Args:
        form: the ensemble.
        probe: what its features become.
        votes: whether to keep the first of two classes' probability, where there is one.

    Raises:
        NotCompilableError: if it exceeds a limit of the engine.
    """
    thresholds = steps_by_feature(form, probe)
    sizes = [len(tree.is_leaf) for tree in form.trees]
    _check(form, sum(sizes), sum(map(len, thresholds.values())))
    columns = np.unique(np.concatenate([tree.column[~tree.is_leaf] for tree in form.trees])).tolist()
    used = {probe.columns[column].feature for column in columns}
    edges = last_passing(probe, thresholds, form.compares_in)
    bins = {feature.name: probe.bins(feature, edges.get(feature.name)) for feature in probe.features if feature.name in used}
    with np.errstate(over="ignore"):
        of_bins = probe.values({name: inside for name, (_, inside) in bins.items()}).astype(form.compares_in)
    places = {feature.name: place for place, feature in enumerate(probe.features)}
    of_column = {}
    for column in columns:
        name = probe.columns[column].feature
        of_column[column] = places[name], of_bins[: bins[name][0].size, column]
    coded, codes = _coded(form, of_column)
    asked, with_sets = _asked(form, of_column, len(codes))
    if len(codes) + len(with_sets) > 1 << CODE_BITS:
        message = f"the trees compare more columns than a node has bits for: {len(columns)}"
        raise NotCompilableError(message)
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    packed = [_packed(tree, int(root), coded, sets) for tree, root, sets in zip(form.trees, roots, asked, strict=True)]
    values = np.concatenate([leaf_values for _, leaf_values in packed]).astype(form.base.dtype)
    return ForestModel(
        link=form.link,
        base=form.base,
        divisor=form.divisor,
        scale=form.scale,
        bins=tuple((places[name], feature_bins) for name, (feature_bins, _) in bins.items()),
        codes=(*codes, *with_sets),
        nodes=np.concatenate([nodes for nodes, _ in packed]),
        roots=roots,
        first_sums=np.array([outputs[0] for outputs in form.outputs], dtype=np.int64),
        values=values,
        votes=_votes(form.trees, values[:, 0]) if votes else None,
    )


def _votes(trees: Sequence[Tree], second_class: Reals) -> Votes | None:
    """Return the first class's probabilities, if trees have them.

    Args:
        trees: the ensemble's trees.
        second_class: the second class's probabilities at all nodes, as they are packed.
    """
    found = [np.where(tree.is_leaf, tree.first_class, 1.0)[_by_level(tree)] for tree in trees if tree.first_class is not None]
    if not found:
        return None
    first_class = np.concatenate(found)
    nodes = np.flatnonzero(first_class != 1.0 - second_class)
    return Votes(nodes, first_class[nodes])


def _check(form: TreeForm, nodes: int, thresholds: int) -> None:
    size = 8 * nodes * (1 + form.trees[0].values.shape[1])
    if size > MAX_BYTES or nodes >= 1 << NODE_BITS:
        message = f"the trees take {size >> 20} MiB, more than {MAX_BYTES >> 20}"
    elif thresholds > MAX_THRESHOLDS:
        message = f"the trees have {thresholds} distinct thresholds, more than {MAX_THRESHOLDS}"
    else:
        return
    raise NotCompilableError(message)


type _OfColumn = Mapping[int, tuple[int, NDArray[np.floating[Any]]]]
"""Per column, the position of its feature, and the column's value in each bin of the feature."""


def _coded(form: TreeForm, of_column: _OfColumn) -> tuple[dict[int, _Column], list[Code]]:
    """Return the columns that thresholds compare, and their codes."""
    compared = {column for tree in form.trees for column in tree.column[tree.has_thresholds()].tolist()}
    banded = {column for tree in form.trees for column in tree.column[tree.in_any_band()].tolist()}
    coded: dict[int, _Column] = {}
    codes: list[Code] = []
    for column, (feature, of_bins) in of_column.items():
        if column in compared:
            distinct = np.unique(of_bins[~np.isnan(of_bins)])
            coded[column] = _Column(distinct, len(codes), form.band if column in banded else None)
            codes += coded[column].codes(feature, of_bins)
    return coded, codes


type _Asked = dict[int, tuple[int, int]]
"""Per node that splits on categories, its code and the number of its set there."""


def _asked(form: TreeForm, of_column: _OfColumn, first_code: int) -> tuple[list[_Asked], list[Code]]:
    """Return the codes and sets of each tree's splits on categories, and all codes.

    The first code has the number `first_code`.
    """
    numbers: dict[int, dict[bytes, int]] = {}
    places: list[_Asked] = []
    for tree in form.trees:
        places.append({})
        for node in tree.categories:
            column = int(tree.column[node])
            right = packed_sets(~form.goes_left(tree, node, of_column[column][1])[np.newaxis])
            known = numbers.setdefault(column, {})
            places[-1][node] = column, known.setdefault(right.tobytes(), len(known))
    codes: list[Code] = []
    first_codes = {}
    for column, known in sorted(numbers.items()):
        first_codes[column] = first_code + len(codes)
        feature, of_bins = of_column[column]
        sets = np.frombuffer(b"".join(known), np.uint64).reshape(len(known), -1)
        if len(of_bins) > 1 << RANK_BITS:
            message = f"the trees split on {len(of_bins)} categories, more than {1 << RANK_BITS}"
            raise NotCompilableError(message)
        ranks = np.arange(len(of_bins), dtype=np.uint16)
        codes += [Code(feature, ranks, sets[start : start + SETS_OF_A_CODE]) for start in range(0, len(sets), SETS_OF_A_CODE)]
    asked = [
        {node: (first_codes[column] + number // SETS_OF_A_CODE, number % SETS_OF_A_CODE) for node, (column, number) in of_tree.items()}
        for of_tree in places
    ]
    return asked, codes


def steps_by_feature(form: TreeForm, probe: Probe) -> dict[str, NDArray[np.void]]:
    """Return each number feature's (column, threshold) pairs on columns with a line."""
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


def _packed(tree: Tree, root: int, coded: Mapping[int, _Column], asked: _Asked) -> tuple[NDArray[np.int64], Floats]:
    """Return a tree's nodes and leaf values, level by level, siblings side by side."""
    order = _by_level(tree)
    is_leaf, column, compares, banded = (of[order] for of in (tree.is_leaf, tree.column, tree.has_thresholds(), tree.in_any_band()))
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    left = root + np.where(is_leaf, np.arange(len(order)), place[tree.left[order]])
    code, rank = np.zeros(len(order), np.intp), np.full(len(order), NEVER)
    for number in np.unique(column[compares]).tolist():
        split = (column == number) & compares
        code[split], rank[split] = coded[number].compared(tree.threshold[order][split], tree.missing_left[order][split], banded[split])
    for node, (asked_code, asked_set) in asked.items():
        code[place[node]], rank[place[node]] = asked_code, asked_set
    return pack(code, rank, left), np.where(is_leaf[:, np.newaxis], tree.values[order], 0.0)


def _by_level(tree: Tree) -> NDArray[np.intp]:
    """Return all nodes level by level; each left child comes just before its sibling."""
    levels = [np.zeros(1, np.intp)]
    while len(inner := levels[-1][~tree.is_leaf[levels[-1]]]):
        levels.append(np.stack([tree.left[inner], tree.right[inner]], axis=1).ravel())
    return np.concatenate(levels)
