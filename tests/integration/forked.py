"""A process that works off deliveries as a function does, each in a fork of its own, which may kill itself at any call to AWS.

Reads one JSON order a line: `event`, `copies` (forks that work on it at once), and `kill`: for each copy the call at which
it dies (`{"call": "PutObject 2", "side": "before"}`) or null. Answers each with one JSON line: `codes`, how each copy
ended (0: the delivery was worked off, 1: it is to be delivered again, -9: killed), and `calls`, what the first copy asked
of AWS, in order. `copies` forks begin together.
"""

import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from functions.shared.adapters import clients
from functions.shared.runtime.queue import DeliveryFailedError

type Handler = Callable[[dict[str, Any], Any], Any]


class Context:
    """The invocation has all its time."""

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


class Calls:
    """Names each call by its operation and its number among those, notes it, and dies at one of them."""

    def __init__(self) -> None:
        self._notes = -1
        self._kill: dict[str, str] | None = None
        self._begun: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        self._lock = threading.Lock()

    def watch(self, *services: str) -> None:
        """Note calls to these services."""
        events = clients.session().get_component("event_emitter")
        for service in services:
            events.register_first(f"before-call.{service}", self.begin)
            events.register_last(f"after-call.{service}", self.end)

    def follow(self, notes: int, kill: dict[str, str] | None) -> None:
        """Note calls to a file descriptor from now on, until the one to die at."""
        self._notes, self._kill = notes, kill

    def begin(self, model: Any, **_: Any) -> None:
        with self._lock:
            self._begun[model.name] += 1
            call = f"{model.name} {self._begun[model.name]}"
            os.write(self._notes, f"{call}\n".encode())
            self._die_if_asked(call, "before")

    def end(self, model: Any, **_: Any) -> None:
        with self._lock:
            self._ended[model.name] += 1
            self._die_if_asked(f"{model.name} {self._ended[model.name]}", "after")

    def _die_if_asked(self, call: str, side: str) -> None:
        if self._kill == {"call": call, "side": side}:
            os.kill(os.getpid(), signal.SIGKILL)
            threading.Event().wait()


def work(handler: Handler, event: dict[str, Any]) -> int:
    """One delivery, as the Lambda runtime would hand it over: 1 if it is to be delivered again."""
    try:
        answer = handler(event, Context())
    except DeliveryFailedError:
        return 1
    return 1 if answer["batchItemFailures"] else 0


def start(handler: Handler, order: dict[str, Any], copy: int, gate: int, calls: Calls) -> tuple[int, int]:
    """Fork a copy that waits at the gate; its process id, and where its calls can be read."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    code = 70
    try:
        # The function's logs are not this process's answers.
        os.dup2(2, 1)
        os.read(gate, 1)
        calls.follow(writing, order["kill"][copy])
        code = work(handler, order["event"])
    finally:
        os._exit(code)


def carry_out(handler: Handler, order: dict[str, Any], calls: Calls) -> dict[str, Any]:
    """Run all copies of an order to their ends."""
    gate, opener = os.pipe()
    copies = [start(handler, order, copy, gate, calls) for copy in range(order["copies"])]
    os.write(opener, b"!" * len(copies))
    codes, noted = [], []
    for process, reading in copies:
        with os.fdopen(reading) as notes:
            noted.append(notes.read().splitlines())
        codes.append(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
    os.close(gate)
    os.close(opener)
    return {"codes": codes, "calls": noted[0]}


def serve_orders(handler: Handler, calls: Calls) -> None:
    """Work off orders until there are no more."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(carry_out(handler, json.loads(line), calls)) + "\n")
        sys.stdout.flush()
