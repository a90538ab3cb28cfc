"""Call the loop of `objects.c`, which places the values of JSON Lines.

A text is a block of whole lines in UTF-8.
"""

import ctypes
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from functions.shared.kernels.fields import FieldKernel, Fields

_ADDRESS, _COUNT = ctypes.c_void_p, ctypes.c_int64
_ARGUMENTS = (_ADDRESS, _COUNT, _ADDRESS, _ADDRESS, _COUNT, _ADDRESS, _ADDRESS, _ADDRESS, _COUNT, _COUNT, _ADDRESS, _ADDRESS)


class Token(IntEnum):
    """What JSON writes as a column's values; the numbers are those of `objects.c`."""

    TEXT = 0
    NUMBER = 1
    INTEGER = 2
    BOOLEAN = 3


class ObjectKernel:
    """Places the values of objects with the same keys."""

    def __init__(self, library: ctypes.CDLL, tokens: Sequence[tuple[str, Token]]) -> None:
        """Take the keys in order, each with what its values are."""
        keys = [key.encode() for key, _ in tokens]
        self._fields = FieldKernel(library, separator=",", columns=len(keys), marks=[""])
        self._keys = b"".join(keys)
        self._offsets = np.cumsum([0, *map(len, keys)], dtype=np.int32)
        self._kinds = np.array([token for _, token in tokens], np.uint8)
        self._loop = library.everscore_objects
        self._loop.argtypes, self._loop.restype = _ARGUMENTS, _COUNT

    def place(self, text: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[Fields, NDArray[np.int64]]:
        """Place the values of lines, valid until this thread places others.

        A null, or the value of an absent key, is a field without length at the text's end.

        Returns:
            The fields, and the places of lines that are set aside, since they are no flat object of such keys and values.
        """
        lines = len(starts)
        fields, odd = self._fields.room(lines), np.empty(lines, np.int64)
        records = self._loop(
            text,
            len(text),
            np.ascontiguousarray(starts).ctypes.data,
            np.ascontiguousarray(ends).ctypes.data,
            lines,
            self._keys,
            self._offsets.ctypes.data,
            self._kinds.ctypes.data,
            len(self._kinds),
            lines,
            fields.ctypes.data,
            odd.ctypes.data,
        )
        aside = odd[: lines - records]
        return Fields(self._fields, text, fields[:, :records], np.empty((0, 2), np.int64)), aside


def absent(fields: Fields, column: int) -> NDArray[np.bool_]:
    """Mark the records whose value is null or absent."""
    marked: NDArray[np.bool_] = fields.places[column]["start"] == len(fields.text)
    return marked
