"""Hand uploads too large for one function to the partitioning state machine."""

from functions.scoring.ports import Ports
from functions.shared.domain import layout
from functions.shared.domain.envelopes import LAST_DELIVERY, StoredObject
from functions.shared.domain.errors import BatchRejectedError, NotFoundError
from functions.shared.ports import ObjectStore
from functions.shared.reading.weight import MOST_EXPANSION, weight_of

WHOLE_TRIES = 2
"""Deliveries in which an upload that is not small is scored whole.

If that did not succeed, it may never fit one function's time. An execution will end it in any case, with a manifest that has the
reason.
"""


def hand_over(created: StoredObject, ports: Ports) -> bool:
    """Start an execution for an upload that is too large, or that never ended.

    It is also started if the upload's key requests partitions. The execution is named after the batch, so that another delivery of the same
    object starts no second one. A deleted upload is not handed over.

    Returns:
        Whether the upload was handed over.
    """
    wanted = layout.wanted_partition_bytes(created.key) is not None
    if ports.executions is None:
        return False
    try:
        if not wanted and not _is_too_large(created, ports.inbox, ports.whole_bytes):
            return False
        ports.inbox.info(created.key, created.version_id)
    except NotFoundError:
        return False  # scoring will report that it is gone
    batch = layout.batch_id(created.bucket, created.key, created.version_id)
    ports.executions.start(batch, {"key": created.key, "version_id": created.version_id})
    return True


def _is_too_large(created: StoredObject, inbox: ObjectStore, whole_bytes: int) -> bool:
    if created.size_bytes > whole_bytes:
        return True
    if created.size_bytes * MOST_EXPANSION <= whole_bytes:
        return created.deliveries >= LAST_DELIVERY  # it may have killed its function each time, so its execution ends it
    if created.deliveries > WHOLE_TRIES:
        return True
    try:
        return weight_of(inbox.open(created.key, created.version_id), created.key) > whole_bytes
    except BatchRejectedError:
        return False  # scoring will report what is wrong with it
