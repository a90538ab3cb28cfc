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


def test_labels_are_part_of_the_bill_as_many_files_as_are_scored_unless_said_otherwise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    totals = {}
    for said, files in (("", 30), ("--label-files 0", 0), ("--label-files 60", 60)):
        assert ended(f"cost --rows 1e6 {said} --json", monkeypatch) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["label_files"] == files
        totals[files] = found["dollars_total"]
        assert sum(item["dollars"] for item in found["labels"]) == pytest.approx(found["dollars_for_their_labels"])
    assert totals[60] - totals[30] == pytest.approx(totals[30] - totals[0])
    assert totals[30] > totals[0]
