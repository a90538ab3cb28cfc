"""Work from an SQS queue: objects that S3 says were created, one failure being its own."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from pydantic import ValidationError

from functions.shared.domain.envelopes import LAST_DELIVERY, StoredObject
from functions.shared.ports import Visibility
from functions.shared.runtime.hiding import come_again, hidden_while_at_work
from functions.shared.runtime.observability import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.typing import LambdaContext

RESERVE_MS, BYTES_A_MS, MOST_MS = 10_000, 3_000, 200_000
"""Beside the first, an object is not begun with less time left than the reserve and a millisecond for so many of its bytes, as the
slowest engine takes on one processor, or the most that is asked for; it goes back to the queue for a function with all its time."""


class DeadlineError(Exception):
    """Too little time is left to begin another object; it is delivered again."""


def process_records(
    event: dict[str, Any], context: "LambdaContext", handle: Callable[[StoredObject], None], visibility: Visibility | None = None
) -> "PartialItemFailureResponse":
    """Hand each created object of an SQS delivery to `handle`, the smallest first. What failed comes again after a pause that grows.

    Those that come for the last time are before all others: an object that kills this process would make dead letters of them.

    Args:
        event: the delivery.
        context: tells how much time is left.
        handle: works on one object.
        visibility: when others may receive a message; by default SQS says so.

    Returns:
        The ids of messages to deliver again: those whose handling raised, which is logged, and those there was no time for.

    Raises:
        BatchProcessingError: if all of them failed. They are delivered again as well, and Lambda counts an error, which alarms watch.
    """
    visibility, begun = visibility or _sqs_visibility(), list[str]()

    def record_handler(record: SQSRecord) -> None:
        created = StoredObject.from_event(record.body)
        if created is None:
            return
        needed_ms = min(RESERVE_MS + created.size_bytes // BYTES_A_MS, MOST_MS)
        if begun and context.get_remaining_time_in_millis() < needed_ms:
            message = f"{created.key} was not begun: less than {needed_ms / 1000:.0f} s are left"
            raise DeadlineError(message)
        begun.append(created.key)
        handle(created.model_copy(update={"deliveries": int(record.attributes.approximate_receive_count)}))

    in_turn = {**event, "Records": sorted(event["Records"], key=_turn)}
    processor = BatchProcessor(event_type=EventType.SQS)
    try:
        with hidden_while_at_work(event["Records"], visibility):
            answer = process_partial_response(in_turn, record_handler, processor, context)
    finally:
        messages: list[Any] = processor.fail_messages
        failures = [(message.raw_event, kind) for message, (kind, *_) in zip(messages, processor.exceptions, strict=True)]
        failed, postponed = ([record for record, kind in failures if (kind is DeadlineError) is late] for late in (False, True))
        come_again(failed, postponed, visibility)
    for _, error, _ in processor.exceptions:
        if not isinstance(error, DeadlineError):
            logger().error("to be delivered again", exc_info=error)
    return answer


@cache
def _sqs_visibility() -> Visibility:
    from functions.shared.adapters.queues import SqsVisibility

    return SqsVisibility()


def _turn(record: dict[str, Any]) -> tuple[bool, int]:
    return int(record["attributes"]["ApproximateReceiveCount"]) < LAST_DELIVERY, _size(record)


def _size(record: dict[str, Any]) -> int:
    """Size of a record's object; a record that cannot be read comes first and fails on its own."""
    try:
        created = StoredObject.from_event(record["body"])
    except ValidationError:
        return 0
    return created.size_bytes if created else 0
