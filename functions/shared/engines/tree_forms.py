"""One form for fitted tree ensembles of all libraries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.errors import InvalidBundleError
from functions.shared.engines.engine import Floats, Reals

type Nodes = NDArray[np.intp]
type Flags = NDArray[np.bool_]
type Codes = NDArray[np.int64]

NO_BAND = (np.inf, -np.inf)
"""A band that contains no number."""


@dataclass(frozen=True, slots=True)
class CategorySplit:
    """A split on category codes: listed codes go one way, all others the other.

    A number's code is its whole part. Numbers below `zero_from` have no code.
    """

    listed: Codes
    listed_left: bool
    zero_from: float = 0.0

    def goes_left(self, values: NDArray[np.floating[Any]]) -> Flags:
        """Mark the values that go left; none of them may be missing."""
        is_listed = np.isin(np.where(values >= self.zero_from, np.trunc(values), np.nan), self.listed)
        return is_listed if self.listed_left else ~is_listed

    def steps(self) -> Floats:
        """Return the numbers at which the direction of a value may change."""
        codes = np.unique(self.listed)
        first, beyond = codes[~np.isin(codes - 1, codes)], codes[~np.isin(codes + 1, codes)] + 1
        return np.concatenate([np.where(first == 0, self.zero_from, first), beyond]).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Tree:
    """A binary tree as arrays over nodes: the root first, parents before children.

    A node sends a value left if it is at most the threshold. Nodes that split on categories follow `categories` instead. `missing_left`
    is the direction of NaN, and of numbers in the ensemble's band where `band_is_missing`. `values` has shape (nodes, sums of the tree).
    If it holds the probability of the second of two classes, `first_class` may hold the first one's, shape (nodes,).
    """

    is_leaf: Flags
    column: Nodes
    threshold: Floats
    left: Nodes
    right: Nodes
    missing_left: Flags
    values: Floats
    categories: Mapping[int, CategorySplit] = field(default_factory=dict)
    band_is_missing: Flags | None = None
    first_class: Floats | None = None

    def has_thresholds(self) -> Flags:
        """Mark the nodes that compare a number."""
        compares = ~self.is_leaf
        compares[list(self.categories)] = False
        return compares

    def in_any_band(self) -> Flags:
        """Mark the nodes that treat numbers of the band as missing."""
        return np.zeros_like(self.is_leaf) if self.band_is_missing is None else self.band_is_missing & ~self.is_leaf


@dataclass(frozen=True, slots=True)
class TreeForm:
    """The model `link(scale * (base + values of the leaves) / divisor)`.

    `base` has shape (sums,), and values are added tree by tree. `outputs[t][j]` is the sum to which value j of tree t is added. Sums
    are made in the precision of `base`; thresholds are compared in that of `compares_in`. `band` holds the smallest and the largest
    number that nodes may treat as missing. `preprocessor` is a transformer inside the estimator. `in_order` says that the library
    makes the same sums, of all classes, in the same order.
    """

    link: str
    base: Reals
    trees: tuple[Tree, ...]
    outputs: tuple[tuple[int, ...], ...]
    compares_in: type[np.floating[Any]]
    divisor: float = 1.0
    scale: float = 1.0
    band: tuple[float, float] = NO_BAND
    preprocessor: Any = None
    in_order: bool = False

    def goes_left(self, tree: Tree, node: int, values: NDArray[np.floating[Any]]) -> Flags:
        """Mark the values of a node's column that go to its left child."""
        missing = np.isnan(values)
        if tree.in_any_band()[node]:
            missing |= (values >= self.band[0]) & (values <= self.band[1])
        split = tree.categories.get(node)
        left = values <= tree.threshold[node] if split is None else split.goes_left(values)
        chosen: Flags = np.where(missing, tree.missing_left[node], left)
        return chosen

    @property
    def is_exact(self) -> bool:
        """Return whether sums are the library's to the last bit.

        They are if rounded alike, or not at all: with one tree, or pure leaves. Equal probabilities of two classes are then equal.
        """
        if self.link != "identity" or self.base.any():
            return False
        return (
            self.in_order or len(self.trees) == 1 or all(bool(np.isin(tree.values[tree.is_leaf], (0.0, 1.0)).all()) for tree in self.trees)
        )

    def steps(self, tree: Tree) -> tuple[Nodes, Floats]:
        """Return a tree's columns, and for each the last number before a turn."""
        compares, banded = tree.has_thresholds(), tree.in_any_band()
        split = [(tree.column[node], self._before(step)) for node, split in tree.categories.items() for step in split.steps()]
        low, high = self._before(self.band[0]), self.band[1]
        columns = [tree.column[compares], *[tree.column[banded]] * 2, np.array([column for column, _ in split], np.intp)]
        bounds = [np.full(banded.sum(), bound) for bound in (low, high)]
        return np.concatenate(columns), np.concatenate([tree.threshold[compares], *bounds, np.array([step for _, step in split])])

    def _before(self, number: float) -> float:
        """Return the next smaller number, in the precision of comparisons."""
        return float(np.nextafter(self.compares_in(number), self.compares_in(-np.inf)))


def in_levels(is_leaf: Flags, left: Nodes, right: Nodes) -> Nodes:
    """Order a tree's nodes: the root first, parents before children.

    Raises:
        InvalidBundleError: if it is no tree, since a child does not exist or has two parents.
    """
    levels = [np.zeros(1, np.intp)]
    reached = 1
    while len(inner := levels[-1][~is_leaf[levels[-1]]]):
        below = np.concatenate([left[inner], right[inner]])
        reached += len(below)
        if reached > len(is_leaf) or np.any((below <= 0) | (below >= len(is_leaf))):
            message = "a tree of the model points outside itself"
            raise InvalidBundleError(message)
        levels.append(below)
    return np.concatenate(levels)


def reordered(tree: Tree, order: Nodes) -> Tree:
    """Return the tree with its nodes in another order, perhaps without some."""
    place = np.zeros(len(tree.is_leaf), np.intp)
    place[order] = np.arange(len(order))
    return Tree(
        is_leaf=tree.is_leaf[order],
        column=tree.column[order],
        threshold=tree.threshold[order],
        left=place[tree.left[order]],
        right=place[tree.right[order]],
        missing_left=tree.missing_left[order],
        values=tree.values[order],
        categories={int(place[node]): split for node, split in tree.categories.items() if not tree.is_leaf[node]},
        band_is_missing=None if tree.band_is_missing is None else tree.band_is_missing[order],
        first_class=None if tree.first_class is None else tree.first_class[order],
    )
