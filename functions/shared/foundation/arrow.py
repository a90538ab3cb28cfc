"""Convert Arrow arrays to and from NumPy and Python, by their buffers.

`pyarrow.array`, `pyarrow.scalar` and `Array.to_numpy` import pandas if it is installed. That takes 1.7 s, and scoring must work
without pandas. Building on buffers avoids the import.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

type Mask = NDArray[np.bool_]


def bitmap(mask: Mask) -> pa.Buffer:
    """Return the mask as Arrow's bits, lowest first."""
    return pa.py_buffer(np.packbits(mask, bitorder="little"))


def booleans(values: Mask, valid: Mask | None = None) -> pa.Array:
    """Return a boolean array; null where `valid` is false."""
    validity = None if valid is None else bitmap(valid)
    return pa.Array.from_buffers(pa.bool_(), len(values), [validity, bitmap(values)])


def fixed_width(values: NDArray[np.generic], kind: pa.DataType, valid: Mask | None = None) -> pa.Array:
    """Return an array of a type as wide as NumPy's; null where `valid` is false."""
    validity = None if valid is None else bitmap(valid)
    return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(np.ascontiguousarray(values))])


def texts(values: Sequence[str | None]) -> pa.Array:
    """Return a string array of Python texts; None becomes null."""
    encoded = [b"" if value is None else value.encode() for value in values]
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(value) for value in encoded], out=offsets[1:])
    valid = np.fromiter((value is not None for value in values), np.bool_, len(values))
    buffers = [bitmap(valid), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(values), buffers)


def mask_of(array: pa.Array) -> Mask:
    """Return a boolean array as NumPy; null becomes false."""
    bits = _bits(array.buffers()[1], array.offset, len(array))
    return bits if array.null_count == 0 else bits & valid_mask(array)


def valid_mask(array: pa.Array) -> Mask:
    """Mark where an array is not null."""
    if array.null_count == 0:
        return np.ones(len(array), np.bool_)
    present = pc.is_valid(array)
    return _bits(present.buffers()[1], present.offset, len(array))


def numbers_of[T: np.generic](array: pa.Array, dtype: type[T]) -> NDArray[T]:
    """Return the values of a fixed-width array, undefined where null; shares memory."""
    width = np.dtype(dtype).itemsize
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(len(array), dtype)
    return np.frombuffer(buffer, dtype, len(array), array.offset * width)


def with_nulls(array: pa.Array, absent: Mask) -> pa.Array:
    """Return the array with null also where `absent` is true; shares memory."""
    if array.offset:
        array = pa.concat_arrays([array])
    buffers = array.buffers()
    validity = bitmap(valid_mask(array) & ~absent)
    if pa.types.is_dictionary(array.type):
        indices = pa.Array.from_buffers(array.type.index_type, len(array), [validity, buffers[1]])
        return pa.DictionaryArray.from_arrays(indices, array.dictionary)
    return pa.Array.from_buffers(array.type, len(array), [validity, *buffers[1:]])


def empty_texts(array: pa.Array) -> Mask:
    """Mark the empty texts of a string array; a null does not count."""
    offsets = np.frombuffer(array.buffers()[1], np.int32, len(array) + 1, array.offset * 4)
    empty: Mask = offsets[1:] == offsets[:-1]
    return empty & valid_mask(array) if array.null_count else empty


def picked(batch: pa.RecordBatch, keep: Mask) -> pa.RecordBatch:
    """Return the rows where `keep` is true."""
    return batch.filter(booleans(keep))


def _bits(buffer: pa.Buffer, offset: int, length: int) -> Mask:
    packed = np.frombuffer(buffer, np.uint8)
    bits: Mask = np.unpackbits(packed, count=offset + length, bitorder="little")[offset:].view(np.bool_)
    return bits
