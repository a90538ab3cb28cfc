"""The ports of erasure and what one erasure is about, which go everywhere together."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from functions.erasure.people import People
from functions.shared.domain.spec import ModelSpec
from functions.shared.ports import VersionedStore


@dataclass(frozen=True, slots=True)
class Desk:
    """Where erasure reads and writes, and how clock and names come in."""

    inbox: VersionedStore
    store: VersionedStore
    new_name: Callable[[], str]
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Task:
    """Whose rows of which model are to go. `spec` names the id column, which all versions of a model share."""

    spec: ModelSpec
    people: People

    @property
    def model(self) -> str:
        """The model's name."""
        return self.spec.name
