"""Thresholds that a person sets."""

import pytest

from functions.shared.domain.errors import InputError
from functions.shared.domain.policy import Policy
from infra.cli.policy import changed_policy, refuse_unknown_ranges
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
