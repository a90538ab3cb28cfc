"""What the commands that make versions check themselves, and when they change a policy."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from functions.shared.domain import layout
from functions.shared.domain.errors import TrainingError
from functions.shared.domain.policy import Costs, DecisionPolicy
from functions.shared.ports import ObjectInfo
from functions.shared.repositories.policies import Policies
from infra.cli import operator
from tests.fakes.documents import make_decision, make_release, serve
from tests.fakes.versions import MODEL, make_version
from tests.unit.cli.stack import Stack
from tests.unit.cli.terminal import ended


class Training(Stack):
    """A stack whose retraining makes a first version, unless it fails."""

    def __init__(self, *serving: str, failure: BaseException | None = None) -> None:
        super().__init__(*serving)
        self.failure = failure
        self.asked: list[dict[str, Any]] = []
        self.pinned: list[DecisionPolicy] = []

    @property
    def rule(self) -> DecisionPolicy:
        """What the policy in force says."""
        return Policies(self.store).current(MODEL).decision

    def upload_file(self, key: str, file: Path, console: Console) -> ObjectInfo:
        return self.inbox.write(key, file.read_bytes())

    def have_done(self, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        assert function == "Retraining"
        self.asked.append(dict(request))
        if self.failure:
            raise self.failure
        self.store.write(layout.release_key(MODEL), make_release().to_json())
        self.store.write(layout.version_prefix(MODEL, "1") + "spec.json", make_version().spec.to_json())
        return {"decision": make_decision("1").summary(), "learnt": {"classes": {}}}

    def ask(self, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        assert (function, request["action"]) == ("Release", "tick")
        self.pinned.append(self.rule)
        return {}

    def notify(self, function: str, request: Mapping[str, Any]) -> None:
        self.asked.append({"function": function, **request})


def train(stack: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(operator, "connect", lambda _: stack)
    (tmp_path / "history.csv").write_text("id,price,bought\n1,2.5,yes\n")
    return ended(f"train {MODEL} {tmp_path / 'history.csv'} --target bought --id id --json {' '.join(options)}", monkeypatch)


@pytest.mark.parametrize(
    ("option", "asked", "rule"),
    [
        ("--threshold=0.2", {"threshold": 0.2}, DecisionPolicy(threshold=0.2)),
        (
            "--costs=false_positive=1,false_negative=20",
            {"costs": "false_positive=1,false_negative=20"},
            DecisionPolicy(costs=Costs(false_positive=1, false_negative=20)),
        ),
    ],
)
def test_a_rule_is_asked_for_with_the_training_and_in_force_when_the_command_ends(
    option: str, asked: dict[str, Any], rule: DecisionPolicy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Training()
    assert train(stack, tmp_path, monkeypatch, option) == 0
    assert stack.asked[0]["decision"] == asked
    assert stack.rule == rule
    assert stack.pinned == [rule]


def test_without_a_rule_no_policy_is_written_and_nothing_is_asked_of_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Training()
    assert train(stack, tmp_path, monkeypatch) == 0
    assert "decision" not in stack.asked[0]
    assert (Policies(stack.store).standing(MODEL).newest, stack.pinned) == (0, [])


def test_a_training_that_is_refused_leaves_no_threshold_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Training(failure=TrainingError("--threshold: 'bought' makes a regression task", remedy="leave --threshold out"))
    assert train(stack, tmp_path, monkeypatch, "--threshold=0.2") == 2
    assert Policies(stack.store).standing(MODEL).newest == 0


def test_a_training_whose_command_was_interrupted_says_how_its_threshold_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(Training(failure=KeyboardInterrupt()), tmp_path, monkeypatch, "--threshold=0.2") == 130
    said = " ".join(capsys.readouterr().err.split())
    assert f"`everscore policy {MODEL} --set decision.threshold=0.2`" in said


def test_costs_that_are_none_are_refused_before_anything_is_uploaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = Training()
    assert train(stack, tmp_path, monkeypatch, "--costs=false_positive=0,false_negative=0") == 2
    assert "both costs are 0" in json.loads(capsys.readouterr().out)["error"]
    assert not list(stack.inbox.versions(""))


def retrain(stack: Training, monkeypatch: pytest.MonkeyPatch, options: str) -> int:
    serve(stack.store, make_version())
    monkeypatch.setattr(operator, "connect", lambda _: stack)
    return ended(f"retrain {MODEL} --json {options}", monkeypatch)


@pytest.mark.parametrize(
    ("options", "error", "remedy"),
    [
        ("--window 2013-03-10:2013-03-01", "--window 2013-03-10:2013-03-01 holds no day", "write the earlier day first"),
        ("--window 2013-03-10", "--window 2013-03-10 is no pair of days", "write FIRST:LAST, as in 2013-03-01:2013-03-10"),
        ("--drop prise", "'sales' has no feature prise to drop", "choose from its features: price, shop, member"),
    ],
)
def test_what_no_retraining_can_do_is_refused_before_it_is_said_to_have_begun(
    options: str, error: str, remedy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = Training()
    assert retrain(stack, monkeypatch, options) == 2
    said = json.loads(capsys.readouterr().out)
    assert (said["error"], said["remedy"]) == (error, remedy)
    assert not stack.asked


def test_a_window_of_one_day_and_a_known_column_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Training()
    assert retrain(stack, monkeypatch, "--window 2013-03-10:2013-03-10 --drop shop") == 0
    [request] = stack.asked
    assert (request["window"], request["drop"]) == ({"start": "2013-03-10", "end": "2013-03-10"}, ["shop"])
