"""Call the loops of `fields.c`, which split text into fields and plain columns.

A text is a block of whole records of delimited text in UTF-8, in which every quote is closed.
"""

import ctypes
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

type Numbers = tuple[NDArray[np.float64], NDArray[np.uint8] | None]
"""The values of a column, shape (records,), and Arrow's validity bits; None if no value is missing."""

LONGEST_MARK = 7
"""Bytes of the longest mark of a missing number; a column with a longer one is not plain."""

_NOT_PLAIN = -1
_MOST_CATEGORIES = 2**14
_SLOT_BITS = 15
_FIELD = np.dtype([("start", np.uint32), ("length", np.uint32)])
_ADDRESS, _COUNT = ctypes.c_void_p, ctypes.c_int64
_LOOPS = {
    "everscore_most_records": (_ADDRESS, _COUNT),
    "everscore_split": (_ADDRESS, _COUNT, ctypes.c_uint8, _COUNT, _COUNT, _ADDRESS, _ADDRESS, _ADDRESS),
    "everscore_numbers": (_ADDRESS, _ADDRESS, _COUNT, _ADDRESS, _COUNT, _ADDRESS, _ADDRESS),
    "everscore_times": (_ADDRESS, _ADDRESS, _COUNT, _ADDRESS),
    "everscore_offsets": (_ADDRESS, _COUNT, _ADDRESS),
    "everscore_texts": (_ADDRESS, _ADDRESS, _COUNT, _ADDRESS),
    "everscore_categories": (_ADDRESS, _ADDRESS, _COUNT, ctypes.c_int32, _ADDRESS, _ADDRESS, _ADDRESS),
}
"""Arguments of the C functions; each returns a count, or `_NOT_PLAIN`."""


class FieldKernel:
    """Splits texts into fields."""

    def __init__(self, library: ctypes.CDLL, *, separator: str, columns: int, marks: Sequence[str]) -> None:
        """Prepare for texts that have the same columns.

        Args:
            library: the result of `kernel_library`.
            separator: one ASCII character.
            columns: the number of fields that a record should have.
            marks: texts of up to `LONGEST_MARK` bytes that mark a missing number.
        """
        self.library = library
        self.marks = np.array([_short_word(mark.encode()) for mark in marks], np.uint64)
        self._rooms = threading.local()
        self._separator, self._columns = ord(separator), columns
        for name, arguments in _LOOPS.items():
            loop = getattr(library, name)
            loop.argtypes, loop.restype = arguments, _COUNT

    def split(self, text: bytes) -> "Fields | None":
        """Split a text into fields, valid until this thread splits another text.

        Return None if a quoted field contains quotes, or if carriage returns alone end lines.
        """
        most = self.library.everscore_most_records(text, len(text))
        if most == _NOT_PLAIN:
            return None
        fields, odd, odd_count = self.room(most), np.empty((most, 2), np.int64), ctypes.c_int64()
        made = fields.ctypes.data, odd.ctypes.data, ctypes.byref(odd_count)
        records = self.library.everscore_split(text, len(text), self._separator, self._columns, most, *made)
        if records == _NOT_PLAIN:
            return None
        return Fields(self, text, fields[:, :records], odd[: odd_count.value])

    def room(self, records: int) -> NDArray[Any]:
        """Return a thread's buffer for the fields of this many records.

        It is reused for all texts of the thread, since allocating memory costs more than filling it.
        """
        room = getattr(self._rooms, "room", None)
        if room is None or room.size < self._columns * records:
            room = self._rooms.room = np.empty(self._columns * records * 9 // 8, _FIELD)
        return room[: self._columns * records].reshape(self._columns, records)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a text.

    Attributes:
        places: the place of each field, shape (columns, records), for records that have one field per column.
        odd: for each other record its place among all records, and its number of fields.
    """

    kernel: FieldKernel
    text: bytes
    places: NDArray[Any]
    odd: NDArray[np.int64]

    @property
    def records(self) -> int:
        """Return the number of records that have one field per column."""
        return int(self.places.shape[1])

    def numbers(self, column: int) -> Numbers | None:
        """Return a column of plain or missing numbers; None if it holds anything else."""
        values, valid = np.empty(self.records), np.empty((self.records + 7) // 8, np.uint8)
        marks = self.kernel.marks
        missing = self.kernel.library.everscore_numbers(
            *self._fields(column), marks.ctypes.data, len(marks), values.ctypes.data, valid.ctypes.data
        )
        return None if missing == _NOT_PLAIN else (values, valid if missing else None)

    def times(self, column: int) -> NDArray[np.int64] | None:
        """Return a column of local times in microseconds since 1970.

        Return None if a text is no time, or has an offset.
        """
        values = np.empty(self.records, np.int64)
        return None if self.kernel.library.everscore_times(*self._fields(column), values.ctypes.data) == _NOT_PLAIN else values

    def texts(self, column: int) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Return a column's text offsets, one more than texts, and its UTF-8 bytes."""
        offsets = np.empty(self.records + 1, np.int32)
        address = self._fields(column)
        size = self.kernel.library.everscore_offsets(*address[1:], offsets.ctypes.data)
        together = np.empty(size, np.uint8)
        self.kernel.library.everscore_texts(*address, together.ctypes.data)
        return offsets, together

    def categories(self, column: int) -> tuple[NDArray[np.int32], list[str]] | None:
        """Return each record's category number, and the texts in order; None if too many."""
        codes, slots = np.empty(self.records, np.int32), np.zeros(2**_SLOT_BITS, np.int32)
        firsts = np.empty(_MOST_CATEGORIES, _FIELD)
        known = self.kernel.library.everscore_categories(
            *self._fields(column), _SLOT_BITS, slots.ctypes.data, codes.ctypes.data, firsts.ctypes.data
        )
        if known == _NOT_PLAIN:
            return None
        return codes, [self.text[start : start + length].decode() for start, length in firsts[:known].tolist()]

    def _fields(self, column: int) -> tuple[bytes, int, int]:
        return self.text, self.places[column].ctypes.data, self.records


def local_times(library: ctypes.CDLL, offsets: NDArray[np.int32], text: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return texts that are plain local times, and which are.

    Args:
        library: the result of `kernel_library`.
        offsets: where the texts begin, and where the last one ends.
        text: all texts one behind the other.

    Returns:
        Microseconds since 1970, 0 for the other texts, and the mask of the plain ones.
    """
    records = len(offsets) - 1
    values, plain = np.empty(records, np.int64), np.empty(records, np.bool_)
    loop = library.everscore_some_times
    loop.argtypes, loop.restype = (_ADDRESS, _ADDRESS, _COUNT, _ADDRESS, _ADDRESS), _COUNT
    loop(text.ctypes.data, offsets.ctypes.data, records, values.ctypes.data, plain.ctypes.data)
    return values, plain


def _short_word(text: bytes) -> int:
    """Pack a short text into one word, as `fields.c` does."""
    return int.from_bytes(text.ljust(LONGEST_MARK, b"\0") + bytes([len(text)]), "little")
