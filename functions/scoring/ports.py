"""What scoring needs of the outside world."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from functions.shared.ports import Executions, ObjectStore
from functions.shared.repositories.bundles import Bundles


@dataclass(frozen=True, slots=True)
class Ports:
    """Where scoring reads and writes, what loads versions, how clock and names come in, and who takes large uploads.

    `executions` take uploads of more than `whole_bytes`; where there are none, all are scored whole.
    """

    inbox: ObjectStore
    store: ObjectStore
    bundles: Bundles
    new_attempt: Callable[[], str]
    now: Callable[[], datetime]
    executions: Executions | None = None
    whole_bytes: int = sys.maxsize
