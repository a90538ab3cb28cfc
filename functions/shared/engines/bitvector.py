"""The engine of tree ensembles: which leaves each feature still allows, as bits, for all trees at once.

QuickScorer (Lucchese et al., SIGIR 2015) with its scan over thresholds folded into a table: `mask[feature][bin][tree]` has a
bit for each leaf that the bin does not exclude, neither by the splits it fails nor by those it passes. The AND over a
row's features leaves one bit a tree: the leaf the row ends in.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.errors import InvalidBundleError
from functions.shared.domain.spec import Feature
from functions.shared.engines.arrays import Arrays
from functions.shared.engines.bins import Bins, Codes, read_bins
from functions.shared.engines.engine import Floats
from functions.shared.engines.links import INVERSE_LINKS

BLOCK_CELLS = 2**17
"""Rows times trees worked on at once, so that masks and leaves stay in the processor's cache."""
MAX_BLOCK_ROWS = 8192
MAX_JOINT_BYTES = 2**19
"""Features with few bins share one table over all their combinations, up to this size: one look-up instead of several."""

type Masks = NDArray[np.uint32] | NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class MaskTable:
    """One feature's bins and, for each bin and tree, the leaves it allows: shape (bins, trees)."""

    feature: int
    bins: Bins
    masks: Masks


@dataclass(frozen=True, slots=True)
class LeafSum:
    """Adds to one raw sum the leaf values of the trees from `first`: `values` has shape (trees, leaves)."""

    output: int
    first: int
    values: Floats


@dataclass(frozen=True, slots=True)
class TreeModel:
    """An ensemble over raw features: `link` names one of `INVERSE_LINKS`, `base` has shape (sums,)."""

    link: str
    base: Floats
    tables: tuple[MaskTable, ...]
    leaf_sums: tuple[LeafSum, ...]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `BitvectorEngine` reads."""
        stored: dict[str, NDArray[Any]] = {
            "link": np.array(self.link),
            "base": self.base,
            "features": np.array([table.feature for table in self.tables], dtype=np.int64),
            "sum_outputs": np.array([leaf_sum.output for leaf_sum in self.leaf_sums], dtype=np.int64),
            "sum_first_trees": np.array([leaf_sum.first for leaf_sum in self.leaf_sums], dtype=np.int64),
        }
        for table in self.tables:
            stored |= {f"masks_{table.feature}": table.masks, **table.bins.arrays(table.feature)}
        for k, leaf_sum in enumerate(self.leaf_sums):
            stored[f"leaves_{k}"] = leaf_sum.values
        return stored


@dataclass(frozen=True, slots=True)
class _Joint:
    """Several features' tables as one over the combinations of their bins, the last feature's varying fastest."""

    parts: tuple[MaskTable, ...]
    masks: Masks

    def and_with(self, other: MaskTable) -> "_Joint":
        masks: Masks = (self.masks[:, np.newaxis] & other.masks[np.newaxis]).reshape(-1, self.masks.shape[1])
        return _Joint((*self.parts, other), masks)

    def codes(self, batch: pa.RecordBatch, names: Sequence[str]) -> Codes:
        first, *others = self.parts
        codes = first.bins.codes(batch.column(names[first.feature]))
        for part in others:
            codes = codes * part.bins.size + part.bins.codes(batch.column(names[part.feature]))
        return codes


def _joined(tables: Sequence[MaskTable]) -> list[_Joint]:
    """All tables, the small ones joined, smallest first."""
    joints: list[_Joint] = []
    for table in sorted(tables, key=lambda table: table.bins.size):
        if joints and joints[-1].masks.nbytes * table.bins.size <= MAX_JOINT_BYTES:
            joints[-1] = joints[-1].and_with(table)
        else:
            joints.append(_Joint((table,), table.masks))
    return joints


class BitvectorEngine:
    """Scores with a `TreeModel` in NumPy."""

    def __init__(self, arrays: Arrays, features: Sequence[Feature], outputs: int) -> None:
        """Raises `InvalidBundleError` if the arrays are no such model over these features with so many outputs."""
        self._names = [feature.name for feature in features]
        self._model = _read(arrays, features, outputs)
        self._joints = _joined(self._model.tables)
        self._threads = threading.local()

    def score(self, batch: pa.RecordBatch) -> Floats:
        """See `Engine.score`."""
        codes = [joint.codes(batch, self._names) for joint in self._joints]
        raw = np.empty((batch.num_rows, len(self._model.base)))
        raw[:] = self._model.base
        buffers = self._buffers()
        for start in range(0, batch.num_rows, buffers.rows):
            block = slice(start, start + buffers.rows)
            buffers.add_leaves(self._model, self._joints, [code[block] for code in codes], raw[block])
        return INVERSE_LINKS[self._model.link](raw)

    def _buffers(self) -> "_Buffers":
        """The calling thread's own."""
        if not hasattr(self._threads, "buffers"):
            self._threads.buffers = _Buffers(self._model)
        buffers: _Buffers = self._threads.buffers
        return buffers


class _Buffers:
    """One thread's working memory. Without it each block's temporaries would be mapped and faulted in anew."""

    def __init__(self, model: TreeModel) -> None:
        masks = model.tables[0].masks
        trees = masks.shape[1]
        self.rows = min(MAX_BLOCK_ROWS, max(1, BLOCK_CELLS // trees))
        shape = (self.rows, trees)
        self._allowed = np.empty(shape, masks.dtype)
        self._more = np.empty(shape, masks.dtype)
        self._leaf = np.empty(shape, np.uint8)
        self._place = np.empty(self.rows * trees, np.intp)
        self._value = np.empty(self.rows * trees, np.float64)
        self._first_leaf = np.arange(trees, dtype=np.intp) * model.leaf_sums[0].values.shape[1]

    def add_leaves(self, model: TreeModel, joints: Sequence[_Joint], codes: Sequence[Codes], raw: Floats) -> None:
        """Add the trees' values to `raw`, shape (rows, sums), for rows with these bins."""
        rows = len(raw)
        allowed, more = self._allowed[:rows], self._more[:rows]
        np.take(joints[0].masks, codes[0], axis=0, out=allowed, mode="clip")
        for joint, code in zip(joints[1:], codes[1:], strict=True):
            np.take(joint.masks, code, axis=0, out=more, mode="clip")
            np.bitwise_and(allowed, more, out=allowed)
        # One bit is left, so the bits below it number the leaf.
        np.subtract(allowed, allowed.dtype.type(1), out=allowed)
        leaf = np.bitwise_count(allowed, out=self._leaf[:rows])
        for leaf_sum in model.leaf_sums:
            trees = len(leaf_sum.values)
            place = self._place[: rows * trees].reshape(rows, trees)
            value = self._value[: rows * trees].reshape(rows, trees)
            np.add(leaf[:, leaf_sum.first : leaf_sum.first + trees], self._first_leaf[:trees], out=place)
            np.take(leaf_sum.values, place, out=value, mode="clip")
            raw[:, leaf_sum.output] += value.sum(axis=1)


def _read(arrays: Arrays, features: Sequence[Feature], outputs: int) -> TreeModel:
    link = arrays.text("link")
    if link not in INVERSE_LINKS:
        message = f"there is no link {link!r}"
        raise InvalidBundleError(message)
    tables: list[MaskTable] = []
    for feature in arrays.integers("features", below=len(features)).tolist():
        bins = read_bins(arrays, feature, features[feature].kind)
        masks = arrays.words(f"masks_{feature}", bins.size, like=tables[0].masks if tables else None)
        tables.append(MaskTable(feature, bins, masks))
    if not tables or not tables[0].masks.shape[1]:
        message = "a tree ensemble needs a feature and a tree"
        raise InvalidBundleError(message)
    trees, leaves = tables[0].masks.shape[1], 8 * tables[0].masks.itemsize
    sum_outputs = arrays.integers("sum_outputs", below=outputs)
    first_trees = arrays.integers("sum_first_trees", below=trees)
    if len(sum_outputs) != len(first_trees) or not len(sum_outputs):
        message = "the outputs and first trees of the leaf sums do not go together"
        raise InvalidBundleError(message)
    leaf_sums = []
    for k, (output, first) in enumerate(zip(sum_outputs.tolist(), first_trees.tolist(), strict=True)):
        values = arrays.floats(f"leaves_{k}", None, leaves)
        if first + len(values) > trees:
            message = f"leaf sum {k} reaches beyond the last tree"
            raise InvalidBundleError(message)
        leaf_sums.append(LeafSum(output, first, values))
    return TreeModel(link, arrays.floats("base", outputs), tuple(tables), tuple(leaf_sums))
