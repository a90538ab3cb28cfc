"""What retraining needs of the outside world."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from functions.shared.ports import EventBus, ObjectStore, Registry
from functions.shared.repositories.bundles import Bundles


@dataclass(frozen=True, slots=True)
class Ports:
    """Where retraining reads and writes, whom it asks, and how clock and names come in."""

    inbox: ObjectStore
    store: ObjectStore
    registry: Registry | None
    bundles: Bundles
    events: EventBus
    new_holder: Callable[[], str]
    now: Callable[[], datetime]
