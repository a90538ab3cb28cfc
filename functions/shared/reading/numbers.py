"""Numbers in another dress: `1.234,5` for 1234.5, `12 %`, `$12`."""

import re
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from functions.shared.domain.formats import Formats
from functions.shared.foundation.arrow import Mask, mask_of, valid_mask, with_nulls
from functions.shared.reading.values import Converted, missing_as_null, plain_texts, to_numbers

PERCENTS = "%\N{PER MILLE SIGN}"
_SIGN = rf"[{PERCENTS}]|\p{{Sc}}|元|[A-Z]{{3}}"
_BLANK = r"[\s\x{a0}\x{202f}]*"
_ALIKE = {" ": r"[ \x{a0}\x{202f}]", "'": r"['\x{2019}]"}
"""Signs between thousands that look the same."""


def is_dressed(formats: Formats, sign: str) -> bool:
    """Whether numbers are written otherwise than `1234.5`."""
    return bool(sign or formats.thousands or formats.decimal != ".")


def example(formats: Formats, sign: str) -> str:
    """How a number is to be written.

    >>> example(Formats(decimal=",", thousands="."), "%")
    '1.234,5 %'
    """
    return f"1{formats.thousands}234{formats.decimal}5{' ' * bool(sign)}{sign}"


def to_numbers_in(column: pa.Array, formats: Formats, sign: str = "") -> Converted:
    """Float64 from texts in this dress, and no others; numbers of the file's own types are as they are, but never a percentage.

    Thousands may be separated or not, and a currency sign be there or not; a percent sign must be, for 0.5 may be 50 %.
    """
    column = plain_texts(column)
    if not is_dressed(formats, sign):
        return to_numbers(column)
    if not pa.types.is_string(column.type):
        typed = to_numbers(column)
        refused = valid_mask(typed.array) if _is_percent(sign) else typed.refused
        return Converted(with_nulls(typed.array, refused), refused)
    plain, refused = undressed(column, formats, sign)
    numbers = to_numbers(plain)
    return Converted(numbers.array, numbers.refused | refused)


def undressed(column: pa.Array, formats: Formats, sign: str = "") -> tuple[pa.Array, Mask]:
    """The texts of numbers in the plain dress, null where one is missing or no number; and where it is none."""
    present = missing_as_null(column)
    refused = valid_mask(present) & ~mask_of(pc.match_substring_regex(present, _grammar(formats, sign)))
    digits = pc.replace_substring_regex(with_nulls(present, refused), _removed(formats, sign), "")
    return pc.replace_substring(digits, formats.decimal, "."), refused


def signs_in(column: pa.Array) -> set[str]:
    """The currency and percent signs that stand before or behind a column's numbers."""
    column = plain_texts(column)
    if not pa.types.is_string(column.type):
        return set()
    found = pc.extract_regex(missing_as_null(column), rf"(?P<before>{_SIGN}){_BLANK}[+-]?[.,]?[0-9]|[0-9]{_BLANK}(?P<behind>{_SIGN})")
    return {sign for place in ("before", "behind") for sign in pc.unique(found.field(place)).to_pylist() if sign}


def _is_percent(sign: str) -> bool:
    return bool(sign) and sign in PERCENTS


def _between(formats: Formats) -> str:
    return _ALIKE.get(formats.thousands, re.escape(formats.thousands))


@cache
def _removed(formats: Formats, sign: str) -> str:
    """What is no part of a plain number."""
    return "|".join([r"[\s\x{a0}\x{202f}]", *filter(None, (re.escape(sign), _between(formats)))])


@cache
def _grammar(formats: Formats, sign: str) -> str:
    decimal, between = re.escape(formats.decimal), _between(formats)
    whole = rf"(?:[0-9]{{1,3}}(?:{between}[0-9]{{3}})+|[0-9]+)" if between else "[0-9]+"
    number = rf"(?:{whole}(?:{decimal}[0-9]*)?|{decimal}[0-9]+)(?:[eE][+-]?[0-9]+)?"
    if not sign:
        return rf"^[+-]?{number}$"
    before, behind = rf"{re.escape(sign)}{_BLANK}[+-]?{number}", rf"{number}{_BLANK}{re.escape(sign)}"
    bare = "" if _is_percent(sign) else rf"|{number}"
    return rf"^[+-]?{_BLANK}(?:{before}|{behind}{bare})$"
