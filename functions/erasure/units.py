"""Pieces of an erasure, done one at a time.

So it can stop between any two.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Found:
    """What was removed and what was left, as in the record.

    `rows` are counted by prefix, `batches` by batch, `versions` by version.
    """

    rows: Counter[str] = field(default_factory=Counter)
    batches: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    uploads: tuple[str, ...] = ()
    objects: int = 0
    left: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def removed(self) -> bool:
        """Return whether anything was removed."""
        return bool(self.rows or self.versions or self.objects)


@dataclass(frozen=True, slots=True)
class WorkUnit:
    """One object, batch or version to look through.

    `erase` may be repeated: it then finds nothing. `place` is unique within a step, and gives the order of its units.
    """

    place: str
    erase: Callable[[], Found]
