"""Convert texts and Arrow values to numbers, booleans, times, categories and ids.

A null or an empty text is missing everywhere. In numbers, booleans and times, a text of `MISSING` is missing as well. In
categories and ids it is not, since "NA" may be Namibia there.

A conversion returns the typed array and a mask of the refused values, which are null in the array.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from functions.shared.domain.ids import id_texts, inexact, is_raw
from functions.shared.foundation.arrow import (
    Mask,
    booleans,
    empty_texts,
    fixed_width,
    mask_of,
    numbers_of,
    texts,
    valid_mask,
    with_nulls,
)
from functions.shared.kernels.fields import local_times
from functions.shared.kernels.library import kernel_library

MISSING = (
    *("", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "none", "n/a", "na"),
    *("?", r"\N", "<NA>", "NaT", "-nan", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?", "#NULL!"),
)
"""Spellings of a missing number, boolean or time, in addition to an empty text."""

CATEGORY = pa.dictionary(pa.int32(), pa.string())
INSTANT = pa.timestamp("us", "UTC")

_TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0"})
_FALSE = frozenset({"false", "f", "no", "n", "0", "0.0"})
_SPACES = " \t"
_NUMBER = r"(?i)^[+-]?((([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?)|inf|infinity|nan(\([0-9a-z_]*\))?)$"
_HOUR, _SIXTY = r"([01][0-9]|2[0-3])", r"[0-5][0-9]"
_ZONE = rf"(Z|[+-]{_HOUR}(:?{_SIXTY})?)"
_TIME = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    rf"([T ]{_HOUR}(:{_SIXTY}(:{_SIXTY}(\.[0-9]{{1,9}})?)?)?{_ZONE}?)?$"
)
_ENDS_IN_ZONE = rf"^.{{13,}}{_ZONE}$"
_FIRST_US = -62_135_596_800_000_000
_LAST_US = 253_402_300_799_999_999
_DAY_US = 24 * 60 * 60 * 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Converted:
    """A typed column; `refused` marks values of another kind, null in `array`."""

    array: pa.Array
    refused: Mask


class WrongTypeError(Exception):
    """A native column has a type that cannot hold values of the wanted kind."""


def to_numbers(column: pa.Array) -> Converted:
    """Convert texts, integers, floats, decimals or booleans to float64.

    NaN is missing; infinities stay. A number in text is ASCII: digits with an optional sign, point and exponent, or inf or nan.
    Spaces around it are allowed.
    """
    column = plain_texts(column)
    if pa.types.is_string(column.type):
        return _numbers_of_texts(column)
    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.int8())
    if not (is_real(column.type) or pa.types.is_null(column.type)):
        raise WrongTypeError
    return Converted(_nan_as_null(pc.cast(column, pa.float64(), safe=False)), _none(column))


def to_booleans(column: pa.Array) -> Converted:
    """Convert booleans, the numbers 1 and 0, or texts to booleans.

    The texts are true, t, yes, y, 1 and false, f, no, n, 0, in any letter case.
    """
    column = plain_texts(column)
    if pa.types.is_boolean(column.type):
        return Converted(column, _none(column))
    if not (is_real(column.type) or pa.types.is_string(column.type) or pa.types.is_null(column.type)):
        raise WrongTypeError
    encoded = pc.dictionary_encode(missing_as_null(to_texts(column)))
    words = [word.strip(_SPACES).lower() for word in encoded.dictionary.to_pylist()]
    truth = np.fromiter((word in _TRUE for word in words), np.bool_, len(words))
    known = np.fromiter((word in _TRUE or word in _FALSE for word in words), np.bool_, len(words))
    valid = valid_mask(encoded)
    codes = np.where(valid, numbers_of(encoded.indices, np.int32), 0)
    if not words:
        return Converted(booleans(valid, valid), valid)
    refused = valid & ~known[codes]
    return Converted(booleans(truth[codes], valid & ~refused), refused)


def to_instants(column: pa.Array, zone: ZoneInfo) -> Converted:
    """Convert ISO 8601 texts, dates or timestamps to instants in microseconds.

    Times without an offset are in `zone`. A text is `2013-01-31`, or that with `T` or a space and `05`, `05:15`, `05:15:30` or
    `05:15:30.123456789` (cut to microseconds), and after a time of day an optional `Z`, `+02`, `+0200` or `+02:00`. Years are 1 to
    9999.
    """
    column = plain_texts(column)
    if pa.types.is_string(column.type):
        return _instants_of_texts(column, zone)
    if pa.types.is_null(column.type):
        return Converted(pc.cast(column, INSTANT), _none(column))
    if pa.types.is_date(column.type):
        column = pc.cast(column, pa.timestamp("s"))
    if not pa.types.is_timestamp(column.type):
        raise WrongTypeError
    return _instants_of_timestamps(column, zone)


def to_categories(column: pa.Array) -> Converted:
    """Convert values to a dictionary of texts; an empty text is missing."""
    if column.type != CATEGORY:
        column = pc.dictionary_encode(to_texts(plain_texts(column)))
    empty = empty_texts(column.dictionary)
    if empty.any():
        codes = np.where(valid_mask(column), numbers_of(column.indices, np.int32), 0)
        column = with_nulls(column, empty[codes])
    return Converted(column, _none(column))


def to_ids(column: pa.Array) -> Converted:
    """Return ids as they are; empty texts and NaN are missing.

    A float so large that several integers share it is refused, since it may be another row's id.
    """
    if not isinstance(column.type, pa.BaseExtensionType):
        column = plain_texts(column)
    if pa.types.is_string(column.type):
        return Converted(_empty_as_null(column), _none(column))
    try:
        id_texts(column.slice(0, 0))
    except pa.ArrowException as error:
        raise WrongTypeError from error
    if not pa.types.is_floating(column.type):
        return Converted(column, _none(column))
    refused = inexact(column)
    return Converted(_nan_as_null(with_nulls(column, refused) if refused.any() else column), refused)


def to_texts(column: pa.Array) -> pa.Array:
    """Convert strings, numbers, booleans or times to strings.

    7 and 7.0 both become "7"; NaN is missing.

    Raises:
        WrongTypeError: for nested types and bytes.
    """
    if pa.types.is_string(column.type):
        return column
    if pa.types.is_floating(column.type):
        column = _nan_as_null(column)
    elif pa.types.is_nested(column.type) or is_raw(column.type):
        raise WrongTypeError
    try:
        return pc.cast(column, pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise WrongTypeError from error


def plain_texts(column: pa.Array) -> pa.Array:
    """Remove dictionaries and extension types; turn texts of all widths into strings."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = id_texts(column) if column.type == pa.uuid() else column.storage
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        return pc.cast(column, pa.string())
    return column


def is_real(kind: pa.DataType) -> bool:
    """Return whether values of a type are numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _none(column: pa.Array) -> Mask:
    return np.zeros(len(column), np.bool_)


def _nan_as_null(column: pa.Array) -> pa.Array:
    nan = pc.is_nan(column)
    return with_nulls(column, mask_of(nan)) if nan.true_count else column


def _empty_as_null(column: pa.Array) -> pa.Array:
    empty = empty_texts(column)
    return with_nulls(column, empty) if empty.any() else column


@cache
def _missing_texts() -> pa.Array:
    return texts(MISSING)


def missing_as_null(column: pa.Array) -> pa.Array:
    """Strip blanks around texts, and replace marks of `MISSING` by null."""
    trimmed = pc.ascii_trim(column, _SPACES)
    missing = mask_of(pc.is_in(trimmed, value_set=_missing_texts()))
    return with_nulls(trimmed, missing) if missing.any() else trimmed


def _refusing(column: pa.Array, grammar: str, convert: Callable[[pa.Array], pa.Array]) -> Converted:
    """Convert all at once; if that fails, refuse texts that break the grammar first."""
    try:
        return Converted(convert(column), _none(column))
    except pa.ArrowInvalid:
        refused = valid_mask(column) & ~mask_of(pc.match_substring_regex(column, grammar))
        return Converted(convert(with_nulls(column, refused)), refused)


def _numbers_of_texts(column: pa.Array) -> Converted:
    numbers = _refusing(missing_as_null(column), _NUMBER, lambda plain: pc.cast(plain, pa.float64()))
    return Converted(_nan_as_null(numbers.array), numbers.refused)


def _instants_of_texts(column: pa.Array, zone: ZoneInfo) -> Converted:
    """Convert texts to instants: all at once, or else the plain ones by the kernel."""
    with suppress(pa.ArrowInvalid):
        return _instants_of_timestamps(pc.cast(column, pa.timestamp("us")), zone)
    local, plain = _plain_times(column)
    if not plain.any():
        return _instants_of_other_texts(column, zone)
    times = _instants_of_timestamps(fixed_width(local, pa.timestamp("us"), plain), zone)
    others = _instants_of_other_texts(column.filter(booleans(~plain)), zone)
    values, valid, refused = numbers_of(times.array, np.int64).copy(), valid_mask(times.array), times.refused.copy()
    values[~plain], refused[~plain] = numbers_of(others.array, np.int64), others.refused
    valid[~plain] = valid_mask(others.array)
    return Converted(fixed_width(values, INSTANT, valid), refused)


def _plain_times(column: pa.Array) -> tuple[NDArray[np.int64], Mask]:
    """Return the plain local times of texts, and which texts are such."""
    library, offsets, text = kernel_library(), column.buffers()[1], column.buffers()[2]
    if library is None or text is None:
        return np.zeros(len(column), np.int64), np.zeros(len(column), np.bool_)
    places = np.frombuffer(offsets, np.int32, len(column) + 1, column.offset * 4)
    local, plain = local_times(library, places, np.frombuffer(text, np.uint8))
    return local, plain & valid_mask(column)


def _instants_of_other_texts(column: pa.Array, zone: ZoneInfo) -> Converted:
    """Convert texts to instants by the fastest way that works.

    It tries all texts at once, without missing marks, then without texts that are no times, then one by one.
    """
    present = missing_as_null(column)
    if (alike := _instants_of_like_texts(present, zone)) is not None:
        return alike
    refused = valid_mask(present) & ~mask_of(pc.match_substring_regex(present, _TIME))
    present = with_nulls(present, refused)
    found = _instants_of_like_texts(present, zone) or _instants_of_mixed_texts(present, zone)
    return Converted(found.array, found.refused | refused)


def _instants_of_like_texts(present: pa.Array, zone: ZoneInfo) -> Converted | None:
    """Convert texts that are all times, with an offset in all of them or in none."""
    with suppress(pa.ArrowInvalid):
        return _instants_of_timestamps(pc.cast(present, pa.timestamp("us")), zone)
    with suppress(pa.ArrowInvalid):
        aware = _instants_of_timestamps(pc.cast(present, INSTANT), zone)
        if not _may_be_of_year_zero(aware.array):
            return aware
    return None


def _may_be_of_year_zero(instants: pa.Array) -> bool:
    """Return whether an offset may have moved a time from year 0 into year 1."""
    return bool((numbers_of(instants, np.int64)[valid_mask(instants)] < _FIRST_US + _DAY_US).any())


def _instants_of_mixed_texts(present: pa.Array, zone: ZoneInfo) -> Converted:
    """Convert texts with and without offsets, with nanoseconds, or with invalid days."""
    refused = valid_mask(present) & ~_real_days(present)
    present = pc.replace_substring_regex(with_nulls(present, refused), r"(\.[0-9]{6})[0-9]+", r"\1")
    zoned = mask_of(pc.match_substring_regex(present, _ENDS_IN_ZONE))
    naive = pc.cast(with_nulls(present, zoned), pa.timestamp("us"))
    aware = pc.cast(with_nulls(present, ~zoned), INSTANT)
    local = _instants_of_timestamps(naive, zone)
    values = np.where(zoned, numbers_of(aware, np.int64), numbers_of(local.array, np.int64))
    instants = _within_years(values, valid_mask(aware) | valid_mask(local.array))
    return Converted(instants.array, refused | local.refused | instants.refused)


def _real_days(column: pa.Array) -> Mask:
    """Mark texts that begin with a valid day of the calendar."""
    days = pc.dictionary_encode(pc.utf8_slice_codeunits(column, 0, 10))
    real = np.fromiter((_is_day(day) for day in days.dictionary.to_pylist()), np.bool_, len(days.dictionary))
    valid = valid_mask(days)
    if not len(real):
        return valid
    return valid & real[np.where(valid, numbers_of(days.indices, np.int32), 0)]


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _instants_of_timestamps(column: pa.Array, zone: ZoneInfo) -> Converted:
    """Convert timestamps to instants; those without a zone are local to `zone`."""
    per_unit = {"s": 1_000_000, "ms": 1_000, "us": 1}.get(column.type.unit)
    values = numbers_of(column, np.int64)
    valid = valid_mask(column)
    if per_unit is None:
        values = values // 1_000
    else:
        out = valid & ((values < _FIRST_US // per_unit) | (values > _LAST_US // per_unit))
        values = np.where(valid & ~out, values, 0) * per_unit
    outside = _none(column) if per_unit is None else out
    if column.type.tz is None:
        values = _from_local(values, zone)
    instants = _within_years(values, valid & ~outside)
    return Converted(instants.array, instants.refused | outside)


def _within_years(values: NDArray[np.int64], valid: Mask) -> Converted:
    outside = valid & ((values < _FIRST_US) | (values > _LAST_US))
    return Converted(fixed_width(values, INSTANT, valid & ~outside), outside)


def _from_local(local_us: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    """Convert local times to instants.

    A time that occurs twice means the first; one that is skipped moves forward by the gap. A day that begins and ends with the same
    offset has no other in between. So only the times on the few days when clocks change are looked up one by one.
    """
    if zone.key == "UTC":
        return local_us
    days, positions = np.unique(local_us // _DAY_US, return_inverse=True)
    first, last = (_offsets_us(times, zone) for times in (days * _DAY_US, (days + 1) * _DAY_US - 1))
    offsets = first[positions]
    changing = (first != last)[positions]
    if changing.any():
        times, repeats = np.unique(local_us[changing], return_inverse=True)
        offsets[changing] = _offsets_us(times, zone)[repeats]
    return local_us - offsets


def _offsets_us(local_us: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    return np.fromiter((_offset_us(time, zone) for time in local_us.tolist()), np.int64, len(local_us))


def _offset_us(local_us: int, zone: ZoneInfo) -> int:
    local = (_EPOCH + timedelta(microseconds=local_us)).replace(tzinfo=zone)
    return round((local.utcoffset() or timedelta()) / timedelta(microseconds=1))
