import math

import pytest

from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError, InputError, NewerSchemaError
from functions.shared.domain.policy import LabelPolicy, Policy
from functions.shared.repositories.policies import Policies
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL


def test_the_defaults_are_in_force_until_somebody_writes_a_policy() -> None:
    assert Policies(MemoryStore()).current(MODEL) == Policy()


def test_the_highest_number_is_in_force_beyond_nine_too() -> None:
    policies = Policies(MemoryStore())
    for number in (1, 2, 10, 9):
        policies.write(MODEL, Policy(number=number, why=f"policy {number}"))
    assert policies.current(MODEL).why == "policy 10"


def test_of_two_policies_with_one_number_the_first_stands() -> None:
    policies = Policies(MemoryStore())
    policies.write(MODEL, Policy(number=1, why="mine"))
    with pytest.raises(ConflictError, match="policy 1 of sales was written meanwhile"):
        policies.write(MODEL, Policy(number=1, why="theirs"))
    assert policies.current(MODEL).why == "mine"


def test_policies_are_each_models_own() -> None:
    policies = Policies(MemoryStore())
    policies.write("sales-2", Policy(number=1, why="of the other"))
    assert policies.current("sales") == Policy()


DAMAGED = {
    "null": b'{"schema_version": 1, "number": 2, "labels": {"delay_days": 7.0, "look_back_days": null}}',
    "overflows": b'{"schema_version": 1, "number": 2, "labels": {"delay_days": 1e300, "look_back_days": 120}}',
    "no JSON": b"{",
    "nothing": b"",
    "text": b"\xff",
}
"""Policies as earlier versions wrote them, and as no version did."""


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_policy_that_cannot_be_read_leaves_the_last_one_that_can_in_force(damaged: bytes) -> None:
    store = MemoryStore()
    policies = Policies(store)
    policies.write(MODEL, Policy(number=1, why="good"))
    store.write(layout.policy_key(MODEL, 2), damaged)
    standing = policies.standing(MODEL)
    assert (standing.policy.why, standing.newest, list(standing.unreadable)) == ("good", 2, [2])
    policies.write(MODEL, standing.policy.model_copy(update={"number": standing.newest + 1, "why": "mended"}))
    standing = policies.standing(MODEL)
    assert (standing.policy.why, standing.unreadable) == ("mended", {})


def test_if_no_policy_can_be_read_the_defaults_are_in_force() -> None:
    store = MemoryStore()
    store.write(layout.policy_key(MODEL, 1), DAMAGED["null"])
    standing = Policies(store).standing(MODEL)
    assert (standing.policy, standing.newest) == (Policy(), 1)
    assert standing.unreadable == {1: "labels.look_back_days cannot be null: it takes a number above 0 to 36,500 (days)"}


def test_a_range_that_an_earlier_version_stored_as_null_is_open() -> None:
    store = MemoryStore()
    store.write(layout.policy_key(MODEL, 1), b'{"number": 1, "row_contract": {"ranges": {"x1": [0.0, null]}}}')
    assert Policies(store).current(MODEL).row_contract.ranges == {"x1": (0.0, math.inf)}


def test_a_policy_of_a_later_schema_is_not_passed_over() -> None:
    store = MemoryStore()
    store.write(layout.policy_key(MODEL, 1), b'{"schema_version": 2, "number": 1}')
    with pytest.raises(NewerSchemaError, match="update Everscore"):
        Policies(store).current(MODEL)


def test_a_threshold_that_a_later_version_added_is_passed_over() -> None:
    store = MemoryStore()
    store.write(layout.policy_key(MODEL, 1), b'{"number": 1, "gate": {"alpha": 0.01, "of_the_future": 1}}')
    assert Policies(store).current(MODEL).gate.alpha == 0.01


def test_what_else_lies_among_policies_is_none() -> None:
    store = MemoryStore()
    Policies(store).write(MODEL, Policy(number=1, why="mine"))
    store.write(f"policies/{MODEL}/notes.txt", b"why we chose this")
    assert Policies(store).current(MODEL).why == "mine"


def test_a_policy_that_nobody_could_use_is_not_written() -> None:
    store = MemoryStore()
    with pytest.raises(InputError, match=r"labels\.delay_days cannot be 1e"):
        Policies(store).write(MODEL, Policy(number=1, labels=LabelPolicy(delay_days=1e300)))
    assert not list(store.list("policies/"))
