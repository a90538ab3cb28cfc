"""The ports of scoring."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from functions.shared.ports import Executions, ObjectStore
from functions.shared.repositories.bundles import Bundles


@dataclass(frozen=True, slots=True)
class Ports:
    """Stores, bundles, clock, source of names, and executions for large uploads.

    `executions` take uploads of more than `whole_bytes`; without them, all uploads are scored whole.
    """

    inbox: ObjectStore
    store: ObjectStore
    bundles: Bundles
    new_attempt: Callable[[], str]
    now: Callable[[], datetime]
    executions: Executions | None = None
    whole_bytes: int = sys.maxsize
