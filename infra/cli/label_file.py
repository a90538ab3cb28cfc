"""Check a file of labels before the upload: its format and its classes."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from functions.retraining.disguise import disguise_of
from functions.shared.domain.errors import InputError
from functions.shared.domain.labels import numeric_targets
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.reading.files import read_table
from functions.shared.reading.labels import count_refused, label_columns, labels_given, plain_targets
from functions.shared.reading.readable import LocalFile
from functions.shared.reading.text import Notes

_SHOWN = 5


def look_at_labels(file: Path, spec: ModelSpec) -> dict[str, Any]:
    """Return how many labels a file holds, and which of them can measure nothing.

    Args:
        spec: of the version that serves.

    Returns:
        `encoding`: that of text which is not UTF-8; `labels`: rows with an id and a label; `rejected`: rows that cannot be read or
        lack the id, and `reasons` their codes; `unlabelled`: rows without a label; `refused`: rows whose label is no number where it
        should be one; `unknown`: rows by class that the model does not know, the commonest five.

    Raises:
        BatchRejectedError: if the file is no table, or lacks the id or the target column.
        InputError: if no label in it could measure anything.
    """
    source = LocalFile(file)
    columns = label_columns(source, file.name, spec)
    notes = Notes()
    read = read_table(source, key=file.name, columns=columns, timezone=spec.timezone, formats=spec.formats, notes=notes)
    target = plain_targets(read.table[spec.target], spec.formats, spec.task)
    given = labels_given(target, spec.classes)
    counts = pc.value_counts(given.drop_null())
    known = _says_something(counts.field("values"), spec)
    if not known.true_count:
        remedy = f"write labels as in the training file; `everscore status {spec.name}` says what the model predicts"
        raise InputError(_useless(counts, spec), remedy=remedy, code="useless_labels")
    unknown = _commonest(counts.filter(pc.invert(known)))
    regression = spec.task is Task.REGRESSION
    refused = count_refused(target) if regression else 0
    return {
        "encoding": notes.encoding,
        "labels": len(given) - given.null_count - refused,
        "unlabelled": given.null_count,
        "refused": refused,
        "rejected": len(read.rejected),
        "reasons": dict(Counter(row.code for row in read.rejected)),
        "unknown": {} if regression else unknown,
    }


def _says_something(labels: pa.Array, spec: ModelSpec) -> pa.BooleanArray:
    """Return which labels can measure the model."""
    if spec.task is Task.REGRESSION:
        return numeric_targets(labels).is_valid()
    return pc.is_in(labels, value_set=pa.array(spec.classes, labels.type))


def _commonest(counts: pa.StructArray) -> dict[str, int]:
    ordered = sorted(counts.to_pylist(), key=lambda item: (-item["counts"], item["values"]))
    return {item["values"]: item["counts"] for item in ordered[:_SHOWN]}


def _useless(counts: pa.StructArray, spec: ModelSpec) -> str:
    """Return why a file's labels measure nothing."""
    if not len(counts):
        return f"the file holds no label of {spec.name!r}: it needs the columns {spec.id_column!r} and {spec.target!r}, with values"
    held = ", ".join(f"{name!r}" for name in _commonest(counts))
    if spec.task is not Task.REGRESSION:
        more = f" and {len(spec.classes) - _SHOWN:,} more" if len(spec.classes) > _SHOWN else ""
        known = ", ".join(f"{name!r}" for name in spec.classes[:_SHOWN])
        return f"no label can be used: {spec.target!r} must be one of {known}{more}, and the file holds {held}"
    if disguise := disguise_of(counts):
        return (
            f"no label can be used: {spec.target!r} must be a number, and the file holds {held}: "
            f"{disguise.what}, not as in the training file"
        )
    return f"no label can be used: {spec.target!r} must be a number, and the file holds {held}"
