"""The loops of `trees.c`, where they were built: a narrow, typed way into a shared library that needs nothing but C.

Whoever calls has checked every index; here only types and layout are. ctypes lets go of the interpreter meanwhile, so that
several threads score at once.
"""

import ctypes
import os
from collections.abc import Sequence
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.shared.engines.engine import Floats

SETTING = "EVERSCORE_KERNELS"
"""`off`: NumPy does it all; otherwise the path of a build to use instead of the package's own."""
INTERFACE = 1
"""What `everscore_trees_interface` of a build must answer."""
GROUP = 4
"""Rows of masks that the kernel works on at once, as `trees.c` has it."""

type Words = NDArray[np.uint32] | NDArray[np.uint64]


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


@cache
def tree_library() -> ctypes.CDLL | None:
    """The library, or None where none was built, it was built elsewhere or from another source, or none is wanted."""
    wanted = os.environ.get(SETTING, "")
    if wanted == "off":
        return None
    here = Path(__file__).parent
    built = [Path(wanted)] if wanted else [here / f"libtrees{suffix}" for suffix in EXTENSION_SUFFIXES]
    found = next((path for path in built if path.exists()), None)
    return None if found is None else open_library(found)


def open_library(path: Path) -> ctypes.CDLL | None:
    """A build of `trees.c`; None if it is for another machine, or of another source than this module was written for."""
    try:
        library = ctypes.CDLL(str(path))
    except OSError:
        return None
    if library.everscore_trees_interface() != INTERFACE:
        return None
    count, address = ctypes.c_int64, ctypes.c_void_p
    library.everscore_bitvector.argtypes = [ctypes.POINTER(_BitvectorModel), ctypes.c_int32, count, address, address, address]
    library.everscore_forest.argtypes = [ctypes.POINTER(_ForestModel), count, address, address]
    library.everscore_bitvector.restype = library.everscore_forest.restype = None
    return library


class BitvectorKernel:
    """Adds up the leaves that bit masks leave, for one model."""

    def __init__(self, library: ctypes.CDLL, masks: Sequence[Words], sums: Sequence[tuple[int, int, Floats]], outputs: int) -> None:
        """Take a model whose indices are known to be right.

        Args:
            library: what `tree_library` found.
            masks: by table, shape (bins, trees), all of one type.
            sums: the output that each sum adds to, its first tree, and its leaf values of shape (trees, bits of a mask).
            outputs: columns of what is added to.
        """
        self._add = library.everscore_bitvector
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

    def add_leaves(self, codes: Sequence[NDArray[np.intp]], raw: Floats) -> None:
        """Add to `raw`, shape (rows, outputs), the leaf values of rows whose bin in table k is `codes[k]`, shape (rows,)."""
        allowed = np.empty((GROUP, self._trees), self._word)
        columns = [_laid_out(code, np.int64, rows=len(raw)) for code in codes]
        bits = 8 * self._word.itemsize
        self._add(self._model, bits, len(raw), _addresses(columns), allowed.ctypes.data, _writable(raw).ctypes.data)


class ForestKernel:
    """Walks down the trees of one model."""

    def __init__(
        self, library: ctypes.CDLL, nodes: NDArray[np.int64], roots: NDArray[np.int64], first_sums: NDArray[np.int64], values: Floats
    ) -> None:
        """Take a model whose nodes are known to lead to leaves: see `forest.ForestModel`."""
        self._add = library.everscore_forest
        self._kept = [_laid_out(array, np.int64) for array in (nodes, roots, first_sums)] + [_laid_out(values, np.float64)]
        self._trees, self._width = len(roots), values.shape[1]

    def add_leaves(self, codes: NDArray[np.uint16], raw: Floats) -> None:
        """Add to `raw`, shape (rows, outputs), the leaf values of rows with `codes`, shape (rows, codes)."""
        sizes = codes.shape[1], self._trees, self._width, raw.shape[1]
        model = _ForestModel(*sizes, *(array.ctypes.data for array in self._kept))
        self._add(model, len(raw), _laid_out(codes, np.uint16, rows=len(raw)).ctypes.data, _writable(raw).ctypes.data)


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
