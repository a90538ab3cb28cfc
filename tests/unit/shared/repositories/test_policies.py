import pytest

from functions.shared.domain.errors import ConflictError
from functions.shared.domain.policy import Policy
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
