"""How long a call of erasure lasts, whose connection waits for it."""

from types import SimpleNamespace
from typing import Any

import pytest

from functions.erasure import handler as entry
from functions.erasure import service

NAT_FORGETS_AFTER_S = 350


@pytest.mark.parametrize(
    ("taken_s", "left_s", "stops"), [(0, 900, False), (200, 700, False), (NAT_FORGETS_AFTER_S - 60, 610, True), (100, 100, True)]
)
def test_a_call_begins_nothing_more_before_a_nat_gateway_forgets_its_connection_or_its_time_ends(
    taken_s: float, left_s: float, *, stops: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, stopped = [1000.0], []

    def erase(_request: object, _ports: object, time_is_up: Any) -> Any:
        clock[0] += taken_s
        stopped.append(time_is_up())
        return SimpleNamespace(summary=dict)

    monkeypatch.setattr(service, "erase", erase)
    monkeypatch.setattr(entry, "ports", lambda: None)
    monkeypatch.setattr(entry, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: left_s * 1000)
    entry.handler({"model": "sales", "ids": ["1"], "who": "ada"}, context)
    assert stopped == [stops]
