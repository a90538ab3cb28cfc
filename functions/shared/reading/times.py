"""Read times other than ISO 8601: a `strptime` pattern, or seconds since 1970."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from functions.shared.domain.formats import EPOCHS
from functions.shared.foundation.arrow import Mask, fixed_width, mask_of, numbers_of, texts, valid_mask, with_nulls
from functions.shared.reading.values import INSTANT, Converted, missing_as_null, plain_texts, to_instants, to_numbers, to_texts

_LOCAL: Final = pa.timestamp("us")
_FIRST_LIKELY, _LAST_LIKELY = 1e14, 4.2e15
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_OFFSET = r"Z|[+-][0-9]{2}(?::?[0-9]{2})?"
_HALF = r"[AaPp]\.?[Mm]\.?"
_CLOCK = (
    rf"(?:[T\s]\s*(?P<hour>[0-9]{{1,2}})(?::(?P<minute>[0-9]{{2}})(?::(?P<second>[0-9]{{2}})(?:[.,](?P<fraction>[0-9]{{1,9}}))?)?)?"
    rf"(?:\s?(?P<half>{_HALF}))?(?:\s?(?P<offset>{_OFFSET}))?)?"
)
"""An optional time of day after a day."""
_PARTS: Final = {
    "Y": r"(?P<year>[0-9]{4})",
    "y": r"(?P<short_year>[0-9]{2})",
    "m": r"(?P<month>[0-9]{1,2})",
    "b": r"(?P<month_name>[A-Za-z]{3,9})\.?",
    "B": r"(?P<month_name>[A-Za-z]{3,9})\.?",
    "d": r"(?P<day>[0-9]{1,2})",
    "H": r"(?P<hour>[0-9]{1,2})",
    "I": r"(?P<hour>[0-9]{1,2})",
    "M": r"(?P<minute>[0-9]{1,2})",
    "S": r"(?P<second>[0-9]{1,2})",
    "f": r"(?P<fraction>[0-9]{1,9})",
    "p": rf"(?P<half>{_HALF})",
    "z": rf"(?P<offset>{_OFFSET})",
}


def to_instants_in(column: pa.Array, time_format: str | None, zone: ZoneInfo) -> Converted:
    """Convert times of this format, or else of ISO 8601, to instants.

    Args:
        column: texts, numbers, dates or timestamps.
        time_format: a pattern of `strptime` (if it has no hour, a time of day may follow), one of `EPOCHS`, or None.
        zone: the zone of times without an offset.

    Raises:
        WrongTypeError: if the column is of another type.
    """
    column = plain_texts(column)
    if time_format is None or pa.types.is_temporal(column.type):
        return to_instants(column, zone)
    formed = _since_1970(column, time_format) if time_format in EPOCHS else _by_pattern(to_texts(column), time_format, zone)
    if not formed.refused.any() or not pa.types.is_string(column.type):
        return formed
    others = to_instants(with_nulls(column, ~formed.refused), zone)
    values = np.where(formed.refused, numbers_of(others.array, np.int64), numbers_of(formed.array, np.int64))
    return Converted(fixed_width(values, INSTANT, valid_mask(others.array) | valid_mask(formed.array)), others.refused)


def _since_1970(column: pa.Array, unit: str) -> Converted:
    """Convert numbers to instants, if in 1973 to 2103; others may have another unit."""
    numbers = to_numbers(column)
    values = np.where(valid_mask(numbers.array), numbers_of(numbers.array, np.float64), np.nan)
    microseconds = EPOCHS[unit]
    likely = (values * microseconds >= _FIRST_LIKELY) & (values * microseconds < _LAST_LIKELY)
    instants = np.rint(np.where(likely, values, 0) * microseconds).astype(np.int64)
    return Converted(fixed_width(instants, INSTANT, likely), numbers.refused | (valid_mask(numbers.array) & ~likely))


def _by_pattern(column: pa.Array, pattern: str, zone: ZoneInfo) -> Converted:
    present = missing_as_null(column)
    fields = _Fields(pc.extract_regex(present, regular_expression(pattern)))
    local = ((fields.days() * 24 + fields.hours()) * 60 + fields["minute"]) * 60 + fields["second"]
    times = fields.real & (fields["minute"] < 60) & (fields["second"] < 60)
    microseconds = np.where(times, local * 1_000_000 + fields.fractions(), 0)
    offsets, named = fields.offsets()
    aware = to_instants(fixed_width(microseconds - offsets, INSTANT, times & named), zone)
    naive = to_instants(fixed_width(microseconds, _LOCAL, times & ~named), zone)
    values = np.where(named, numbers_of(aware.array, np.int64), numbers_of(naive.array, np.int64))
    found = valid_mask(aware.array) | valid_mask(naive.array)
    return Converted(fixed_width(values, INSTANT, found), valid_mask(present) & ~found)


@cache
def regular_expression(pattern: str) -> str:
    """Return a regular expression for a pattern; adjoining numbers have two digits."""
    tokens = re.findall(r"%.|[^%]", pattern)
    written = []
    for before, token, behind in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False):
        if token.startswith("%"):
            part = _PARTS[token[1]]
            packed = (before + behind).count("%")
            written.append(part.replace("{1,2}", "{2}") if packed else part)
        else:
            written.append(r"\s+" if token.isspace() else re.escape(token))
    return f"^{''.join(written)}{'' if {'%H', '%I'} & set(tokens) else _CLOCK}$"


@dataclass
class _Fields:
    """The parts of texts that match a pattern."""

    found: pa.StructArray

    def __post_init__(self) -> None:
        self.names = {field.name for field in self.found.type}
        self.real: Mask = valid_mask(self.found)
        """Which texts match and, as far as checked, are valid times of the calendar."""

    def __getitem__(self, name: str) -> NDArray[np.int64]:
        """Return a part as numbers; 0 where it is left out."""
        if name not in self.names:
            return np.zeros(len(self.found), np.int64)
        digits = pc.replace_substring_regex(pc.struct_field(self.found, name), "^$", "0")
        numbers = pc.cast(digits, pa.int64())
        return np.where(valid_mask(numbers), numbers_of(numbers, np.int64), 0)

    def days(self) -> NDArray[np.int64]:
        """Return days since 1970; days that the calendar lacks become no match."""
        year, day = self._years(), self["day"]
        months = (year - 1970) * 12 + self._months() - 1
        first, next_first = (_first_days(months + ahead) for ahead in (0, 1))
        self.real &= (year >= 1) & (day >= 1) & (day <= next_first - first)
        return np.where(self.real, first + day - 1, 0)

    def hours(self) -> NDArray[np.int64]:
        """Return hours of the day; with a.m. or p.m. they run from 12 to 11."""
        hour, half = self["hour"], self._halves()
        self.real &= np.where(half < 0, hour < 24, (hour >= 1) & (hour <= 12))
        hours: NDArray[np.int64] = np.where(half < 0, hour, hour % 12 + 12 * half)
        return hours

    def fractions(self) -> NDArray[np.int64]:
        """Return microseconds; smaller units are cut off."""
        if "fraction" not in self.names:
            return np.zeros(len(self.found), np.int64)
        lengths = pc.cast(pc.utf8_length(pc.struct_field(self.found, "fraction")), pa.int64())
        places = np.where(valid_mask(lengths), numbers_of(lengths, np.int64), 0)
        scale: NDArray[np.int64] = 10 ** (9 - places)
        return self["fraction"] * scale // 1000

    def offsets(self) -> tuple[NDArray[np.int64], Mask]:
        """Return microseconds ahead of UTC, and which texts state an offset."""
        nothing = np.zeros(len(self.found), np.int64)
        if "offset" not in self.names:
            return nothing, nothing > 0
        encoded = pc.dictionary_encode(pc.struct_field(self.found, "offset"))
        written = encoded.dictionary.to_pylist()
        ahead = np.array([*map(_microseconds, written), 0], np.int64)
        named = np.array([*map(bool, written), False], np.bool_)
        codes = np.where(valid_mask(encoded), numbers_of(encoded.indices, np.int32), len(written))
        return ahead[codes], named[codes]

    def _years(self) -> NDArray[np.int64]:
        if "short_year" not in self.names:
            return self["year"]
        short = self["short_year"]
        return np.where(short < 69, 2000, 1900) + short

    def _months(self) -> NDArray[np.int64]:
        if "month_name" not in self.names:
            month = self["month"]
        else:
            short = pc.utf8_lower(pc.utf8_slice_codeunits(pc.struct_field(self.found, "month_name"), 0, 3))
            place = pc.index_in(short, value_set=texts(_MONTHS))
            month = np.where(valid_mask(place), numbers_of(place, np.int32), -1).astype(np.int64) + 1
        self.real &= (month >= 1) & (month <= 12)
        return np.where(self.real, month, 1)

    def _halves(self) -> NDArray[np.int64]:
        """Return 0 before noon and 1 after it; -1 if the text has neither."""
        if "half" not in self.names:
            return np.full(len(self.found), -1, np.int64)
        half = pc.struct_field(self.found, "half")
        after, before = (mask_of(pc.starts_with(half, letter, ignore_case=True)) for letter in "pa")
        return np.where(after, 1, np.where(before, 0, -1)).astype(np.int64)


def _first_days(months: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return days from 1970 to the first of a month; months are counted from 1970."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _microseconds(offset: str) -> int:
    digits = re.sub(r"\D", "", offset).ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return (-1 if offset.startswith("-") else 1) * minutes * 60 * 1_000_000
