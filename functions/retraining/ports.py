"""The ports of retraining."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from functions.shared.ports import EventBus, ObjectStore, Registry
from functions.shared.repositories.bundles import Bundles


@dataclass(frozen=True, slots=True)
class Ports:
    """Stores, registry, event bus, clock and source of names for retraining."""

    inbox: ObjectStore
    store: ObjectStore
    registry: Registry | None
    bundles: Bundles
    events: EventBus
    new_holder: Callable[[], str]
    now: Callable[[], datetime]
