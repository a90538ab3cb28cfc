"""The clock's events reach what they ask for."""

from types import SimpleNamespace
from typing import Any

import pytest

from functions.cataloguing import handler, upkeep


@pytest.mark.parametrize(("left_s", "is_up"), [(600, False), (200, True)])
def test_a_sweep_knows_whether_time_is_left_for_another_day(monkeypatch: pytest.MonkeyPatch, left_s: int, *, is_up: bool) -> None:
    context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: left_s * 1000)
    monkeypatch.setattr(handler, "ports", lambda: None)
    monkeypatch.setattr(upkeep, "sweep", lambda _ports, _now, time_is_up: {"is_up": time_is_up()})
    assert handler.handler({"action": "sweep"}, context) == {"is_up": is_up}
