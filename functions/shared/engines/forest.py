"""The engine of deep trees: every row walks down every tree.

It uses `trees.c` if built, otherwise NumPy, with the same bits as a result.

A feature's bin decides the values of its columns. So a column's value is replaced by its rank among all its values, and a split
compares two small integers. A column has several codes, which differ only for missing values: below all ranks in one, so that a
split sends them left, above all ranks in the other. What counts as missing may depend on the split. If a column has more values
than one code can distinguish, it has codes for each range of them.

Splits on categories use other codes, which are the bins themselves. Instead of a rank, they have a set of bins that go right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.errors import InvalidBundleError
from functions.shared.domain.spec import Feature
from functions.shared.engines.arrays import Arrays
from functions.shared.engines.engine import Backend, Floats, Reals
from functions.shared.engines.links import INVERSE_LINKS, scores
from functions.shared.engines.slots import NumberSlots, Slots, read_slots
from functions.shared.kernels.library import kernel_library
from functions.shared.kernels.trees import ForestKernel, Sets, bins_of

BLOCK_ROWS = 32_768
"""Rows that walk together; with fewer, each tree would be fetched into the cache more often."""
FIRST_STEPS, STEPS = 8, 4
"""Steps before the first check for rows that have reached a leaf, and between checks."""

# A node is one integer, so that a step down fetches memory once: its code, the highest rank that goes left, and the left child.
# In memory it equals the `node` of trees.c.
CODE_BITS, RANK_BITS, NODE_BITS = 16, 16, 31
_RANK, _LEFT = CODE_BITS, CODE_BITS + RANK_BITS
WORD_BITS = 64
NEVER = 2**RANK_BITS - 1
"""Rank of a leaf: no code is above it, so a step from a leaf leads to itself."""

_VOTES = "first_class_nodes"

type Nodes = NDArray[np.int64]
type Ranks = NDArray[np.uint16]
type _Adder = Callable[[Ranks, Reals], None]


@dataclass(frozen=True, slots=True)
class Code:
    """The rank of each bin, for a range of one column and one treatment of missing.

    For splits on categories, `sets` holds the sets of ranks that go right, as `packed_sets` makes them.
    """

    feature: int
    ranks: Ranks
    sets: NDArray[np.uint64] | None = None


@dataclass(frozen=True, slots=True)
class Votes:
    """The first class's probabilities where they are not one less the second's.

    Both are rounded, so at some nodes their sum is not exactly one. Equal votes of a forest are decided by such last digits.
    """

    nodes: NDArray[np.int64]
    first_class: Reals

    def of_all(self, second_class: Reals) -> Reals:
        """Return the first class's probability at each node, given the second's."""
        first_class: Reals = np.subtract(1.0, second_class)
        first_class[self.nodes] = self.first_class
        return first_class


@dataclass(frozen=True, slots=True)
class ForestModel:
    """An ensemble over raw features: `link(scale * (base + leaf values) / divisor)`.

    `link` names one of `INVERSE_LINKS`. `base` has shape (sums,). Sums are made in its precision, which values have too. Codes with
    sets come last. `nodes` holds all trees one after another; a right child follows its left sibling. `values` has shape (nodes,
    width): tree t adds its leaf's values to the raw sums from `first_sums[t]` on. `votes` are those of a classifier whose two classes
    may be equally probable.
    """

    link: str
    base: Reals
    divisor: float
    scale: float
    bins: tuple[tuple[int, Slots], ...]
    codes: tuple[Code, ...]
    nodes: Nodes
    roots: NDArray[np.int64]
    first_sums: NDArray[np.int64]
    values: Reals
    votes: Votes | None = None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that `ForestEngine` reads."""
        stored: dict[str, NDArray[Any]] = {
            "link": np.array(self.link),
            "base": self.base,
            "divisor": np.array([self.divisor]),
            **({} if self.scale == 1.0 else {"scale": np.array([self.scale])}),
            "features": np.array([feature for feature, _ in self.bins], dtype=np.int64),
            "code_features": np.array([code.feature for code in self.codes], dtype=np.int64),
            "nodes": self.nodes,
            "roots": self.roots,
            "first_sums": self.first_sums,
            "values": self.values,
        }
        for feature, bins in self.bins:
            stored |= bins.arrays(feature)
        for k, code in enumerate(self.codes):
            stored[f"ranks_{k}"] = code.ranks.astype(np.int64)
            if code.sets is not None:
                stored[f"sets_{k}"] = code.sets
        if self.votes is not None:
            stored |= {_VOTES: self.votes.nodes, "first_class": self.votes.first_class}
        return stored

    def sets(self) -> Sets | None:
        """Return the sets of all codes, concatenated; None if no code has any."""
        packed = [code.sets for code in self.codes if code.sets is not None]
        if not packed:
            return None
        sizes = np.array([words.size for words in packed], np.int64)
        bits = np.concatenate([words.ravel() for words in packed])
        return Sets(
            first_code=len(self.codes) - len(packed),
            first_words=np.cumsum(sizes) - sizes,
            words=np.array([words.shape[1] for words in packed], np.int64),
            bits=bits,
        )


def pack(code: NDArray[np.intp], rank: NDArray[np.intp], left: NDArray[np.intp]) -> Nodes:
    """Pack nodes into integers."""
    nodes: Nodes = code.astype(np.int64) | rank.astype(np.int64) << _RANK | left.astype(np.int64) << _LEFT
    return nodes


def packed_sets(sets: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Pack flags of shape (sets, ranks) into words of 64 ranks, lowest bit first."""
    words = -(-sets.shape[1] // WORD_BITS)
    padded = np.zeros((len(sets), words * WORD_BITS), np.bool_)
    padded[:, : sets.shape[1]] = sets
    return np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)


class ForestEngine:
    """Scores with a `ForestModel`."""

    def __init__(self, arrays: Arrays, features: Sequence[Feature], outputs: int) -> None:
        """Read the model; raise `InvalidBundleError` if the arrays do not fit it."""
        self._names = [feature.name for feature in features]
        self._model = _read(arrays, features, outputs)
        self._library = kernel_library()
        self.backend = Backend.NUMPY if self._library is None else Backend.KERNEL
        self._add_leaves = _adder(self._model)

    def score(self, batch: pa.RecordBatch) -> Floats:
        """See `Engine.score`."""
        return self._scores(batch, self._add_leaves)

    def _scores(self, batch: pa.RecordBatch, add_leaves: _Adder) -> Floats:
        model = self._model
        raw = np.empty((batch.num_rows, len(model.base)), model.base.dtype)
        raw[:] = model.base
        bins = {feature: self._bins(slots, batch.column(self._names[feature])) for feature, slots in model.bins}
        for start in range(0, batch.num_rows, BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            codes = np.stack([code.ranks.take(bins[code.feature][block]) for code in model.codes], axis=1)
            add_leaves(codes, raw[block])
        return scores(raw, model.link, divisor=model.divisor, scale=model.scale)

    def _bins(self, slots: Slots, column: pa.Array) -> NDArray[np.integer[Any]]:
        if self._library is None or not isinstance(slots, NumberSlots):
            return slots.codes(column)
        return bins_of(self._library, slots.numbers(column))


class VotingForest(ForestEngine):
    """Scores by the second of two classes, and decides where both are equal."""

    def predict(self, batch: pa.RecordBatch) -> NDArray[np.intp]:
        """See `Decider.predict`: of equally probable classes, the first."""
        return np.asarray(self.score(batch)[:, 0] > self._scores(batch, self._add_first_class)[:, 0], dtype=np.intp)

    @cached_property
    def _add_first_class(self) -> _Adder:
        model = self._model
        assert model.votes is not None
        return _adder(replace(model, values=model.votes.of_all(model.values[:, 0])[:, np.newaxis]))


def forest_engine(arrays: Arrays, features: Sequence[Feature], outputs: int) -> ForestEngine:
    """Return the engine of a model.

    Raises:
        InvalidBundleError: if the arrays do not fit together or to the features.
    """
    return (VotingForest if _VOTES in arrays else ForestEngine)(arrays, features, outputs)


def _adder(model: ForestModel) -> _Adder:
    library, sets = kernel_library(), model.sets()
    if library is None:
        return partial(_add_leaves, model, sets)
    return ForestKernel(library, model.nodes, model.roots, model.first_sums, model.values, sets).add_leaves


def _add_leaves(model: ForestModel, sets: Sets | None, codes: Ranks, raw: Reals) -> None:
    """Add the trees' values for rows with `codes` to `raw`, (rows, sums), in NumPy."""
    flat, width = codes.ravel(), model.values.shape[1]
    first_codes = np.arange(0, flat.size, codes.shape[1])
    for root, first_sum in zip(model.roots.tolist(), model.first_sums.tolist(), strict=True):
        leaves = _leaves(model.nodes, sets, root, flat, first_codes)
        for k in range(width):
            raw[:, first_sum + k] += model.values[:, k].take(leaves)


def _leaves(nodes: Nodes, sets: Sets | None, root: int, codes: Ranks, first_codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the leaf of each row; a row's codes begin at its first code."""
    leaves = np.full(len(first_codes), root)
    walking, at, steps = np.arange(len(first_codes)), leaves, FIRST_STEPS
    while len(walking):
        for _ in range(steps):
            node = nodes.take(at)
            asked, rank = node & (1 << CODE_BITS) - 1, node >> _RANK & NEVER
            value = codes.take(asked + first_codes)
            right = value > rank
            if sets is not None:
                by_set = np.flatnonzero((asked >= sets.first_code) & (rank < NEVER))
                right[by_set] = _in_set(sets, asked[by_set] - sets.first_code, rank[by_set], value[by_set])
            before, at = at, (node >> _LEFT) + right
        leaves[walking] = at
        moving = at != before
        walking, at, first_codes, steps = walking[moving], at[moving], first_codes[moving], STEPS
    return leaves


def _in_set(sets: Sets, code: NDArray[np.int64], number: NDArray[np.int64], bins: Ranks) -> NDArray[np.bool_]:
    word, bit = np.divmod(bins.astype(np.int64), WORD_BITS)
    words = sets.bits.take(sets.first_words[code] + number * sets.words[code] + word)
    return (words >> bit.astype(np.uint64) & np.uint64(1)).astype(np.bool_)


def _read(arrays: Arrays, features: Sequence[Feature], outputs: int) -> ForestModel:
    link = arrays.text("link")
    if link not in INVERSE_LINKS:
        message = f"there is no link {link!r}"
        raise InvalidBundleError(message)
    used = arrays.integers("features", below=len(features)).tolist()
    bins = {feature: read_slots(arrays, feature, features[feature].kind) for feature in used}
    codes = []
    for k, feature in enumerate(arrays.integers("code_features", below=len(features)).tolist()):
        ranks = arrays.integers(f"ranks_{k}", below=NEVER + 1)
        if feature not in bins or len(ranks) != bins[feature].size:
            message = f"code {k} has {len(ranks)} ranks, which are not those of a feature's bins"
            raise InvalidBundleError(message)
        codes.append(Code(feature, ranks.astype(np.uint16), _read_sets(arrays, k, ranks)))
    nodes = arrays.integers("nodes")
    _check_walks(nodes, codes)
    roots = arrays.integers("roots", below=len(nodes))
    base = arrays.reals("base", outputs)
    values = arrays.reals("values", len(nodes), None, like=base)
    first_sums = arrays.integers("first_sums", below=max(outputs - values.shape[1], 0) + 1)
    if len(first_sums) != len(roots) or not len(roots) or not codes or not 1 <= values.shape[1] <= outputs:
        message = "the trees, their sums and their values do not go together"
        raise InvalidBundleError(message)
    divisor, scale = arrays.divisor(), arrays.scale()
    votes = _read_votes(arrays, values) if _VOTES in arrays else None
    return ForestModel(link, base, divisor, scale, tuple(bins.items()), tuple(codes), nodes, roots, first_sums, values, votes)


def _read_votes(arrays: Arrays, values: Reals) -> Votes:
    if values.shape[1] != 1:
        message = f"the first of two classes stands against {values.shape[1]} others"
        raise InvalidBundleError(message)
    nodes = arrays.integers(_VOTES, below=len(values))
    return Votes(nodes, arrays.reals("first_class", len(nodes), like=values))


def _read_sets(arrays: Arrays, code: int, ranks: NDArray[np.int64]) -> NDArray[np.uint64] | None:
    name = f"sets_{code}"
    if name not in arrays:
        return None
    words = -(-(int(ranks.max()) + 1) // WORD_BITS)
    return arrays.words(name, None, like=np.empty((0, words), np.uint64))


def _check_walks(nodes: Nodes, codes: Sequence[Code]) -> None:
    """Check that every walk ends: each step moves on to a node, or is at a leaf.

    Each node must also refer to an existing code and set.
    """
    code, rank, left = nodes & (1 << CODE_BITS) - 1, nodes >> _RANK & NEVER, nodes >> _LEFT
    places = np.arange(len(nodes))
    is_leaf = (left == places) & (rank == NEVER)
    leads_on = (left > places) & (left + 1 < len(nodes)) & (rank < NEVER)
    # A rank is the number of one of the code's sets, or arbitrary if the code has no sets.
    ranks = np.array([NEVER if code.sets is None else len(code.sets) for code in codes])
    if np.any(code >= len(codes)) or not np.all(is_leaf | (leads_on & (rank < ranks[code]))):
        message = "a node of a tree leads nowhere"
        raise InvalidBundleError(message)
    if any(one.sets is not None and other.sets is None for one, other in pairwise(codes)):
        message = "codes that have sets do not come last"
        raise InvalidBundleError(message)
