"""Labelled rows and labels that wait: each file is replaced where it lies."""

import pyarrow as pa
import pyarrow.parquet as pq

from functions.erasure.desk import Desk, Task
from functions.erasure.files import lighter
from functions.shared.domain import layout
from functions.shared.repositories.swap import swap


def erase_from_labels(task: Task, desk: Desk) -> dict[str, int]:
    """Take people's rows out of all labelled rows and waiting labels of a model.

    Returns:
        How many rows went, by key.
    """
    prefixes = layout.labelled_prefix(task.model), layout.waiting_prefix(task.model)
    keys = [found.key for prefix in prefixes for found in desk.store.list(prefix)]
    return {key: removed for key in keys if (removed := _erase_from_file(key, task, desk))}


def _erase_from_file(key: str, task: Task, desk: Desk) -> int:
    """Take people's rows out of one file, which metric_emission may replace or delete meanwhile.

    Raises:
        ConflictError: if it always does.
    """

    def lightened(body: bytes | None) -> tuple[bytes | None, tuple[int, bool]]:
        if body is None:
            return None, (0, False)
        light = lighter(key, body, task.spec, task.people)
        if light is None:
            return None, (0, not pq.read_metadata(pa.BufferReader(body)).num_rows)
        return light.body, (light.removed, not light.rows)

    removed, is_empty = swap(desk.store, key, lightened)
    if is_empty:  # by this erasure, or by one that ended just here
        desk.store.delete([key])
    return removed
