"""Hand uploads that are too large for one function to the state machine that scores them in partitions."""

from functions.shared.domain import layout
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.errors import BatchRejectedError, NotFoundError
from functions.shared.ports import Executions, ObjectStore
from functions.shared.reading.weight import MOST_EXPANSION, weight_of

WHOLE_TRIES = 2
"""Deliveries in which an upload that is not small is scored whole. If it has not ended by then, it may never in one function's
time, and its execution will end it in any case, by a manifest that says why."""
LAST_TRY = 5
"""The delivery after which a message is a dead letter. A small upload that has not ended by then may have killed its function each
time, so its execution ends it."""


def hand_over(created: StoredObject, *, executions: Executions, inbox: ObjectStore, above_bytes: int) -> bool:
    """Start the execution of an upload that weighs more than `above_bytes`, asks for partitions by where it lies, or never ended.

    The execution is named after the batch, so that another delivery of the same object starts no second one. One that is gone is left.

    Returns:
        Whether the upload is in other hands now.
    """
    wanted = layout.wanted_partition_bytes(created.key) is not None
    try:
        if not wanted and not _is_too_large(created, inbox, above_bytes):
            return False
        inbox.info(created.key, created.version_id)
    except NotFoundError:
        return False  # its scoring says that it is gone
    batch = layout.batch_id(created.bucket, created.key, created.version_id)
    executions.start(batch, {"key": created.key, "version_id": created.version_id})
    return True


def _is_too_large(created: StoredObject, inbox: ObjectStore, above_bytes: int) -> bool:
    if created.size_bytes > above_bytes:
        return True
    if created.size_bytes * MOST_EXPANSION <= above_bytes:
        return created.deliveries >= LAST_TRY
    if created.deliveries > WHOLE_TRIES:
        return True
    try:
        return weight_of(inbox.open(created.key, created.version_id), created.key) > above_bytes
    except BatchRejectedError:
        return False  # its scoring says what is wrong with it
