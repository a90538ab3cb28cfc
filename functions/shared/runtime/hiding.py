"""How long the messages of a delivery stay hidden from other functions: while their function works, and a little longer each time it fails.

A queue hides what was received for six times its function's time, as Lambda asks, so a function that is killed would be
waited for half an hour. Here it says again and again that it is at work, for a minute each time.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from functions.shared.ports import Visibility
from functions.shared.runtime.observability import logger

AT_WORK_S, BEAT_S = 60, 20
FIRST_PAUSE_S, FACTOR, LONGEST_PAUSE_S = 10.0, 6, 1800.0
"""A failure is tried again after 10 seconds, a minute, 6 minutes and half an hour: a short trouble costs little time, and a long one
no dead letters."""

type Record = Mapping[str, Any]
"""A message as Lambda hands it over."""


@contextmanager
def hidden_while_at_work(records: Sequence[Record], visibility: Visibility) -> Iterator[None]:
    """Keep the messages of a delivery hidden while the block runs, and no longer than a minute after this process was killed."""
    done = Event()

    def beat() -> None:
        while True:
            _hide(records, dict.fromkeys(map(_handle, records), AT_WORK_S), visibility)
            if done.wait(BEAT_S):
                return

    beating = Thread(target=beat, daemon=True)
    beating.start()
    try:
        yield
    finally:
        done.set()
        beating.join()


def come_again(failed: Sequence[Record], postponed: Sequence[Record], visibility: Visibility) -> None:
    """Have messages delivered again: those that failed after a pause, those that there was no time for at once."""
    pauses = {_handle(record): pause_s(int(record["attributes"]["ApproximateReceiveCount"])) for record in failed}
    _hide([*failed, *postponed], pauses | {_handle(record): 0 for record in postponed}, visibility)


def pause_s(deliveries: int) -> int:
    """Return the seconds until the next try after this many, varied by chance, which spreads out what failed together."""
    pause = min(FIRST_PAUSE_S * float(FACTOR) ** (deliveries - 1), LONGEST_PAUSE_S)
    return round(pause * random.uniform(0.5, 1.5))  # noqa: S311 - guards no secret


def _hide(records: Sequence[Record], seconds: Mapping[str, int], visibility: Visibility) -> None:
    """Hide messages for so long, by handle. If that fails they come later than they could, which is no reason to stop."""
    if not records:
        return
    try:
        visibility.hide(records[0]["eventSourceARN"], seconds)
    except Exception:  # noqa: BLE001 - whatever it is, the work goes on
        logger().warning("messages could not be hidden or shown", exc_info=True)


def _handle(record: Record) -> str:
    return str(record["receiptHandle"])
