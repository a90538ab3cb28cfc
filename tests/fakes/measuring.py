"""The ports of metric_emission over stores in memory; a test names only what it is about."""

from datetime import datetime
from typing import Any

from functions.metric_emission.ports import Ports
from functions.shared.ports import ObjectStore
from functions.shared.repositories.bundles import Bundles
from tests.fakes.documents import NOW
from tests.fakes.memory_store import MemoryStore


def make_ports(store: ObjectStore, **changed: Any) -> Ports:
    """What is emitted or sent goes nowhere."""
    plain: dict[str, Any] = {
        "inbox": MemoryStore("inbox"),
        "bundles": Bundles(store),
        "emit": list,
        "send": lambda _: None,
        "queued": dict,
        "now": _noon,
        "memory_gb": 2.0,
    }
    return Ports(store=store, **(plain | changed))


def _noon() -> datetime:
    return NOW
