"""The loops of `trees.c`. Whoever calls has checked every index; here only types and layout are."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK, GROUP = 256, 4
"""Rows whose bins are found at once, and rows whose masks are combined at once, as `trees.c` has it."""

type Floats = NDArray[np.float64]
type Words = NDArray[np.uint32] | NDArray[np.uint64]
type Octets = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers, shape (rows,), whose bin is how many of the strictly increasing edges are below; NaN's is one after the last.

    So is that of a row whose bit in `valid` is 0: the first row's is numbered `valid_from`, and each byte holds 8, lowest first.
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


class _BitvectorModel(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("tables", "trees", "sums", "outputs")),
        *((name, ctypes.c_void_p) for name in ("masks", "sum_outputs", "sum_first_trees", "sum_trees", "leaves")),
    )


class _ForestModel(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("columns", "trees", "width", "outputs")),
        *((name, ctypes.c_void_p) for name in ("nodes", "roots", "first_sums", "values")),
    )


class BitvectorKernel:
    """Adds up the leaves that bit masks leave, for one model."""

    def __init__(self, library: ctypes.CDLL, masks: Sequence[Words], sums: Sequence[tuple[int, int, Floats]], outputs: int) -> None:
        """Take a model whose indices are known to be right.

        Args:
            library: what `kernel_library` found.
            masks: by table, shape (bins, trees), all of one type.
            sums: the output that each sum adds to, its first tree, and its leaf values of shape (trees, bits of a mask).
            outputs: columns of what is added to.
        """
        self._add = library.everscore_bitvector
        self._add.argtypes = [ctypes.POINTER(_BitvectorModel), ctypes.c_int32, ctypes.c_int64, *[ctypes.c_void_p] * 4]
        self._add.restype = None
        self._trees, self._word = masks[0].shape[1], masks[0].dtype
        numbers = np.array([(output, first, len(values)) for output, first, values in sums], dtype=np.int64).T
        self._kept = [_laid_out(array, self._word) for array in masks], [_laid_out(values, np.float64) for _, _, values in sums]
        self._tables, self._leaves = (_addresses(arrays) for arrays in self._kept)
        self._numbers = [np.ascontiguousarray(row) for row in numbers]
        self._model = _BitvectorModel(
            len(masks),
            self._trees,
            len(sums),
            outputs,
            ctypes.addressof(self._tables),
            *(row.ctypes.data for row in self._numbers),
            ctypes.addressof(self._leaves),
        )

    def add_leaves(self, columns: Sequence[NDArray[np.intp] | Numbers], raw: Floats) -> None:
        """Add to `raw`, shape (rows, outputs), the leaf values of rows whose bins in table k `columns[k]` gives, shape (rows,)."""
        if len(columns) != len(self._tables):
            message = f"{len(columns)} columns are not one for each of {len(self._tables)} tables"
            raise TypeError(message)
        rows, word = len(raw), self._word
        bins, allowed = np.empty((len(columns), BLOCK), np.int64), np.empty((GROUP, self._trees), word)
        passed = (_Column * len(columns))(*(_column(column, rows) for column in columns))
        self._add(self._model, 8 * word.itemsize, rows, passed, bins.ctypes.data, allowed.ctypes.data, _writable(raw).ctypes.data)


class ForestKernel:
    """Walks down the trees of one model."""

    def __init__(
        self, library: ctypes.CDLL, nodes: NDArray[np.int64], roots: NDArray[np.int64], first_sums: NDArray[np.int64], values: Floats
    ) -> None:
        """Take a model whose nodes are known to lead to leaves: see `forest.ForestModel`."""
        self._add = library.everscore_forest
        self._add.argtypes = [ctypes.POINTER(_ForestModel), ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p]
        self._add.restype = None
        self._kept = [_laid_out(array, np.int64) for array in (nodes, roots, first_sums)] + [_laid_out(values, np.float64)]
        self._trees, self._width = len(roots), values.shape[1]

    def add_leaves(self, codes: NDArray[np.uint16], raw: Floats) -> None:
        """Add to `raw`, shape (rows, outputs), the leaf values of rows with `codes`, shape (rows, codes)."""
        sizes = codes.shape[1], self._trees, self._width, raw.shape[1]
        model = _ForestModel(*sizes, *(array.ctypes.data for array in self._kept))
        self._add(model, len(raw), _laid_out(codes, np.uint16, rows=len(raw)).ctypes.data, _writable(raw).ctypes.data)


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
        message = f"{len(array)} rows of {array.dtype} are not {np.dtype(kind)} in C's order, one a row to score"
        raise TypeError(message)
    return array


def _writable(raw: Floats) -> Floats:
    if not raw.flags.writeable:
        message = "the sums cannot be written"
        raise TypeError(message)
    return _laid_out(raw, np.float64)


def _addresses(arrays: Sequence[NDArray[Any]]) -> "ctypes.Array[ctypes.c_void_p]":
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
