"""Find leaves by bit masks in NumPy, for many rows and all trees at once."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from functions.shared.engines.bitvector_model import Masks, MaskTable, TreeModel
from functions.shared.engines.engine import Reals
from functions.shared.engines.slots import Codes

BLOCK_CELLS = 2**17
"""Rows times trees per step, so that masks and leaves stay in the processor's cache."""
MAX_BLOCK_ROWS = 8192
MAX_JOINT_BYTES = 2**19
"""Largest size of a table that features with few bins share; it replaces several look-ups by one."""


@dataclass(frozen=True, slots=True)
class _Joint:
    """A table over bin combinations of several features, the last varying fastest."""

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
    """Return all tables, with the small ones joined, smallest first."""
    joints: list[_Joint] = []
    for table in sorted(tables, key=lambda table: table.bins.size):
        if joints and joints[-1].masks.nbytes * table.bins.size <= MAX_JOINT_BYTES:
            joints[-1] = joints[-1].and_with(table)
        else:
            joints.append(_Joint((table,), table.masks))
    return joints


class MasksInNumpy:
    """Adds up the leaves of a `TreeModel`."""

    def __init__(self, model: TreeModel, names: Sequence[str]) -> None:
        """Take the model and the names of its features."""
        self._model, self._names = model, names
        self._joints = _joined(model.tables)
        self._threads = threading.local()

    def add_leaves(self, batch: pa.RecordBatch, raw: Reals) -> None:
        """Add the trees' values to `raw`, shape (rows, sums)."""
        codes = [joint.codes(batch, self._names) for joint in self._joints]
        buffers = self._buffers()
        for start in range(0, batch.num_rows, buffers.rows):
            block = slice(start, start + buffers.rows)
            buffers.add_leaves(self._model, self._joints, [code[block] for code in codes], raw[block])

    def _buffers(self) -> "_Buffers":
        """Return the calling thread's own buffers."""
        if not hasattr(self._threads, "buffers"):
            self._threads.buffers = _Buffers(self._model)
        buffers: _Buffers = self._threads.buffers
        return buffers


class _Buffers:
    """One thread's working memory, reused so that no block pays for new memory pages."""

    def __init__(self, model: TreeModel) -> None:
        masks = model.tables[0].masks
        trees = masks.shape[1]
        self.rows = min(MAX_BLOCK_ROWS, max(1, BLOCK_CELLS // trees))
        shape = (self.rows, trees)
        self._allowed = np.empty(shape, masks.dtype)
        self._more = np.empty(shape, masks.dtype)
        self._leaf = np.empty(shape, np.uint8)
        self._place = np.empty(self.rows * trees, np.intp)
        self._value = np.empty(self.rows * trees, model.base.dtype)
        self._first_leaf = np.arange(trees, dtype=np.intp) * model.leaf_sums[0].values.shape[1]

    def add_leaves(self, model: TreeModel, joints: Sequence[_Joint], codes: Sequence[Codes], raw: Reals) -> None:
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
            place = self._place[: rows * trees].reshape(trees, rows)
            value = self._value[: rows * trees].reshape(trees, rows)
            np.add(leaf[:, leaf_sum.first : leaf_sum.first + trees].T, self._first_leaf[:trees, np.newaxis], out=place)
            np.take(leaf_sum.values, place, out=value, mode="clip")
            # One by one: NumPy's sum adds in pairs, and so rounds differently from libraries and the kernel.
            total = raw[:, leaf_sum.output].copy()
            for of_tree in value:
                np.add(total, of_tree, out=total)
            raw[:, leaf_sum.output] = total
