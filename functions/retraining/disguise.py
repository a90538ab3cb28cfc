"""Find disguised numbers and days: texts that would be learnt as categories."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from functions.shared.reading.values import to_numbers

SHARE: Final = 0.9
"""Share of a column's values that must be numbers, plain or all in one disguise."""
MOST_TEXTS: Final = 1000
"""Distinct texts that are checked."""


@dataclass(frozen=True, slots=True)
class Disguise:
    """A way to write numbers or days, and its remedy.

    `instead` names the disguise to report if that one occurs in the column as well.
    """

    what: str
    remedy: str
    pattern: re.Pattern[str]
    instead: tuple[str, ...] = ()


_PLAIN, _BY_KIND = "write plain numbers such as 1234.5", "--kind COLUMN=number reads them"
_COMMA_THOUSANDS, _COMMA_DECIMALS = "numbers with a comma for thousands", "numbers with a decimal comma"
_NUMBER = r"[0-9][0-9.,'\u2019  \u202f]*"
_YEAR, _PART = r"[12][0-9]{3}", r"[0-9]{1,2}"
_CURRENCY = r"([$€£¥₹₽₩]|USD|EUR|GBP|CHF|CNY|RMB|JPY)"
_SIGN = rf"\s*({_CURRENCY}|[%‰])\s*"
DISGUISES: Final = (
    Disguise("amounts of money", _BY_KIND, re.compile(rf"[+-]?{_CURRENCY} ?[+-]?{_NUMBER}|[+-]?{_NUMBER} ?{_CURRENCY}")),
    Disguise("percentages", _BY_KIND, re.compile(rf"[+-]?{_NUMBER}[%‰]")),
    Disguise(
        "days",
        "each is a word to the model; --time COLUMN with --time-format reads the column of event time",
        re.compile(rf"({_YEAR}([./-]){_PART}\2{_PART}|{_PART}([./-]){_PART}\3({_YEAR}|[0-9]{{2}}))([ T].*)?"),
    ),
    Disguise(
        "numbers with a comma for thousands or decimals",
        "--thousands , or --decimal , reads them",
        re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}"),
        instead=(_COMMA_THOUSANDS, _COMMA_DECIMALS),
    ),
    Disguise(_COMMA_THOUSANDS, "--thousands , reads them", re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")),
    Disguise(_COMMA_DECIMALS, "--decimal , reads them", re.compile(r"[+-]?[0-9]*,[0-9]+")),
    Disguise(
        "numbers with points for thousands",
        "--decimal , --thousands . reads them",
        re.compile(r"[+-]?[0-9]{1,3}(\.[0-9]{3})+(,[0-9]+)?"),
    ),
    Disguise(
        "numbers with blanks for thousands",
        "--thousands ' ' reads them",
        re.compile(r"[+-]?[0-9]{1,3}([ \u202f][0-9]{3})+([.,][0-9]+)?"),
    ),
    Disguise(
        "numbers with apostrophes for thousands",
        """--thousands "'" reads them""",
        re.compile(r"[+-]?[0-9]{1,3}(['\u2019][0-9]{3})+([.,][0-9]+)?"),
    ),
    Disguise("numbers with a sign in brackets or behind", _PLAIN, re.compile(rf"\({_NUMBER}\)|{_NUMBER}-")),
)


def disguise_of(counts: pa.StructArray) -> Disguise | None:
    """Return the disguise of nearly all texts of a column, apart from plain numbers.

    Args:
        counts: the column's texts and their numbers of rows, as from `pyarrow.compute.value_counts`.
    """
    sampled = _sample(counts)
    disguise = _outer_disguise(sampled)
    if disguise is None or disguise.remedy != _BY_KIND:
        return disguise
    bare = pc.replace_substring_regex(sampled.field("values").cast(pa.string()), _SIGN, "")
    notation = _outer_disguise(pa.StructArray.from_arrays([bare, sampled.field("counts")], ["values", "counts"]))
    return replace(disguise, remedy=f"{notation.remedy.rpartition(' reads')[0]} with {_BY_KIND}") if notation else disguise


def _sample(counts: pa.StructArray) -> pa.StructArray:
    return counts.take(pa.array(np.linspace(0, len(counts) - 1, min(len(counts), MOST_TEXTS)).astype(np.int64)))


def _outer_disguise(counts: pa.StructArray) -> Disguise | None:
    """Return the disguise of nearly all texts, such as a percent sign.

    A currency or percent sign may hide how the number itself is written.
    """
    texts, rows = counts.field("values"), counts.field("counts").to_pylist()
    is_number = ~to_numbers(texts).refused
    found = Counter[str]()
    for text, plain, times in zip(texts.to_pylist(), is_number.tolist(), rows, strict=True):
        if not plain and (disguise := _worn_by(text.strip())):
            found[disguise.what] += times
    if not found or sum(found.values()) + int(np.dot(is_number, rows)) < SHARE * sum(rows):
        return None
    commonest = [disguise for what, _ in found.most_common() for disguise in DISGUISES if disguise.what == what]
    return next((disguise for disguise in commonest if not found.keys() & set(disguise.instead)), None)


def _worn_by(text: str) -> Disguise | None:
    return next((disguise for disguise in DISGUISES if disguise.pattern.fullmatch(text)), None)
