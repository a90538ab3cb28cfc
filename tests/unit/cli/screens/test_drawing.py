"""What the command shows people."""

import io

import pytest
from rich.console import Console

from infra.cli.options import show
from infra.cli.screens.drawing import table_of, unseen_lines
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


@pytest.mark.parametrize("width", [80, 40])
def test_a_narrow_terminal_breaks_texts_and_cuts_none(width: int) -> None:
    cells = ("1", "promote", "scikit-learn, linear (compiled loops)", "1,292", "2013-04-01 至 2013-05-28", "log_loss 0.440")
    table = table_of("version", "gate", "engine", "training rows", "event days", "held-out rows")
    table.add_row(*cells)
    printed = io.StringIO()
    Console(width=width, file=printed).print(table)
    shown = printed.getvalue()
    assert "…" not in shown
    written = "version gate engine training rows event days held-out rows".split() + " ".join(cells).split()  # noqa: SIM905
    assert sorted("".join(shown.split())) == sorted("".join(written))
