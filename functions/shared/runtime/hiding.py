"""Hide received messages from other functions: while in work, and before a retry.

By default a queue hides messages for six times the function's timeout, as Lambda recommends. After a killed function, nobody
would retry for half an hour. So the function hides its messages for only a minute, and renews that while it works.
"""

import random
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from functions.shared.ports import Visibility
from functions.shared.runtime.heartbeat import beating
from functions.shared.runtime.observability import logger

AT_WORK_S, BEAT_S = 60, 20
FIRST_PAUSE_S, FACTOR, LONGEST_PAUSE_S = 10.0, 6, 1800.0
"""Pauses before retries: 10 seconds, a minute, 6 minutes, half an hour.

A short outage costs little time, and a long one does not send messages to the dead-letter queue.
"""

type Record = Mapping[str, Any]
"""A message as Lambda delivers it."""


def hidden_while_at_work(records: Sequence[Record], visibility: Visibility) -> AbstractContextManager[None]:
    """Hide a delivery's messages while the block runs, up to a minute beyond a kill."""
    return beating(lambda: _hide(records, dict.fromkeys(map(_handle, records), AT_WORK_S), visibility), BEAT_S, at_once=True)


def come_again(failed: Sequence[Record], postponed: Sequence[Record], visibility: Visibility) -> None:
    """Return messages to the queue: failed ones after a pause, others at once."""
    pauses = {_handle(record): pause_s(int(record["attributes"]["ApproximateReceiveCount"])) for record in failed}
    _hide([*failed, *postponed], pauses | {_handle(record): 0 for record in postponed}, visibility)


def end(record: Record, visibility: Visibility) -> None:
    """Delete a message; a failure is logged, and the message comes again."""
    try:
        visibility.end(record["eventSourceARN"], _handle(record))
    except Exception:  # noqa: BLE001 - whatever it is, the error that ended the work is raised
        logger().warning("a message could not be deleted", exc_info=True)


def pause_s(deliveries: int) -> int:
    """Return the seconds until the next try, randomised to spread out retries."""
    pause = min(FIRST_PAUSE_S * float(FACTOR) ** (deliveries - 1), LONGEST_PAUSE_S)
    return round(pause * random.uniform(0.5, 1.5))  # noqa: S311 - guards no secret


def _hide(records: Sequence[Record], seconds: Mapping[str, int], visibility: Visibility) -> None:
    """Hide messages for seconds, by handle; a failure is logged and only delays them."""
    if not records:
        return
    try:
        visibility.hide(records[0]["eventSourceARN"], seconds)
    except Exception:  # noqa: BLE001 - whatever it is, the work goes on
        logger().warning("messages could not be hidden or shown", exc_info=True)


def _handle(record: Record) -> str:
    return str(record["receiptHandle"])
