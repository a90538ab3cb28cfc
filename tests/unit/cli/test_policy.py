"""Thresholds that a person sets."""

import pytest

from functions.shared.domain.errors import InputError
from functions.shared.domain.policy import Costs, Policy
from functions.shared.domain.spec import Task
from infra.cli.policy import changed_policy, refuse_undecidable, refuse_unknown_ranges
from tests.fakes.versions import make_version


def changed(standing: Policy, name: str, value: object) -> Policy:
    return changed_policy(standing, [(name, value)], number=standing.number + 1, who="ann", why="")


def test_ranges_are_of_number_features_that_a_served_version_knows() -> None:
    standing, specs = Policy(), [make_version().spec]
    refuse_unknown_ranges(standing, changed(standing, "row_contract.ranges", {"price": [0, 9]}), specs)
    for name in ("prise", "shop", "member", "id"):
        with pytest.raises(InputError, match=rf"there is no number feature {name}\nremedy: choose from: price"):
            refuse_unknown_ranges(standing, changed(standing, f"row_contract.ranges.{name}", [0, 9]), specs)


def test_a_range_that_stands_already_stops_no_other_change() -> None:
    standing = changed(Policy(), "row_contract.ranges.gone", [0, 9])
    refuse_unknown_ranges(standing, changed(standing, "row_contract.ranges.price", [0, 9]), [make_version().spec])


def test_a_threshold_is_for_binary_models() -> None:
    wanted = changed(Policy(), "decision.threshold", 0.2)
    refuse_undecidable(wanted, [make_version().spec])
    refuse_undecidable(Policy(), [make_version(task=Task.REGRESSION).spec])
    with pytest.raises(InputError, match="a regression model has no threshold"):
        refuse_undecidable(wanted, [make_version(task=Task.REGRESSION).spec])


def test_costs_are_set_as_a_person_writes_them() -> None:
    assert changed(Policy(), "decision.costs", "false_positive=1,false_negative=20").decision.costs == Costs(
        false_positive=1, false_negative=20
    )
