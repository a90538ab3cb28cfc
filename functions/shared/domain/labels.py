"""Class labels as text.

So 1, 1.0, "1" and True from a file, a frame or a query mean one thing everywhere.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

LARGEST_TARGET: Final = 3.4028234663852886e38
"""Of a regression: what four bytes hold, as models read it. Sums of squared losses of larger ones would overflow."""


def canonical_labels(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return labels as strings; null where there is none.

    Whole numbers lose their `.0`, booleans become `true` and `false`, text loses surrounding blanks, empty text is null.

    >>> canonical_labels(pa.array([1.0, 0.0, None])).to_pylist()
    ['1', '0', None]
    >>> canonical_labels(pa.array(["1.0", "True", " yes ", ""])).to_pylist()
    ['1', 'true', 'yes', None]
    """
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    text = pc.utf8_trim_whitespace(pc.cast(values, pa.string()))
    text = pc.replace_substring_regex(text, r"^(-?\d+)\.0+$", r"\1")
    text = pc.if_else(pc.match_substring_regex(text, r"(?i)^(true|false)$"), pc.utf8_lower(text), text)
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def numeric_targets(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return regression targets as float64.

    A value that is missing, is no number or is beyond `LARGEST_TARGET` becomes null.

    >>> numeric_targets(pa.array(["1.5", "", "x", "inf", "-1e80"])).to_pylist()
    [1.5, None, None, None, None]
    """
    types = pa.types
    if not (types.is_integer(values.type) or types.is_floating(values.type) or types.is_decimal(values.type)):
        values = canonical_labels(values)
        readable = pc.match_substring_regex(values, r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")
        values = pc.if_else(readable, values, pa.scalar(None, pa.string()))
    numbers = pc.cast(values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values, pa.float64())
    return pc.if_else(pc.less_equal(pc.abs(numbers), LARGEST_TARGET), numbers, pa.scalar(None, pa.float64()))


def class_codes(labels: pa.Array | pa.ChunkedArray, classes: Sequence[str]) -> NDArray[np.int64]:
    """Return each label's index among the spec's classes, shape (rows,).

    Labels are texts; a missing or unknown one has -1.

    >>> class_codes(pa.array(["yes", None, "no", "?"]), ("no", "yes")).tolist()
    [1, -1, 0, -1]
    """
    indices = pc.index_in(labels, value_set=pa.array(classes, labels.type)).fill_null(-1)
    return np.asarray(indices.to_numpy(), dtype=np.int64)
