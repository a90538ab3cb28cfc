"""Read numbers in other notations: `1.234,5` for 1234.5, `12 %`, `$12`."""

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
"""Thousands separators, each with the characters that look like it."""


def is_number(text: str) -> bool:
    """Return whether a text is a number in the usual notation."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_dressed(formats: Formats, sign: str) -> bool:
    """Return whether numbers are written differently from `1234.5`."""
    return bool(sign or formats.thousands or formats.decimal != ".")


def example(formats: Formats, sign: str) -> str:
    """Return an example of a number in this notation.

    >>> example(Formats(decimal=",", thousands="."), "%")
    '1.234,5 %'
    """
    return f"1{formats.thousands}234{formats.decimal}5{' ' * bool(sign)}{sign}"


def to_numbers_in(column: pa.Array, formats: Formats, sign: str = "") -> Converted:
    """Convert texts in this notation, and only those, to float64.

    Thousands separators and the currency sign are optional. The percent sign is required, since 0.5 may mean 50 %. Numbers in the
    file's own numeric types stay as they are, but are refused as percentages.
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
    """Return numbers as plain texts, null if missing or refused; and the refused."""
    present = missing_as_null(column)
    refused = valid_mask(present) & ~mask_of(pc.match_substring_regex(present, _grammar(formats, sign)))
    digits = pc.replace_substring_regex(with_nulls(present, refused), _removed(formats, sign), "")
    return pc.replace_substring(digits, formats.decimal, "."), refused


def signs_in(column: pa.Array) -> set[str]:
    """Return the currency and percent signs before or after a column's numbers."""
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
    """Return the pattern of the characters that a plain number does not have."""
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
