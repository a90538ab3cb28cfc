"""Bring a category to one form: 1.0 and 1, or True and true, are the same."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from functions.shared.foundation.arrow import Mask, fixed_width, mask_of, numbers_of, texts, valid_mask

_BLANK = r"[\s\v\x1c-\x1f\x{85}\p{Z}]"
_OTHER_FORM = rf"^{_BLANK}|{_BLANK}$|^-?[0-9]+\.0+$|^(?:-0|T(?:rue|RUE)|F(?:alse|ALSE))$|^$"
_WHOLE = re.compile(r"(-?[0-9]+)\.0+")
_SAME = {"-0": "0", "True": "true", "TRUE": "true", "False": "false", "FALSE": "false"}


def canonical_text(text: str) -> str | None:
    """Return a category's text in its one canonical form; None if it is blank.

    A training file, a data frame and a query may write one category differently. Surrounding blanks are removed, a whole number
    loses its `.0`, and True and TRUE become true. Other letter case, leading or trailing zeros and signs may carry meaning and stay.

    >>> [canonical_text(text) for text in ("basic ", "3.0", "TRUE", "007", "1.10", " ")]
    ['basic', '3', 'true', '007', '1.10', None]
    """
    plain = text.strip()
    whole = _WHOLE.fullmatch(plain)
    number = whole[1] if whole else plain
    return _SAME.get(number, number) or None


def are_canonical(categories: pa.ChunkedArray) -> bool:
    """Return whether all categories are in their canonical form."""
    return not any(_others(chunk.dictionary).any() for chunk in categories.chunks)


def canonical_categories(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return the same rows with canonical categories, one dictionary entry each."""
    if not _others(column.dictionary).any():
        return column
    names = [None if name is None else canonical_text(name) for name in column.dictionary.to_pylist()]
    entries = list(dict.fromkeys(name for name in names if name is not None))
    place = {name: code for code, name in enumerate(entries)}
    code_of = np.array([-1 if name is None else place[name] for name in names], np.int32)
    codes = np.where(valid_mask(column), code_of[np.where(valid_mask(column), numbers_of(column.indices, np.int32), 0)], -1)
    return pa.DictionaryArray.from_arrays(fixed_width(codes.astype(np.int32), pa.int32(), codes >= 0), texts(entries))


def _others(names: pa.Array) -> Mask:
    """Mark the texts that are not in canonical form."""
    return mask_of(pc.match_substring_regex(names, _OTHER_FORM))
