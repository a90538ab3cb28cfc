"""What release needs of the outside world."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from functions.shared.ports import ObjectStore, Registry


@dataclass(frozen=True, slots=True)
class Ports:
    """Where release reads and writes, and how clock and chance come in."""

    store: ObjectStore
    registry: Registry | None
    new_name: Callable[[], str]
    now: Callable[[], datetime]
