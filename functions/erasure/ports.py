"""What erasure needs of the outside world."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from functions.shared.ports import VersionedStore


@dataclass(frozen=True, slots=True)
class Ports:
    """Where erasure reads and writes, and how clock and names come in."""

    inbox: VersionedStore
    store: VersionedStore
    new_name: Callable[[], str]
    now: Callable[[], datetime]
