"""What the command shows people."""

import pytest

from infra.cli.options import show
from infra.cli.screens.status import fleet_screen


def test_what_people_wrote_is_shown_to_the_letter(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "see [/ticket] and [red] of temp [c]"
    served = {"model": "flights", "seq": 1, "champion": {"version": "1"}, "challenger": None, "retired": False, "reason": reason}
    show({"models": [served]}, fleet_screen, as_json=False)
    assert reason in capsys.readouterr().out
