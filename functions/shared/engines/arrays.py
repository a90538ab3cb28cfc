"""A compiled engine's arrays by name, each checked before an engine indexes with it or into it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.errors import InvalidBundleError
from functions.shared.engines.engine import Floats, Reals


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
        """float64 of this shape, `None` being any length; finite unless asked otherwise."""
        array = self._typed(name, "f", len(shape))
        _check_shape(name, array, shape)
        if array.dtype != np.float64 or (finite and not np.isfinite(array).all()):
            raise _invalid(name, "holds other values than finite float64")
        return array

    def reals(self, name: str, *shape: int | None, like: Reals | None = None) -> NDArray[Any]:
        """Finite numbers of this shape, in double or in single precision, that of `like` where it is given."""
        array = self._typed(name, "f", len(shape))
        _check_shape(name, array, shape)
        if array.dtype not in (np.float64, np.float32) or (like is not None and array.dtype != like.dtype):
            raise _invalid(name, f"is {array.dtype} and not {'float64 or float32' if like is None else like.dtype}")
        if not np.isfinite(array).all():
            raise _invalid(name, "holds other values than finite numbers")
        return array

    def divisor(self) -> float:
        """What sums are divided by: how many trees are averaged, at least 1; 1 where none is stored."""
        divisor = self._number("divisor")
        if divisor < 1:
            raise _invalid("divisor", "is below 1")
        return divisor

    def scale(self) -> float:
        """What sums are multiplied by before the link, above 0; 1 where none is stored."""
        scale = self._number("scale")
        if scale <= 0:
            raise _invalid("scale", "is not above 0")
        return scale

    def _number(self, name: str) -> float:
        return float(self.floats(name, 1)[0]) if name in self else 1.0

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

    def words(self, name: str, rows: int | None, *, like: NDArray[np.unsignedinteger[Any]] | None) -> NDArray[Any]:
        """Bit masks of 32 or 64 bits, this many rows (None: any number), with as many columns and bits as `like`."""
        array = self._typed(name, "u", 2)
        if array.dtype not in (np.uint32, np.uint64) or len(array) != (len(array) if rows is None else rows):
            raise _invalid(name, f"is not {rows or 'any'} rows of masks of 32 or 64 bits")
        if like is not None and (array.dtype, array.shape[1]) != (like.dtype, like.shape[1]):
            raise _invalid(name, f"has {array.shape[1]} {array.dtype} per row where others have {like.shape[1]} {like.dtype}")
        return array

    def _typed(self, name: str, kind: str, dimensions: int) -> NDArray[Any]:
        if name not in self.stored:
            raise _invalid(name, "is missing")
        array = self.stored[name]
        if array.dtype.kind != kind or array.ndim != dimensions:
            raise _invalid(name, f"is {array.dtype} of {array.ndim} dimensions")
        return np.ascontiguousarray(array) if dimensions else array


def _check_shape(name: str, array: NDArray[Any], shape: Sequence[int | None]) -> None:
    if any(wanted is not None and wanted != length for wanted, length in zip(shape, array.shape, strict=True)):
        raise _invalid(name, f"has shape {array.shape}, not {shape}")


def _invalid(name: str, what: str) -> InvalidBundleError:
    return InvalidBundleError(f"engine array {name} {what}")
