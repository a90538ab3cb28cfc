"""A slip in a model's name is caught before anything is done."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from functions.shared.domain import layout
from functions.shared.domain.errors import InputError, InvalidNameError
from functions.shared.domain.policy import Policy
from functions.shared.repositories.policies import Policies
from infra.cli import operator
from infra.cli.app import app
from infra.cli.names import looked_up
from tests.fakes.documents import make_release
from tests.unit.cli.stack import Stack
from tests.unit.cli.terminal import ended

MAKE_MODELS = {"train", "adopt", "import"}
"""Commands whose model is new."""
CHOICES = {"rescore": ["--withdrawn"], "fetch": ["--last"]}
"""Options that a command needs to know what is wanted."""


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    made = Stack("weather", "flights")
    monkeypatch.setattr(operator, "connect", lambda _: made)
    return made


def lines(command: Any, name: str, file: Path) -> str:
    """The shortest command line about the model `wether` that typer takes."""
    words = [name, *CHOICES.get(name, ())]
    values = {"model": "wether", "file": str(file), "ids": str(file), "out": f"{file.parent}/out.csv", "output": f"{file.parent}/out.html"}
    for parameter in command.params:
        if parameter.required or parameter.name == "model":
            value = values.get(parameter.name, "1")
            words += [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]
    return " ".join(words)


def commands(group: Any, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= commands(command, f"{prefix}{name} ")
        elif any(parameter.name == "model" for parameter in command.params):
            found[prefix + name] = command
    return found


COMMANDS = {name: command for name, command in commands(typer.main.get_command(app)).items() if name not in MAKE_MODELS}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_knows_no_model_of_that_name_and_suggests_the_nearest(
    name: str, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file.csv"
    file.write_text("id\n1\n")
    before = stack.inbox.keys() | stack.store.keys()
    assert ended(lines(COMMANDS[name], name, file) + " --json", monkeypatch) == 2
    answer = json.loads(capsys.readouterr().out)
    assert (answer["code"], answer["error"]) == ("unknown_model", "there is no model 'wether' here; models: flights, weather")
    assert answer["remedy"].startswith("did you mean 'weather'?")
    assert stack.inbox.keys() | stack.store.keys() == before


def test_all_commands_that_name_a_model_are_asked() -> None:
    assert {"score", "labels", "policy", "report", "retrain", "erase", "history", "replay", "data log", "rollback"} <= COMMANDS.keys()


@pytest.mark.parametrize(
    ("typed", "known", "hint"),
    [
        ("Weather", ["weather"], "did you mean 'weather'?"),
        ("whether", ["flights", "weather", "sales"], "did you mean 'weather'?"),
        ("churn", ["weather"], "`everscore train churn FILE …` makes a model of this name"),
        ("churn", [], "`everscore train churn FILE …` makes a model of this name"),
    ],
)
def test_the_nearest_name_is_reported_if_one_is_near(typed: str, known: list[str], hint: str) -> None:
    with pytest.raises(InputError) as refused:
        looked_up(typed, Stack(*known).store)
    assert refused.value.remedy.startswith(hint)


def test_of_very_many_models_some_are_named() -> None:
    with pytest.raises(InputError, match=r"models: m00, .*, m19 and 5 more"):
        looked_up("churn", Stack(*(f"m{number:02d}" for number in range(25))).store)


def test_what_can_be_no_name_is_called_that() -> None:
    with pytest.raises(InvalidNameError):
        looked_up("../weather", Stack("weather").store)


def test_with_new_a_policy_comes_before_its_model_and_is_known_from_then_on(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended("policy churn --set canary.steps=[0.5,1.0]", monkeypatch) == 2
    assert ended("policy churn --set canary.steps=[0.5,1.0] --new", monkeypatch) == 0
    assert ended("policy churn --set gate.alpha=0.01", monkeypatch) == 0
    assert Policies(stack.store).current("churn").number == 2


def test_a_policy_that_another_writer_came_before_is_set_on_top_of_that(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    write, first = Policies.write, iter([True])

    def write_late(self: Policies, model: str, policy: Policy) -> None:
        if next(first, False):
            write(self, model, Policy(number=1, who="ada", row_contract={"error_budget": 0.5}))
        write(self, model, policy)

    monkeypatch.setattr(Policies, "write", write_late)
    assert ended("policy churn --set gate.alpha=0.01 --new", monkeypatch) == 0
    standing = Policies(stack.store).current("churn")
    assert (standing.number, standing.row_contract.error_budget, standing.gate.alpha) == (2, 0.5, 0.01)


def test_a_batch_for_a_retired_model_is_refused_with_what_brings_it_back(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "april.csv"
    file.write_text("id\n1\n")
    stack.store.write(layout.release_key("weather"), make_release(model="weather", retired=True, reason="too old").to_json())
    assert ended(f"score weather {file} --json", monkeypatch) == 2
    answer = json.loads(capsys.readouterr().out)
    assert (answer["code"], answer["remedy"]) == ("retired", "`everscore promote weather 1` brings it back")
    assert not stack.inbox.keys()
