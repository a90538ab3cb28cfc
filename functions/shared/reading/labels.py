"""Read labels in canonical form, with null for marks of missing labels."""

from collections.abc import Collection
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from functions.shared.domain.formats import PLAIN, Formats
from functions.shared.domain.labels import canonical_labels, numeric_targets
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.foundation.arrow import booleans, mask_of, valid_mask, with_nulls
from functions.shared.reading.conversion import converted
from functions.shared.reading.files import infer_columns
from functions.shared.reading.numbers import undressed
from functions.shared.reading.readable import Readable
from functions.shared.reading.rules import ColumnKind, Rule, Rules
from functions.shared.reading.values import MISSING, is_real, plain_texts


def label_columns(source: Readable, key: str, spec: ModelSpec) -> dict[str, ColumnKind]:
    """Return the columns to read from a label file.

    They are the id, the target, and the time if both the model and the file have one.
    """
    columns = {spec.id_column: ColumnKind.ID, spec.target: ColumnKind.CARRIED}
    if spec.time_column is not None and spec.time_column in infer_columns(source, key=key, formats=spec.formats):
        columns[spec.time_column] = ColumnKind.TIME
    return columns


def plain_targets(values: pa.ChunkedArray, formats: Formats, task: Task | None) -> pa.ChunkedArray:
    """Return targets with plain numbers, and null for the file's missing marks.

    Without a task, texts are read as classes are.

    >>> dressed = Formats(decimal=",", thousands=".", missing=("-",))
    >>> plain_targets(pa.chunked_array([["1.234,5", "-", "yes"]]), dressed, None).to_pylist()
    ['1234.5', None, 'yes']
    """
    if formats == PLAIN:
        return values
    chunks = [_plain_targets(plain_texts(chunk), formats, task) for chunk in values.chunks]
    return pa.chunked_array(chunks) if chunks else values


def _plain_targets(values: pa.Array, formats: Formats, task: Task | None) -> pa.Array:
    """Return targets in plain form with null for marks.

    Among numbers -999.0 is the mark -999 however it is written. Among classes of text it is too, but 09 is another class than 9.
    """
    is_text = pa.types.is_string(values.type)
    plain = _undressed(values, formats) if is_text else values
    if not formats.missing:
        return plain
    if is_real(values.type) or (is_text and task is Task.REGRESSION):
        numbers = converted(values, Rule(ColumnKind.NUMBER), Rules({}, ZoneInfo("UTC"), formats))
        return with_nulls(plain, ~valid_mask(numbers.array) & ~numbers.refused)
    marks = canonical_labels(_undressed(pa.array(formats.missing, pa.string()), formats))
    return with_nulls(plain, mask_of(pc.is_in(canonical_labels(plain), value_set=marks)))


def _undressed(written: pa.Array, formats: Formats) -> pa.Array:
    """Return texts with plain numbers; what is no number stays as it is."""
    plain, refused = undressed(written, formats)
    return pc.if_else(pc.or_(booleans(refused), pc.is_null(plain)), written, plain)


def labels_given(values: pa.Array | pa.ChunkedArray, classes: Collection[str]) -> pa.Array:
    """Return class labels as text, null where missing.

    A text of `MISSING` is missing too, unless it is one of `classes`.

    >>> labels_given(pa.array(["yes", "NA", " no ", ""]), ()).to_pylist()
    ['yes', None, 'no', None]
    >>> labels_given(pa.array(["full", "none"]), ["full", "none"]).to_pylist()
    ['full', 'none']
    """
    labels = canonical_labels(values)
    marks = pa.array([mark for mark in MISSING if mark not in classes], pa.string())
    return pc.if_else(pc.is_in(labels, value_set=marks), pa.scalar(None, pa.string()), labels)


def refused_numbers(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Mark targets of a regression that are present but are no usable number.

    >>> refused_numbers(pa.array(["1.5", "", "NA", "x", "1e80"])).to_pylist()
    [False, False, False, True, True]
    """
    return pc.and_(labels_given(values, ()).is_valid(), numeric_targets(values).is_null())


def count_refused(values: pa.Array | pa.ChunkedArray) -> int:
    """Count the targets of a regression that are present but are no usable number.

    >>> count_refused(pa.array(["1.5", "", "NA", "x", "1e80"]))
    2
    """
    return int(pc.sum(refused_numbers(values)).as_py() or 0)
