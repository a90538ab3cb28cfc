"""Thresholds that a person sets."""

import pytest

from functions.shared.domain.errors import InputError
from functions.shared.domain.policy import Costs, Policy
from functions.shared.domain.spec import Task
from functions.shared.domain.thresholds import thresholds, unknown
from infra.cli.options import show
from infra.cli.policy import changed_policy, refuse_undecidable, refuse_unknown_ranges, setting_of
from infra.cli.screens.policy import policy_screen
from tests.fakes.versions import make_version


def changed(standing: Policy, name: str, value: object) -> Policy:
    return changed_policy("m", standing, [(name, value)], number=standing.number + 1, who="ann", why="")


def test_ranges_are_of_number_features_that_a_served_version_knows() -> None:
    standing, specs = Policy(), [make_version().spec]
    refuse_unknown_ranges(standing, changed(standing, "row_contract.ranges", {"price": [0, 9]}), specs)
    for name in ("prise", "shop", "member", "id"):
        with pytest.raises(InputError, match=rf"there is no number feature {name}\nremedy: choose from: price"):
            refuse_unknown_ranges(standing, changed(standing, f"row_contract.ranges.{name}", [0, 9]), specs)


def test_a_range_that_stands_already_stops_no_other_change() -> None:
    standing = changed(Policy(), "row_contract.ranges.gone", [0, 9])
    refuse_unknown_ranges(standing, changed(standing, "row_contract.ranges.price", [0, 9]), [make_version().spec])


def test_a_change_without_a_value_says_how_thresholds_are_written() -> None:
    with pytest.raises(InputError, match=r"'foo' is no NAME=VALUE\nremedy: write it as in row_contract.error_budget=0.05"):
        setting_of("foo")


def test_of_many_thresholds_alike_a_few_are_suggested() -> None:
    assert unknown("rows").count(" or ") <= 2


def test_a_value_that_is_missing_has_no_unit(capsys: pytest.CaptureFixture[str]) -> None:
    show({**Policy().summary(), "model": "m", "unreadable": []}, policy_screen, as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    missing = [line for line in lines if "null" in line and line[0] in thresholds()]
    assert missing
    assert {line[-1] for line in missing} == {"null"}


def test_each_threshold_is_shown_with_what_it_takes_and_a_share_without_a_unit(capsys: pytest.CaptureFixture[str]) -> None:
    show({**Policy().summary(), "model": "m", "unreadable": []}, policy_screen, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    [number] = [number for number, line in enumerate(lines) if line.split()[:1] == ["row_contract.error_budget"]]
    assert lines[number].split() == ["row_contract.error_budget", "0.1"]
    assert lines[number + 1].strip() == "Share of quarantined rows above which a batch is suspect. It takes a number from 0 to 1."
    assert sum("It takes" in line for line in lines) == len(thresholds())


def test_one_of_a_unit_is_shown_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    standing = changed(Policy(), "gate.min_holdout_days", 1)
    show({**standing.summary(), "model": "m", "unreadable": []}, policy_screen, as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    values = {line[-3]: line[-2:] for line in lines if len(line) >= 3}
    assert (values["canary.min_batches"], values["gate.min_holdout_days"]) == (["1", "batch"], ["1", "day"])
    assert values["labels.delay_days"] == ["7", "days"]


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
