"""Policies: numbered thresholds; the highest readable number is in force."""

from contextlib import suppress
from dataclasses import dataclass

from pydantic import ValidationError

from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError, InputError, UnreadableDocumentError
from functions.shared.domain.policy import Policy
from functions.shared.domain.thresholds import refuse_senseless, sentences
from functions.shared.ports import ObjectStore


@dataclass(frozen=True, slots=True)
class StandingPolicy:
    """The policy in force, and the highest number that any was written under.

    It also says what is wrong with policies of higher numbers, by number.
    """

    policy: Policy
    newest: int
    unreadable: dict[int, str]


class Policies:
    """Policy documents in the store bucket."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def current(self, model: str) -> Policy:
        """Return the policy in force; the defaults if nobody wrote one."""
        return self.standing(model).policy

    def standing(self, model: str) -> StandingPolicy:
        """Return the last policy that can be read, and what is wrong with later ones.

        Raises:
            NewerSchemaError: if a later Everscore wrote it.
        """
        keys = self._keys(model)
        unreadable: dict[int, str] = {}
        for number in sorted(keys, reverse=True):
            try:
                return StandingPolicy(_read(self._store.read(keys[number])), max(keys), unreadable)
            except InputError as error:
                unreadable[number] = str(error)
        return StandingPolicy(Policy(), max(keys, default=0), unreadable)

    def by_number(self, model: str) -> dict[int, Policy]:
        """Return all policies that can be read, and the default as number 0."""
        found = {0: Policy()}
        for number, key in self._keys(model).items():
            with suppress(InputError):
                found[number] = _read(self._store.read(key))
        return found

    def _keys(self, model: str) -> dict[int, str]:
        listed = (found.key for found in self._store.list(layout.policy_prefix(model)))
        return {number: key for key in listed if (number := layout.policy_number(key)) is not None}

    def write(self, model: str, policy: Policy) -> None:
        """Put a policy in force.

        Raises:
            InputError: if nobody could read or use it, with what is wrong.
            ConflictError: if another one took its number.
        """
        try:
            text = policy.to_json()
        except UnreadableDocumentError as error:
            message = "the policy was not stored: a text in it is no Unicode; look at names of columns and at the reason"
            raise InputError(message) from error
        _read(text)
        if not self._store.create(layout.policy_key(model, policy.number), text):
            message = f"policy {policy.number} of {model} was written meanwhile; look at it and try again"
            raise ConflictError(message)


def _read(text: bytes) -> Policy:
    """Return a policy that makes sense, or raise InputError."""
    try:
        policy = Policy.from_json(text)
        refuse_senseless(policy)
    except ValidationError as error:
        raise InputError(sentences(error)) from error
    except ValueError as error:
        raise InputError(str(error)) from error
    return policy
