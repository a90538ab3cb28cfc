"""What `everscore cost` takes."""

import json
from typing import Any

import pytest

from tests.unit.cli.terminal import ended


def estimate(engine: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert ended(f"cost --rows 1e6 --engine {engine} --json", monkeypatch) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert f"; {engine} as measured" in found.pop("basis")
    return found


@pytest.mark.parametrize(("engine", "model"), [("linear", "logistic"), ("bitvector", "boosting")])
def test_an_engine_may_be_named_as_earlier_by_its_model(
    engine: str, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert estimate(engine, monkeypatch, capsys) == estimate(model, monkeypatch, capsys)


def test_an_engine_whose_speed_nobody_measured_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("cost --rows 1e6 --engine forest", monkeypatch) == 2
    assert "remedy: choose from: linear, bitvector" in capsys.readouterr().err
