"""A model's versions.

Each has a number of the store's own, and a bundle that is written once.
"""

from collections.abc import Mapping

from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError
from functions.shared.engines.bundle import INDEX
from functions.shared.ports import ObjectStore
from functions.shared.repositories.decisions import Decisions


class Versions:
    """Version numbers and bundles in the store bucket.

    A registry counts by itself, and may begin with 1 again.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def next_number(self, model: str) -> str:
        """Return one more than the highest number with a decision or part of a bundle."""
        bundles = (int(name) for name in self._store.folders(layout.versions_prefix(model)) if name.isdecimal())
        return str(1 + max((*bundles, *Decisions(self._store).numbers(model)), default=0))

    def write(self, model: str, version: str, files: Mapping[str, bytes]) -> None:
        """Write a version's bundle, its index last.

        Raises:
            ConflictError: if another file stands where one of them belongs.
        """
        prefix = layout.version_prefix(model, version)
        for name in sorted(files, key=lambda name: name == INDEX):
            if not self._store.create(prefix + name, files[name]) and self._store.read(prefix + name) != files[name]:
                message = f"{prefix}{name} is there already, and a version's files are written once"
                raise ConflictError(message, remedy="train again: the next version takes the next number")
