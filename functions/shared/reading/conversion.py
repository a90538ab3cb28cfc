"""Convert a column to the type that its rule requires.

Marks of missing values become null, numbers lose separators and signs, times are parsed, and categories take one form.
"""

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from functions.shared.foundation.arrow import Mask, mask_of, numbers_of, texts, valid_mask, with_nulls
from functions.shared.reading.categories import canonical_categories, canonical_text
from functions.shared.reading.numbers import to_numbers_in
from functions.shared.reading.rules import ColumnKind, Rule, Rules
from functions.shared.reading.times import to_instants_in
from functions.shared.reading.values import CATEGORY, Converted, plain_texts, to_booleans, to_categories, to_ids, to_texts

_BLANKS = " \t"
_BY_VALUE = (ColumnKind.NUMBER, ColumnKind.TIME)
"""Kinds of which -999 and -999.0 are the same value, and the same mark."""


def converted(column: pa.Array, rule: Rule, rules: Rules) -> Converted:
    """Return a column's values in the type of its rule; not for carried columns.

    Raises:
        WrongTypeError: if the column's own type cannot hold values of the rule's kind.
    """
    if rule.kind is ColumnKind.ID:
        return to_ids(column)
    if not (marks := rules.formats.missing):
        return _typed(column, rule, rules)
    if rule.kind not in _BY_VALUE:
        is_by_form = rule.canonical or rule.kind is ColumnKind.BOOLEAN
        return _typed(_without_canonical_marks(column, marks) if is_by_form else without_marks(column, marks), rule, rules)
    found = _typed(without_marks(column, marks) if _is_text(column) else column, rule, rules)
    absent = _typed(_texts(marks), rule, rules).array
    if column.type == pa.float32():  # -999.9 is another number in four bytes
        absent = pc.cast(pc.cast(absent, pa.float32(), safe=False), pa.float64())
    marked = valid_mask(found.array) & np.isin(_values(found.array), _values(absent.drop_null()))
    return Converted(with_nulls(found.array, marked), found.refused) if marked.any() else found


def _typed(column: pa.Array, rule: Rule, rules: Rules) -> Converted:
    """Return a column's values in the type of its rule, named marks included."""
    match rule.kind:
        case ColumnKind.NUMBER:
            return to_numbers_in(column, rules.formats, rule.sign)
        case ColumnKind.BOOLEAN:
            return to_booleans(column)
        case ColumnKind.TIME:
            return to_instants_in(column, rules.formats.time_format, rules.zone)
        case _:
            categories = to_categories(column)
            return Converted(canonical_categories(categories.array), categories.refused) if rule.canonical else categories


def without_marks(column: pa.Array, marks: tuple[str, ...]) -> pa.Array:
    """Replace what is written as one of these marks, blanks aside, by null.

    Numbers and booleans of the column's own type count as they are written in text.
    """
    if not marks:
        return column
    if column.type == CATEGORY:
        valid, entries = valid_mask(column), _are_marks(column.dictionary, marks)
        marked = valid & entries[np.where(valid, numbers_of(column.indices, np.int32), 0)] if len(entries) else ~valid
    else:
        column = plain_texts(column)
        marked = _are_marks(to_texts(column), marks)
    return with_nulls(column, marked) if marked.any() else column


def _without_canonical_marks(column: pa.Array, marks: tuple[str, ...]) -> pa.Array:
    """Replace what is one of these marks as a canonical category by null.

    Where -999 is one, so is -999.0, in text as in numbers of any type.
    """
    named = pc.is_in(canonical_categories(to_categories(column).array).cast(pa.string()), value_set=_canonical(marks))
    return with_nulls(column if column.type == CATEGORY else plain_texts(column), mask_of(named))


def _are_marks(written: pa.Array, marks: tuple[str, ...]) -> Mask:
    return mask_of(pc.is_in(pc.ascii_trim(written, _BLANKS), value_set=_texts(marks)))


def _is_text(column: pa.Array) -> bool:
    return bool(pa.types.is_string(plain_texts(column.slice(0, 0)).type))


def _values(column: pa.Array) -> NDArray[np.float64] | NDArray[np.int64]:
    """Return numbers, or instants in microseconds."""
    return numbers_of(column, np.float64) if pa.types.is_floating(column.type) else numbers_of(column, np.int64)


@cache
def _texts(marks: tuple[str, ...]) -> pa.Array:
    return texts(marks)


@cache
def _canonical(marks: tuple[str, ...]) -> pa.Array:
    return texts([canonical_text(mark) for mark in marks])
