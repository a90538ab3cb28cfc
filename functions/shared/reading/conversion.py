"""Convert a column to the type that its rule requires.

Marks of missing values become null, numbers lose separators and signs, times are parsed, and categories take one form.
"""

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from functions.shared.foundation.arrow import Mask, mask_of, numbers_of, texts, valid_mask, with_nulls
from functions.shared.reading.categories import canonical_categories
from functions.shared.reading.numbers import to_numbers_in
from functions.shared.reading.rules import ColumnKind, Rule, Rules
from functions.shared.reading.times import to_instants_in
from functions.shared.reading.values import Converted, to_booleans, to_categories, to_ids

_BLANKS = " \t"


def converted(column: pa.Array, rule: Rule, rules: Rules) -> Converted:
    """Return a column's values in the type of its rule; not for carried columns.

    Raises:
        WrongTypeError: if the column's own type cannot hold values of the rule's kind.
    """
    if rule.kind is ColumnKind.ID:
        return to_ids(column)
    present = without_marks(column, rules.formats.missing)
    match rule.kind:
        case ColumnKind.NUMBER:
            return to_numbers_in(present, rules.formats, rule.sign)
        case ColumnKind.BOOLEAN:
            return to_booleans(present)
        case ColumnKind.TIME:
            return to_instants_in(present, rules.formats.time_format, rules.zone)
        case _:
            categories = to_categories(present)
            return Converted(canonical_categories(categories.array), categories.refused) if rule.canonical else categories


def without_marks(column: pa.Array, marks: tuple[str, ...]) -> pa.Array:
    """Replace these marks, with or without surrounding blanks, by null."""
    if not marks:
        return column
    column = pc.cast(column, pa.string()) if pa.types.is_large_string(column.type) else column
    entries = column.dictionary if pa.types.is_dictionary(column.type) else column
    if not pa.types.is_string(entries.type):
        return column
    marked = mask_of(pc.is_in(pc.ascii_trim(entries, _BLANKS), value_set=_texts(marks)))
    if not marked.any():
        return column
    return with_nulls(column, _of_rows(marked, column) if pa.types.is_dictionary(column.type) else marked)


def _of_rows(entries: Mask, column: pa.DictionaryArray) -> Mask:
    valid = valid_mask(column)
    of_rows: Mask = valid & entries[np.where(valid, numbers_of(pc.cast(column.indices, pa.int32()), np.int32), 0)]
    return of_rows


@cache
def _texts(marks: tuple[str, ...]) -> pa.Array:
    return texts(marks)
