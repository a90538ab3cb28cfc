"""What the command says of versions: how they did on earlier days, and whether they came out again."""

import io
from datetime import date
from typing import Any

import pytest
from rich.console import Console

from functions.retraining.event import Reproduction
from functions.shared.domain.decision import Fold, Reason
from infra.cli.options import show
from infra.cli.screens.versions import decision_screen, first_version_screen, reproduction_screen
from tests.fakes.documents import make_decision


def shown(capsys: pytest.CaptureFixture[str], answer: dict[str, Any], screen: Any) -> str:
    show(answer, screen, as_json=False)
    return capsys.readouterr().out


def test_a_decision_shows_both_models_on_earlier_days(capsys: pytest.CaptureFixture[str]) -> None:
    may = {"first_day": date(2013, 5, 1), "last_day": date(2013, 5, 28), "rows": 25_000}
    folds = (Fold(**may, champion={"log_loss": 0.4321}, challenger={"log_loss": 0.4123}),)
    decision = make_decision(champion={"log_loss": 0.45}, challenger={"log_loss": 0.44}, cross_validation=folds)
    lines = shown(capsys, decision.summary(), decision_screen).splitlines()
    [line] = [line for line in lines if "2013-05-01 to 2013-05-28" in line]
    assert line.split()[-2:] == ["0.4321", "0.4123"], "the champion first, as above"


@pytest.mark.parametrize(
    ("largest", "said"), [(0.0, "equal within 1e-9"), (9e-10, "equal within 1e-9"), (2e-9, "more than 1e-9 apart"), (None, None)]
)
def test_a_version_that_comes_out_otherwise_is_shown_with_how_far_its_scores_are_apart(
    capsys: pytest.CaptureFixture[str], largest: float | None, said: str | None
) -> None:
    libraries = {"numpy": ("2.5.5", "2.6.0")}
    found = Reproduction(
        model="m",
        version="2",
        identical=False,
        difference="engine.npz: array edges_1 differs",
        libraries=libraries,
        largest_score_difference=largest,
        rows=300,
    )
    text = shown(capsys, found.model_dump(mode="json"), reproduction_screen)
    assert "array edges_1 differs" in text
    assert "numpy is 2.6.0, 2.5.5 was recorded" in text
    assert ("1e-9" in text) is (said is not None)
    assert said is None or said in text


def test_rows_that_measured_an_adopted_version_are_shown_to_be_among_its_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    reasons = (Reason(code="adopted", message="models:/m/1 as it was trained"),)
    decision = make_decision("1", champion_version=None, challenger={"log_loss": 0.44}, reasons=reasons, trained_rows=300, rows=60)
    learnt = {"target": "left", "task": "binary", "positive": "yes", "classes": {}, "columns": []}
    text = " ".join(shown(capsys, decision.summary() | learnt | {"adopted": True}, first_version_screen).split())
    assert "not trained here; 300 rows of the file for its baseline, 60 of them to measure it" in text


def test_a_first_version_says_what_it_predicts_and_from_how_many_rows_of_each_class(capsys: pytest.CaptureFixture[str]) -> None:
    decision = make_decision("1", champion_version=None, challenger={"log_loss": 0.44})
    learnt = {"target": "left", "task": "binary", "positive": "yes", "classes": {"no": 1292, "yes": 108}, "columns": []}
    lines = shown(capsys, decision.summary() | learnt, first_version_screen).splitlines()
    assert "predicts left (binary), score = P(left = yes)" in lines
    assert "rows by class: no 1,292, yes 108" in lines
    assert any("trained on" in line for line in lines)


def test_an_adopted_version_was_not_trained_here(capsys: pytest.CaptureFixture[str]) -> None:
    decision = make_decision("1", champion_version=None, challenger={"log_loss": 0.44})
    text = shown(capsys, decision.summary() | {"adopted": True}, decision_screen)
    assert "not trained here" in text
    assert "trained on" not in text


def test_the_columns_of_a_file_fit_a_narrow_terminal_and_warnings_end_the_screen() -> None:
    reasons = (Reason(code="first", message="has no champion"), Reason(code="serial", message="nr: numbers the rows", warning=True))
    decision = make_decision("1", champion_version=None, challenger={"log_loss": 0.44}, reasons=reasons)
    fee = {"name": "monthly_fee", "kind": "number", "missing": 1234, "distinct": 99, "example": "12.5"}
    note = {"name": "note", "kind": "left out", "missing": None, "distinct": None, "example": None}
    learnt = {
        "target": "left",
        "task": "binary",
        "positive": "yes",
        "classes": {},
        "columns": [fee, note] + [fee | {"example": "x" * 60}] * 60,
    }
    printed = io.StringIO()
    Console(width=80, file=printed).print(first_version_screen(decision.summary() | learnt))
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    assert max(map(len, lines)) <= 80
    assert "monthly_fee  number      1,234        99  12.5" in lines
    assert "note         left out" in lines
    assert "The first 40 of 62 columns (--json has all)" in lines
    assert lines[-2:] == ["warning: nr: numbers the rows", "Next: everscore score sales FILE -o SCORES.parquet"]
    assert "  has no champion" in lines
