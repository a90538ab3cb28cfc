"""Handle an SQS queue: "object created" events of S3, and requests.

Each event fails on its own.
"""

import json
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from functions.shared.domain.envelopes import LAST_DELIVERY, StoredObject
from functions.shared.domain.errors import InputError
from functions.shared.ports import Visibility
from functions.shared.runtime.hiding import Record, come_again, end, hidden_while_at_work
from functions.shared.runtime.observability import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.typing import LambdaContext

RESERVE_MS, BYTES_A_MS, MOST_MS = 10_000, 3_000, 200_000
"""Limits for starting an object that is not the first of a delivery.

It needs the reserve, plus a millisecond per this many bytes (the slowest engine on one processor), up to a maximum. With less
time left, it goes back to the queue, for a function with its full time.
"""


class DeadlineError(Exception):
    """Too little time is left to start another object; it is delivered again."""


class DeliveryFailedError(Exception):
    """No message of a delivery could be handled. All of them are delivered again."""


def process_records(
    event: dict[str, Any], context: "LambdaContext", handle: Callable[[StoredObject], None], visibility: Visibility | None = None
) -> "PartialItemFailureResponse":
    """Pass each created object of an SQS delivery to `handle`, the smallest first.

    Failed messages are delivered again after a growing pause. Messages on their last delivery come before all others: otherwise an
    object that kills this process would send them to the dead-letter queue.

    Args:
        event: the delivery.
        context: knows how much time is left.
        handle: works on one object.
        visibility: sets when others may receive a message (default: SQS).

    Returns:
        The ids of messages to deliver again: those that failed, which is logged, and those that were postponed.

    Raises:
        DeliveryFailedError: if all of them failed. They are delivered again too, and Lambda counts an error, which alarms watch.
    """
    visibility, begun = visibility or _sqs_visibility(), list[str]()

    def attend(record: Record) -> None:
        created = StoredObject.from_event(record["body"])
        if created is None:
            return
        needed_ms = min(RESERVE_MS + created.size_bytes // BYTES_A_MS, MOST_MS)
        if begun and context.get_remaining_time_in_millis() < needed_ms:
            message = f"{created.key} was not begun: less than {needed_ms / 1000:.0f} s are left"
            raise DeadlineError(message)
        begun.append(created.key)
        handle(created.model_copy(update={"deliveries": int(record["attributes"]["ApproximateReceiveCount"])}))

    failed: list[tuple[Record, Exception]] = []
    postponed: list[Record] = []
    try:
        with hidden_while_at_work(event["Records"], visibility):
            for record in sorted(event["Records"], key=_turn):
                try:
                    attend(record)
                except DeadlineError:
                    postponed.append(record)
                except Exception as error:  # noqa: BLE001 - a message fails on its own, whatever the error
                    logger().error("to be delivered again", exc_info=error)
                    failed.append((record, error))
    finally:
        come_again([record for record, _ in failed], postponed, visibility)
    again = [*(record for record, _ in failed), *postponed]
    if failed and len(again) == len(event["Records"]):
        message = "; ".join(repr(error) for _, error in failed)
        raise DeliveryFailedError(message) from failed[0][1]
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in again]}


def process_request(
    event: dict[str, Any], handle: Callable[[dict[str, Any], int], object], visibility: Visibility | None = None
) -> "PartialItemFailureResponse":
    """Pass the one request of an SQS delivery to `handle`, with its delivery count.

    The count includes this delivery.

    After an error it is delivered again after a growing pause, but not after a refusal, which would only be repeated. Both are raised,
    so that Lambda counts an error, which alarms watch.
    """
    visibility = visibility or _sqs_visibility()
    [record] = event["Records"]
    try:
        with hidden_while_at_work([record], visibility):
            handle(json.loads(record["body"]), int(record["attributes"]["ApproximateReceiveCount"]))
    except InputError:
        end(record, visibility)
        raise
    except Exception:
        come_again([record], [], visibility)
        raise
    return {"batchItemFailures": []}


@cache
def _sqs_visibility() -> Visibility:
    from functions.shared.adapters.queues import SqsVisibility

    return SqsVisibility()


def _turn(record: Record) -> tuple[bool, int]:
    return int(record["attributes"]["ApproximateReceiveCount"]) < LAST_DELIVERY, _size(record)


def _size(record: Record) -> int:
    """Return the size of a record's object; unreadable records come first."""
    try:
        created = StoredObject.from_event(record["body"])
    except ValidationError:
        return 0
    return created.size_bytes if created else 0
