"""What notification needs of the outside world."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from functions.shared.ports import MessageTarget, ObjectStore

TOPIC = "topic"
"""The target that is the stack's topic; those of the secret have names of their own."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The store and the targets by name.

    The store has what messages are about, and their records.

    `stack` is named in what people are to type.
    """

    store: ObjectStore
    targets: Mapping[str, MessageTarget]
    stack: str
    now: Callable[[], datetime]
