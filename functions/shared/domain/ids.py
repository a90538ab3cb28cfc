"""The one text of an id, by which rows, labels and people meet.

A file may keep the id in any type.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from functions.shared.foundation.arrow import Mask, bitmap, booleans, fixed_width, mask_of, numbers_of, texts, valid_mask, with_nulls

_FLOATS: Mapping[pa.DataType, tuple[type[np.floating], int]] = {
    pa.float16(): (np.float16, 11),
    pa.float32(): (np.float32, 24),
    pa.float64(): (np.float64, 53),
}
"""NumPy's type of a float, and the power of 2 up to which each integer has a float of its own."""

_TEXTS = (pa.string(), pa.large_string(), pa.string_view())
_ZEROS_AT_END = r"(\.[0-9]*[1-9])0+$|\.0+$"
_WHOLE_WITH_POINT = r"^(-?(?:0|[1-9][0-9]*))\.0+$"
_WITH_EXPONENT = r"^-?[0-9](?:\.[0-9]+)?e\+[0-9]{2,3}$"
_UUID_BYTES, _UUID_CHARACTERS, _HYPHENS = 16, 36, (8, 13, 18, 23)
_DIGITS = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), np.uint8).reshape(256, 2)


def id_texts[T: (pa.Array, pa.ChunkedArray)](ids: T) -> T:
    """Ids as strings; null where there is none.

    Whole numbers have one text, whether they come as integers, floats, decimals or text (`7`, `7.0`); so have floats that an
    earlier version stored as text (`1.9999007021e+10`). A UUID has its usual text; all other text is its own.

    Raises:
        pa.ArrowException: for types whose values have no text: nested ones and bytes.

    >>> id_texts(pa.array([7.0, 19999007021.0, None])).to_pylist(), id_texts(pa.array(["7.0", "007", "1.9999007021e+10"])).to_pylist()
    (['7', '19999007021', None], ['7', '007', '19999007021'])
    """
    if isinstance(ids, pa.ChunkedArray):
        return pa.chunked_array([id_texts(chunk) for chunk in ids.chunks], pa.string())
    if pa.types.is_dictionary(ids.type):
        return id_texts(ids.dictionary).take(ids.indices)
    if isinstance(ids.type, pa.BaseExtensionType):
        return _uuid_texts(ids) if ids.type == pa.uuid() else id_texts(ids.storage)
    return _texts(ids)


def is_raw(kind: pa.DataType) -> bool:
    """Return whether values are bytes that mean nothing by themselves."""
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind)
    )


def inexact(ids: pa.Array) -> Mask:
    """Return where an id is a float too large to be exact.

    Such an id may be another one, rounded.
    """
    if ids.type not in _FLOATS:
        return np.zeros(len(ids), np.bool_)
    dtype, exact = _FLOATS[ids.type]
    large: Mask = np.abs(numbers_of(ids, dtype).astype(np.float64)) > 2.0**exact
    return large & valid_mask(ids)


def _texts(ids: pa.Array) -> pa.Array:
    if pa.types.is_floating(ids.type):
        return _float_texts(ids)
    if is_raw(ids.type):
        message = f"{ids.type} has no text"
        raise pa.ArrowNotImplementedError(message)
    written = pc.cast(ids, pa.string())
    if pa.types.is_decimal(ids.type):
        plain = _rewritten(written, r"E", lambda text: format(Decimal(text), "f"))
        return pc.replace_substring_regex(plain, _ZEROS_AT_END, r"\1")
    return _as_integers(written) if ids.type in _TEXTS else written


def _float_texts(ids: pa.Array) -> pa.Array:
    values = numbers_of(ids, _FLOATS[ids.type][0]).astype(np.float64)
    present = valid_mask(ids) & ~np.isnan(values)
    whole = present & (values == np.floor(values)) & (np.abs(values) <= 2.0**53)
    integers = pc.cast(fixed_width(np.where(whole, values, 0).astype(np.int64), pa.int64(), whole), pa.string())
    if (whole == present).all():
        return integers
    others = pc.cast(with_nulls(ids, ~present), pa.string())
    return pc.coalesce(integers, _as_integers(others))


def _as_integers(written: pa.Array) -> pa.Array:
    """Texts, those of whole numbers as the texts of integers."""
    if pc.any(pc.match_substring(written, ".0")).as_py():
        written = pc.replace_substring_regex(written, _WHOLE_WITH_POINT, r"\1")
    if pc.any(pc.match_substring(written, "e+")).as_py():
        written = _rewritten(written, _WITH_EXPONENT, lambda text: str(int(float(text))))
    return written


def _rewritten(written: pa.Array, pattern: str, rewrite: Callable[[str], str]) -> pa.Array:
    """Texts, those in which a pattern is found written in another way; they are few."""
    found = mask_of(pc.match_substring_regex(written, pattern))
    return pc.replace_with_mask(written, booleans(found), texts([rewrite(text) for text in written.filter(booleans(found)).to_pylist()]))


def _uuid_texts(ids: pa.ExtensionArray) -> pa.Array:
    stored, rows = ids.storage, len(ids)
    values = np.frombuffer(stored.buffers()[1], np.uint8, _UUID_BYTES * rows, _UUID_BYTES * stored.offset).reshape(rows, _UUID_BYTES)
    characters = np.full((rows, _UUID_CHARACTERS), ord("-"), np.uint8)
    characters[:, np.delete(np.arange(_UUID_CHARACTERS), _HYPHENS)] = _DIGITS[values].reshape(rows, 2 * _UUID_BYTES)
    offsets = np.arange(rows + 1, dtype=np.int32) * _UUID_CHARACTERS
    buffers = [bitmap(valid_mask(stored)), pa.py_buffer(offsets), pa.py_buffer(characters)]
    return pa.Array.from_buffers(pa.string(), rows, buffers)
