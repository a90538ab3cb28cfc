"""What the command shows people."""

import pytest

from infra.cli.options import show
from infra.cli.screens.drawing import unseen_lines
from infra.cli.screens.status import fleet_screen


def test_what_people_wrote_is_shown_to_the_letter(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "see [/ticket] and [red] of temp [c]"
    served = {"model": "flights", "seq": 1, "champion": {"version": "1"}, "challenger": None, "retired": False, "why": reason}
    show({"models": [served]}, fleet_screen, as_json=False)
    assert reason in capsys.readouterr().out


def test_many_categories_that_training_did_not_know_are_warned_of_and_few_are_shown() -> None:
    assert [line.plain for line in unseen_lines({"region": 1.0, "plan": 0.02, "shop": 0.001})] == [
        "warning: 100.0% of the rows have a region unknown to training: is it written differently in this file?",
        "rows with a category unknown to training: plan 2.0%, shop 0.1%",
    ]
    assert unseen_lines({}) == []
