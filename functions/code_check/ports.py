"""The ports of the code check."""

from collections.abc import Callable
from dataclasses import dataclass

from functions.shared.ports import ObjectStore

type Verify = Callable[[str, str], tuple[str, ...]]
"""Scores a batch of a model again without storing anything, and returns the files that differ.

It raises NotFoundError if the upload, the release or a bundle is gone, and ThrottledError if it could not begin.
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """The store of batches, and two ways to score them again: new and serving code."""

    store: ObjectStore
    by_new: Verify
    by_old: Verify
