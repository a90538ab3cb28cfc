"""A compiled engine's arrays by name, each checked before an engine indexes with it or into it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.errors import InvalidBundleError
from functions.shared.engines.engine import Floats


@dataclass(frozen=True, slots=True)
class Arrays:
    """Stored arrays; every reader raises `InvalidBundleError` where one is missing or is not what it should be."""

    stored: Mapping[str, NDArray[Any]]

    def __contains__(self, name: str) -> bool:
        """Whether an array of this name is stored."""
        return name in self.stored

    def text(self, name: str) -> str:
        """A single text."""
        array = self._typed(name, "U", 0)
        return str(array)

    def floats(self, name: str, *shape: int | None, finite: bool = True) -> Floats:
        """float64 of this shape, `None` being any length; finite unless told otherwise."""
        array = self._typed(name, "f", len(shape))
        if any(wanted is not None and wanted != length for wanted, length in zip(shape, array.shape, strict=True)):
            raise _invalid(name, f"has shape {array.shape}, not {shape}")
        if array.dtype != np.float64 or (finite and not np.isfinite(array).all()):
            raise _invalid(name, "holds other values than finite float64")
        return array

    def divisor(self) -> float:
        """What sums are divided by: how many trees are averaged, at least 1; 1 where none is stored."""
        if "divisor" not in self:
            return 1.0
        divisor = float(self.floats("divisor", 1)[0])
        if divisor < 1:
            raise _invalid("divisor", "is below 1")
        return divisor

    def edges(self, name: str) -> Floats:
        """Strictly increasing finite numbers."""
        array = self.floats(name, None)
        if np.any(array[1:] <= array[:-1]):
            raise _invalid(name, "does not increase strictly")
        return array

    def integers(self, name: str, *, below: int | None = None) -> NDArray[np.int64]:
        """One dimension of int64, each at least 0 and less than `below`."""
        array = self._typed(name, "i", 1)
        if array.dtype != np.int64 or np.any(array < 0) or (below is not None and np.any(array >= below)):
            raise _invalid(name, f"holds other values than int64 from 0 to below {below}")
        return array

    def octets(self, name: str) -> NDArray[np.uint8]:
        """One dimension of bytes."""
        array = self._typed(name, "u", 1)
        if array.dtype != np.uint8:
            raise _invalid(name, "does not hold bytes")
        return array

    def words(self, name: str, rows: int, *, like: NDArray[np.unsignedinteger[Any]] | None) -> NDArray[Any]:
        """Bit masks of 32 or 64 bits, so many rows, with as many columns and bits as `like`."""
        array = self._typed(name, "u", 2)
        if array.dtype not in (np.uint32, np.uint64) or len(array) != rows:
            raise _invalid(name, f"is not {rows} rows of masks of 32 or 64 bits")
        if like is not None and (array.dtype, array.shape[1]) != (like.dtype, like.shape[1]):
            raise _invalid(name, f"has {array.shape[1]} {array.dtype} a row where others have {like.shape[1]} {like.dtype}")
        return array

    def _typed(self, name: str, kind: str, dimensions: int) -> NDArray[Any]:
        if name not in self.stored:
            raise _invalid(name, "is missing")
        array = self.stored[name]
        if array.dtype.kind != kind or array.ndim != dimensions:
            raise _invalid(name, f"is {array.dtype} of {array.ndim} dimensions")
        return np.ascontiguousarray(array) if dimensions else array


def _invalid(name: str, what: str) -> InvalidBundleError:
    return InvalidBundleError(f"engine array {name} {what}")
