"""A file of labels, looked at before it is uploaded: can it be read, and does the model know its classes."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from functions.shared.domain.labels import numeric_targets
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.reading.labels import label_columns, labels_given, plain_targets
from functions.shared.reading.service import read_table
from functions.shared.reading.source import LocalFile

_SHOWN = 5


def look_at_labels(file: Path, spec: ModelSpec) -> dict[str, Any]:
    """How many labels a file holds, and which of them can measure nothing.

    Args:
        spec: of the version that serves.

    Returns:
        `labels`: rows with an id and a label; `rejected`: rows that cannot be read or lack the id, and `reasons`
        their codes; `unlabelled`: rows without a label; `unknown`: rows by class that the model does not know, the commonest five.

    Raises:
        BatchRejectedError: if the file is no table, or lacks the id or the target column.
    """
    source = LocalFile(file)
    columns = label_columns(source, file.name, spec)
    read = read_table(source, key=file.name, columns=columns, timezone=spec.timezone, formats=spec.formats)
    target = plain_targets(read.table[spec.target], spec.formats)
    labels = numeric_targets(target) if spec.task is Task.REGRESSION else labels_given(target, spec.classes)
    return {
        "labels": len(labels) - labels.null_count,
        "unlabelled": labels.null_count,
        "rejected": len(read.rejected),
        "reasons": dict(Counter(row.code for row in read.rejected)),
        "unknown": {} if spec.task is Task.REGRESSION else _unknown(labels.drop_null(), spec),
    }


def _unknown(labels: pa.ChunkedArray, spec: ModelSpec) -> dict[str, int]:
    known = pc.is_in(labels, value_set=pa.array(spec.classes, labels.type))
    counts = pc.value_counts(labels.filter(pc.invert(known))).to_pylist()
    return {item["values"]: item["counts"] for item in sorted(counts, key=lambda item: -item["counts"])[:_SHOWN]}
