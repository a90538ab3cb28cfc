"""Labelled rows and labels that wait: each file is replaced where it lies."""

import pyarrow as pa
import pyarrow.parquet as pq

from functions.erasure.desk import Desk, Task
from functions.erasure.files import lighter
from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError, NotFoundError

_ATTEMPTS = 5


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
    for _ in range(_ATTEMPTS):
        try:
            body, etag = desk.store.read_tagged(key)
            light = lighter(key, body, task.spec, task.people)
            if light is not None:
                desk.store.replace(key, light.body, etag=etag)
                body = light.body
        except NotFoundError:
            return 0
        except ConflictError:
            continue
        if not pq.read_metadata(pa.BufferReader(body)).num_rows:  # by this erasure, or by one that ended just here
            desk.store.delete([key])
        return light.removed if light else 0
    message = f"{key} was changed by others {_ATTEMPTS} times in a row"
    raise ConflictError(message)
