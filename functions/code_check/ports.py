"""What the code check needs of the outside world."""

from collections.abc import Callable
from dataclasses import dataclass

from functions.shared.ports import ObjectStore

type Verify = Callable[[str, str], tuple[str, ...]]
"""Scores a batch of a model again, keeps nothing, and names the files that differ; or raises NotFoundError if what it needs is gone."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where batches stand, and what scores them again: the new code, and the code that serves."""

    store: ObjectStore
    by_new: Verify
    by_old: Verify
