"""Hand uploads that are too large for one function to the state machine that scores them in partitions."""

from functions.shared.domain import layout
from functions.shared.envelopes import StoredObject
from functions.shared.ports import Executions


def hand_over(created: StoredObject, *, executions: Executions, above_bytes: int) -> bool:
    """Start the execution of an upload that is larger than `above_bytes`, or that asks for partitions by where it lies.

    The execution is named after the batch, so that another delivery of the same object starts no second one.

    Returns:
        Whether the upload is in other hands now.
    """
    if created.size_bytes <= above_bytes and layout.wanted_partition_bytes(created.key) is None:
        return False
    batch = layout.batch_id(created.bucket, created.key, created.version_id)
    executions.start(batch, {"key": created.key, "version_id": created.version_id})
    return True
