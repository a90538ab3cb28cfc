"""Hand uploads that are too large for one function to the state machine that scores them in partitions."""

from functions.scoring.ports import Ports
from functions.shared.domain import layout
from functions.shared.domain.envelopes import LAST_DELIVERY, StoredObject
from functions.shared.domain.errors import BatchRejectedError, NotFoundError
from functions.shared.ports import ObjectStore
from functions.shared.reading.weight import MOST_EXPANSION, weight_of

WHOLE_TRIES = 2
"""Deliveries in which an upload that is not small is scored whole. If it has not ended by then, it may never in one function's
time, and its execution will end it in any case, by a manifest that says why."""


def hand_over(created: StoredObject, ports: Ports) -> bool:
    """Start the execution of an upload that weighs more than one function scores, asks for partitions by where it lies, or never ended.

    The execution is named after the batch, so that another delivery of the same object starts no second one. One that is gone is left.

    Returns:
        Whether the upload is in other hands now.
    """
    wanted = layout.wanted_partition_bytes(created.key) is not None
    if ports.executions is None:
        return False
    try:
        if not wanted and not _is_too_large(created, ports.inbox, ports.whole_bytes):
            return False
        ports.inbox.info(created.key, created.version_id)
    except NotFoundError:
        return False  # its scoring says that it is gone
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
        return False  # its scoring says what is wrong with it
