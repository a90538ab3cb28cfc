"""The ports of erasure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from functions.shared.ports import VersionedStore


@dataclass(frozen=True, slots=True)
class Ports:
    """Stores, clock and source of names for erasure."""

    inbox: VersionedStore
    store: VersionedStore
    new_name: Callable[[], str]
    now: Callable[[], datetime]
