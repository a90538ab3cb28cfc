"""Read a compiled engine's arrays by name, each checked before it is indexed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.errors import InvalidBundleError
from functions.shared.engines.engine import Floats, Reals


@dataclass(frozen=True, slots=True)
class Arrays:
    """Stored arrays; readers raise `InvalidBundleError` for a missing or bad one."""

    stored: Mapping[str, NDArray[Any]]

    def __contains__(self, name: str) -> bool:
        """Return whether an array of this name is stored."""
        return name in self.stored

    def text(self, name: str) -> str:
        """Return a single text."""
        array = self._typed(name, "U", 0)
        return str(array)

    def floats(self, name: str, *shape: int | None, finite: bool = True) -> Floats:
        """Return float64 values of a shape (None: any length), finite by default."""
        array = self._typed(name, "f", len(shape))
        _check_shape(name, array, shape)
        if array.dtype != np.float64 or (finite and not np.isfinite(array).all()):
            raise _invalid(name, "holds other values than finite float64")
        return array

    def reals(self, name: str, *shape: int | None, like: Reals | None = None) -> NDArray[Any]:
        """Return finite numbers of a shape, in single or double precision (or as `like`)."""
        array = self._typed(name, "f", len(shape))
        _check_shape(name, array, shape)
        if array.dtype not in (np.float64, np.float32) or (like is not None and array.dtype != like.dtype):
            raise _invalid(name, f"is {array.dtype} and not {'float64 or float32' if like is None else like.dtype}")
        if not np.isfinite(array).all():
            raise _invalid(name, "holds other values than finite numbers")
        return array

    def divisor(self) -> float:
        """Return the divisor of sums: the number of averaged trees; 1 if none is stored."""
        divisor = self._number("divisor")
        if divisor < 1:
            raise _invalid("divisor", "is below 1")
        return divisor

    def scale(self) -> float:
        """Return the factor of sums before the link, above 0; 1 if none is stored."""
        scale = self._number("scale")
        if scale <= 0:
            raise _invalid("scale", "is not above 0")
        return scale

    def _number(self, name: str) -> float:
        return float(self.floats(name, 1)[0]) if name in self else 1.0

    def edges(self, name: str) -> Floats:
        """Return strictly increasing finite numbers."""
        array = self.floats(name, None)
        if np.any(array[1:] <= array[:-1]):
            raise _invalid(name, "does not increase strictly")
        return array

    def integers(self, name: str, *, below: int | None = None) -> NDArray[np.int64]:
        """Return one dimension of int64 values from 0 to less than `below`."""
        array = self._typed(name, "i", 1)
        if array.dtype != np.int64 or np.any(array < 0) or (below is not None and np.any(array >= below)):
            raise _invalid(name, f"holds other values than int64 from 0 to below {below}")
        return array

    def octets(self, name: str) -> NDArray[np.uint8]:
        """Return one dimension of bytes."""
        array = self._typed(name, "u", 1)
        if array.dtype != np.uint8:
            raise _invalid(name, "does not hold bytes")
        return array

    def words(self, name: str, rows: int | None, *, like: NDArray[np.unsignedinteger[Any]] | None) -> NDArray[Any]:
        """Return masks of 32 or 64 bits: `rows` rows (None: any), otherwise like `like`."""
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
