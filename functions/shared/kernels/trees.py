"""Call the loops of `trees.c` with checked types; callers check the indices."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

GROUP, SEARCHED = 4, 8
"""Rows whose masks are combined at once, and numbers whose bins are found side by side; must equal the constants in `trees.c`."""
CHUNK_ROWS, BLOCKED_CHUNK_ROWS = 256, 8192
"""Rows whose bins are found at once. Models of several tree blocks use more, to fetch a block's masks less often."""
CACHED_BYTES = 2**20
"""Bytes of a tree block's masks, so that they stay in a processor's cache (1 to 2 MiB) while a chunk of rows is scored."""
TREES_AT_ONCE = 8
"""A block's trees are a multiple of this number: those that a vector instruction combines."""

type Floats = NDArray[np.float64]
type Reals = NDArray[np.floating[Any]]
type Words = NDArray[np.uint32] | NDArray[np.uint64]
type Octets = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers, shape (rows,), and the strictly increasing edges of their bins.

    A number's bin is the count of edges below it. Missing values go into one bin after the last: NaN, and rows whose bit in `valid`
    is 0. The first row's bit has the number `valid_from`; each byte holds 8 bits, lowest first.
    """

    values: Floats
    edges: Floats
    valid: Octets | None = None
    valid_from: int = 0


class _Column(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("bins", "numbers", "valid")),
        ("valid_from", ctypes.c_int64),
        ("edges", ctypes.c_void_p),
        ("edge_count", ctypes.c_int64),
    )


class _TreeBlock(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("trees", "sums")),
        *((name, ctypes.c_void_p) for name in ("masks", "sum_outputs", "sum_first_trees", "sum_trees", "leaves")),
    )


class _BitvectorModel(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("tables", "outputs", "blocks")),
        ("block", ctypes.c_void_p),
        ("chunk", ctypes.c_int64),
        *((name, ctypes.c_int32) for name in ("bits", "single")),
    )


class _ForestModel(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("columns", "trees", "width", "outputs", "single")),
        *((name, ctypes.c_void_p) for name in ("nodes", "roots", "first_sums", "values")),
        ("numbers", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in ("first_words", "words", "sets")),
    )


class _Block:
    """Consecutive trees with a memory layout of their own."""

    def __init__(self, masks: Sequence[Words], sums: Sequence[tuple[int, int, Reals]], start: int, stop: int) -> None:
        """Take the trees from `start` to before `stop`."""
        self._masks = [np.ascontiguousarray(array[:, start:stop]) for array in masks]
        inside = [(output, first, values, max(first, start), min(first + len(values), stop)) for output, first, values in sums]
        self._sums = [
            (output, low - start, np.ascontiguousarray(values[low - first : high - first]))
            for output, first, values, low, high in inside
            if low < high
        ]
        numbers = np.array([(output, first, len(values)) for output, first, values in self._sums], dtype=np.int64).reshape(-1, 3).T
        self._numbers = [np.ascontiguousarray(row) for row in numbers]
        self._tables, self._leaves = _addresses(self._masks), _addresses([values for _, _, values in self._sums])
        self.passed = _TreeBlock(
            stop - start,
            len(self._sums),
            ctypes.addressof(self._tables),
            *(row.ctypes.data for row in self._numbers),
            ctypes.addressof(self._leaves),
        )


class BitvectorKernel:
    """Adds up the leaves that bit masks leave, for one model."""

    def __init__(self, library: ctypes.CDLL, masks: Sequence[Words], sums: Sequence[tuple[int, int, Reals]], outputs: int) -> None:
        """Take a model whose indices have been checked.

        Args:
            library: the result of `kernel_library`.
            masks: one array per table, shape (bins, trees), all of one type.
            sums: per sum its output column, its first tree, and its leaf values of shape (trees, bits of a mask). All leaf values
                have one type, that of the sums.
            outputs: number of output columns.
        """
        self._add = _bitvector_of(library)
        trees, self._word, self._real = masks[0].shape[1], masks[0].dtype, sums[0][2].dtype
        for array, kind in [*((array, self._word) for array in masks), *((values, self._real) for _, _, values in sums)]:
            _laid_out(array, kind)
        self._most = _trees_of_a_block(sum(array.nbytes for array in masks), trees)
        self._blocks = [_Block(masks, sums, start, min(start + self._most, trees)) for start in range(0, trees, self._most)]
        self._passed = (_TreeBlock * len(self._blocks))(*(block.passed for block in self._blocks))
        self._tables, self._chunk = len(masks), CHUNK_ROWS if len(self._blocks) == 1 else BLOCKED_CHUNK_ROWS
        self._model = _BitvectorModel(
            self._tables,
            outputs,
            len(self._blocks),
            ctypes.addressof(self._passed),
            self._chunk,
            8 * self._word.itemsize,
            self._real == np.float32,
        )

    def add_leaves(self, columns: Sequence[NDArray[np.intp] | Numbers], raw: Reals) -> None:
        """Add the leaf values of rows to `raw`, shape (rows, outputs).

        `columns[k]`, shape (rows,), holds the rows' bins in table k, or the numbers to bin.
        """
        if len(columns) != self._tables:
            message = f"{len(columns)} columns are not one for each of {self._tables} tables"
            raise TypeError(message)
        rows = len(raw)
        bins, allowed = np.empty((self._tables, self._chunk), np.int32), np.empty((GROUP, self._most), self._word)
        passed = (_Column * len(columns))(*(_column(column, rows) for column in columns))
        self._add(self._model, rows, passed, bins.ctypes.data, allowed.ctypes.data, _writable(raw, self._real).ctypes.data)


def bins_of(library: ctypes.CDLL, numbers: Numbers) -> NDArray[np.int32]:
    """Return the bin of each number.

    They are what a model without trees leaves in the memory that it works in.
    """
    rows = len(numbers.values)
    bins = np.empty(-(-rows // SEARCHED) * SEARCHED, np.int32)
    model = _BitvectorModel(tables=1, chunk=len(bins), bits=32)
    _bitvector_of(library)(model, rows, ctypes.byref(_column(numbers, rows)), bins.ctypes.data, None, None)
    return bins[:rows]


def _bitvector_of(library: ctypes.CDLL) -> Any:
    function = library.everscore_bitvector
    function.argtypes = [ctypes.POINTER(_BitvectorModel), ctypes.c_int64, *[ctypes.c_void_p] * 4]
    function.restype = None
    return function


def _trees_of_a_block(mask_bytes: int, trees: int) -> int:
    """Return how many trees form a block, so that masks take at most `CACHED_BYTES`."""
    blocks = -(-mask_bytes // CACHED_BYTES)
    together = -(-trees // max(blocks, 1))
    return min(trees, -(-together // TREES_AT_ONCE) * TREES_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Sets:
    """Sets of bins for splits on categories.

    From column `first_code` on, codes are bins, and a split's rank is the number of a set. Set s of column `first_code + k` is the
    `words[k]` words from `first_words[k] + s * words[k]` on, with one bit per bin, lowest first.
    """

    first_code: int
    first_words: NDArray[np.int64]
    words: NDArray[np.int64]
    bits: NDArray[np.uint64]


_NO_SETS = Sets(2**16, np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint64))
"""A column number that no code has."""


class ForestKernel:
    """Walks down the trees of one model."""

    def __init__(
        self,
        library: ctypes.CDLL,
        nodes: NDArray[np.int64],
        roots: NDArray[np.int64],
        first_sums: NDArray[np.int64],
        values: Reals,
        sets: Sets | None = None,
    ) -> None:
        """Take a model whose nodes are known to lead to leaves: see `forest.ForestModel`.

        Sums have the type of `values`.
        """
        self._add = library.everscore_forest
        self._add.argtypes = [ctypes.POINTER(_ForestModel), ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p]
        self._add.restype = None
        self._real, self._trees, self._width = values.dtype, len(roots), values.shape[1]
        self._kept = [_laid_out(array, np.int64) for array in (nodes, roots, first_sums)] + [_laid_out(values, self._real)]
        self._sets = sets or _NO_SETS
        for array, kind in ((self._sets.first_words, np.int64), (self._sets.words, np.int64), (self._sets.bits, np.uint64)):
            _laid_out(array, kind)

    def add_leaves(self, codes: NDArray[np.uint16], raw: Reals) -> None:
        """Add the leaf values of rows with `codes`, shape (rows, codes), to `raw`.

        `raw` has the shape (rows, outputs).
        """
        sizes = codes.shape[1], self._trees, self._width, raw.shape[1], self._real == np.float32
        sets = self._sets.first_words, self._sets.words, self._sets.bits
        of_trees, of_sets = ((array.ctypes.data for array in arrays) for arrays in (self._kept, sets))
        model = _ForestModel(*sizes, *of_trees, self._sets.first_code, *of_sets)
        self._add(model, len(raw), _laid_out(codes, np.uint16, rows=len(raw)).ctypes.data, _writable(raw, self._real).ctypes.data)


def _column(column: NDArray[np.intp] | Numbers, rows: int) -> _Column:
    if not isinstance(column, Numbers):
        return _Column(bins=_laid_out(column, np.int64, rows=rows).ctypes.data)
    values, edges = _laid_out(column.values, np.float64, rows=rows), _laid_out(column.edges, np.float64)
    valid = None if column.valid is None else _laid_out(column.valid, np.uint8)
    if valid is not None and not 0 <= column.valid_from <= 8 * len(valid) - rows:
        message = f"{8 * len(valid)} bits from {column.valid_from} on are not one for each of {rows} rows"
        raise TypeError(message)
    return _Column(
        numbers=values.ctypes.data,
        valid=None if valid is None else valid.ctypes.data,
        valid_from=column.valid_from,
        edges=edges.ctypes.data,
        edge_count=len(edges),
    )


def _laid_out(array: NDArray[Any], kind: np.dtype[Any] | type[np.generic], *, rows: int | None = None) -> NDArray[Any]:
    if array.dtype != kind or not array.flags.c_contiguous or len(array) != (len(array) if rows is None else rows):
        message = f"{len(array)} rows of {array.dtype} are not {np.dtype(kind)} in C's order, one per row to score"
        raise TypeError(message)
    return array


def _writable(raw: Reals, real: np.dtype[Any]) -> NDArray[Any]:
    if not raw.flags.writeable:
        message = "the sums cannot be written"
        raise TypeError(message)
    return _laid_out(raw, real)


def _addresses(arrays: Sequence[NDArray[Any]]) -> "ctypes.Array[ctypes.c_void_p]":
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
