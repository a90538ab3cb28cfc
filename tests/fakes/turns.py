"""Callers in threads of their own that take watched calls in turns, in an order that is given."""

import threading
from collections.abc import Sequence

from tests.fakes.watched_store import Moment, Watcher


class Turns:
    """Whoever is named next in the order takes one call; when the order ends, or names one that has ended, all go on freely."""

    def __init__(self, order: Sequence[str]) -> None:
        self._order = list(order)
        self._ended: set[str] = set()
        self._turn = threading.Condition()

    def watcher(self, caller: str) -> Watcher:
        """Make a caller wait for its turn before each call."""

        def wait(moment: Moment) -> None:
            if moment.side != "before":
                return
            with self._turn:
                self._turn.wait_for(lambda: self._next() in {caller, None}, timeout=20)
                if self._order:
                    self._order.pop(0)
                self._turn.notify_all()

        return wait

    def end(self, caller: str) -> None:
        """A caller takes no more calls."""
        with self._turn:
            self._ended.add(caller)
            self._turn.notify_all()

    def _next(self) -> str | None:
        while self._order and self._order[0] in self._ended:
            self._order.pop(0)
        return self._order[0] if self._order else None
