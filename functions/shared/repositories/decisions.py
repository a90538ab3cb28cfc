"""Decisions of the gate, one a challenger."""

from functions.shared.domain import layout
from functions.shared.domain.decision import Decision
from functions.shared.domain.errors import NotFoundError
from functions.shared.ports import ObjectStore


class Decisions:
    """Decision documents in the store bucket."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def of(self, model: str, challenger: str) -> Decision | None:
        """The decision on a version, or None if it never met the gate."""
        try:
            return Decision.from_json(self._store.read(layout.decision_key(model, challenger)))
        except NotFoundError:
            return None

    def all(self, model: str) -> list[Decision]:
        """All decisions of a model, oldest version first."""
        return self.after(model, "0")

    def after(self, model: str, version: str) -> list[Decision]:
        """Decisions on later versions than one, oldest first; no other is read."""
        later = [self.of(model, str(found)) for found in self.numbers(model) if found > int(version)]
        return [decision for decision in later if decision is not None]

    def numbers(self, model: str) -> list[int]:
        """Versions that were decided on, in order; no decision is read."""
        prefix = layout.decision_prefix(model)
        return sorted(int(info.key.removeprefix(prefix).removesuffix(".json")) for info in self._store.list(prefix))

    def write(self, decision: Decision) -> None:
        """Store a decision; its arrival starts `release`."""
        self._store.write(layout.decision_key(decision.model, decision.challenger_version), decision.to_json())
