"""Labels as a file gives them: canonical, and null where a mark says that there is none."""

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from functions.shared.domain.labels import canonical_labels, numeric_targets
from functions.shared.reading.values import MISSING


def labels_given(values: pa.Array | pa.ChunkedArray, classes: Collection[str]) -> pa.Array:
    """Class labels as text; null where there is none, or a mark of `MISSING` that is none of `classes`.

    >>> labels_given(pa.array(["yes", "NA", " no ", ""]), ()).to_pylist()
    ['yes', None, 'no', None]
    >>> labels_given(pa.array(["full", "none"]), ["full", "none"]).to_pylist()
    ['full', 'none']
    """
    labels = canonical_labels(values)
    marks = pa.array([mark for mark in MISSING if mark not in classes], pa.string())
    return pc.if_else(pc.is_in(labels, value_set=marks), pa.scalar(None, pa.string()), labels)


def refused_numbers(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Where a regression's target is given and says nothing: it is no number, or too large for one.

    >>> refused_numbers(pa.array(["1.5", "", "NA", "x", "1e80"])).to_pylist()
    [False, False, False, True, True]
    """
    return pc.and_(labels_given(values, ()).is_valid(), numeric_targets(values).is_null())


def count_refused(values: pa.Array | pa.ChunkedArray) -> int:
    """How many of a regression's targets are given and say nothing.

    >>> count_refused(pa.array(["1.5", "", "NA", "x", "1e80"]))
    2
    """
    return int(pc.sum(refused_numbers(values)).as_py() or 0)
