"""Policies: numbered thresholds, the highest number being in force."""

from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError
from functions.shared.domain.policy import Policy
from functions.shared.ports import ObjectStore


class Policies:
    """Policy documents in the store bucket."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def current(self, model: str) -> Policy:
        """The policy in force; the defaults if nobody wrote one."""
        keys = [found.key for found in self._store.list(f"policies/{model}/")]
        return Policy.from_json(self._store.read(keys[-1])) if keys else Policy()

    def write(self, model: str, policy: Policy) -> None:
        """Put a policy in force, or raise ConflictError if another one took its number."""
        if not self._store.create(layout.policy_key(model, policy.number), policy.to_json()):
            message = f"policy {policy.number} of {model} was written meanwhile; look at it and try again"
            raise ConflictError(message)
