"""Classes of a target, counted before the upload: training takes a time for each."""

from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from functions.shared.domain.errors import EverscoreError
from functions.shared.domain.formats import Formats
from functions.shared.domain.spec import Task
from functions.shared.reading.files import table_blocks
from functions.shared.reading.labels import labels_given, plain_targets
from functions.shared.reading.readable import LocalFile
from functions.shared.reading.rules import ColumnKind
from functions.shared.reading.values import to_numbers

MANY = 50
"""Classes from which training takes long."""
_ROWS = 200_000
"""Rows that are looked at."""


def classes_to_learn(file: Path, request: dict[str, Any]) -> int:
    """Return how many classes the first rows of a training file hold.

    Return 0 for a regression, and for a file that training will refuse.
    """
    task, formats, name = request.get("task"), Formats.model_validate(request["formats"]), request["target"]
    found: set[str] = set()
    rows, numbers, others = 0, 0, 0
    read = table_blocks(LocalFile(file), key=file.name, columns={name: ColumnKind.CARRIED}, formats=formats)
    with suppress(EverscoreError), closing(read):
        for block in read:
            column = pa.chunked_array([block.rows[name]])
            labels = labels_given(plain_targets(column, formats, task), ()).drop_null()
            refused = int(to_numbers(labels).refused.sum())
            numbers, others = numbers + len(labels) - refused, others + refused
            found.update(pc.unique(labels).to_pylist())
            rows += block.rows.num_rows
            if rows >= _ROWS:
                break
    return 0 if task == Task.REGRESSION or (task is None and numbers > others) else len(found)
