"""What each command shows of a model's life, in both languages, on a terminal of 80 columns."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.e2e.life import LIFE
from tests.e2e.test_own_model import Command, applications
from tests.unit.cli.terminal import ended
from tests.unit.cli.test_app import COMMANDS, LANGUAGES, WIDTH

pytestmark = pytest.mark.timeout(900)  # two lives of a model, each with two trainings

FOR_SHELLS = ("local", "env")
"""The command whose lines a shell reads, so that none is broken."""
NOUNS = {"row": "rows", "batch": "batches", "day": "days", "label": "labels", "file": "files", "model": "models", "upload": "uploads"}
NOUNS |= {"column": "columns", "version": "versions", "alert": "alerts", "value": "values", "person": "people"}

type Screens = list[tuple[str, str]]
"""What was typed, and what it showed."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    stack = Command(tmp_path_factory.mktemp("home"))
    stack.run("local", "up", "--detach")
    yield {"EVERSCORE_HOME": stack.environment["EVERSCORE_HOME"], "COLUMNS": str(WIDTH)}
    stack.run("local", "down")


@pytest.fixture(scope="module", params=LANGUAGES)
def screens(request: pytest.FixtureRequest, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Screens:
    """A model's life in one language. Only the stack is a process of its own: commands start faster in this one."""
    here, model = files(tmp_path_factory.mktemp("files")), f"loans-{request.param}"
    environment = environment | {"EVERSCORE_LANG": request.param}
    words = {"MODEL": model, "HERE": str(here), "TABLE": model.replace("-", "_")}
    shown: Screens = []
    for step, code in LIFE:
        if "BATCH" in step and "BATCH" not in words:
            words["BATCH"] = suspect_batch(model, environment)
        arguments = re.sub("|".join(words), lambda word: words[word[0]], step)
        ended_with, screen = typed(arguments, environment)
        assert ended_with == code, f"everscore {arguments}\n{screen}"
        shown.append((step, screen))
    return shown


def files(folder: Path) -> Path:
    applications(folder / "history.csv", range(3000), label=True)
    applications(folder / "april.csv", range(3000, 5000), label=False, first_day=40)
    applications(folder / "labels.csv", range(3000, 5000), label=True, first_day=40)
    bad, good = ";2024-03-01;1;2;X;ann", "D1;2024-03-01;1;2;X;ann"
    (folder / "dirty.csv").write_text(f"application;received;income;debt;region;clerk\n{bad}\n{good}\n")
    (folder / "ids.csv").write_text("application\nA17\nA3003\n")
    return folder


def typed(arguments: str, environment: dict[str, str]) -> tuple[int, str]:
    """How a command ends, and what it shows."""
    screen = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(screen), redirect_stderr(screen):
        for name, value in environment.items():
            patch.setenv(name, value)
        code = ended(arguments, patch)
    return code, screen.getvalue()


def suspect_batch(model: str, environment: dict[str, str]) -> str:
    _, status = typed(f"status {model} --json", environment)
    [found] = [batch["batch_id"] for batch in json.loads(status)["batches"] if batch["status"] == "suspect"]
    return found[:12]


def command_of(step: str) -> tuple[str, ...]:
    words = tuple(step.split())
    return words[:2] if words[:2] in COMMANDS else words[:1]


def test_every_command_is_typed() -> None:
    assert {command_of(step) for step, _ in LIFE} == set(COMMANDS)


def test_every_command_shows_something_and_no_traceback(screens: Screens) -> None:
    assert [step for step, screen in screens if not screen.strip() or "Traceback" in screen] == []


def test_no_line_is_wider_than_the_terminal_unless_it_is_one_word_or_command(screens: Screens) -> None:
    shown = [(step, line) for step, screen in screens if command_of(step) != FOR_SHELLS for line in screen.splitlines()]
    assert [found for found in shown if cell_len(found[1]) > WIDTH and " " in re.sub(r"`[^`]+`", "", found[1]).strip()] == []


def test_a_noun_is_a_plural_unless_its_number_is_one(screens: Screens) -> None:
    wrong = "|".join([*(rf"\b1 {many}" for many in NOUNS.values()), *(rf"(?!\b1 )\b\d[\d,]* {one}" for one in NOUNS)])
    assert [(step, found[0]) for step, screen in screens for found in re.finditer(rf"(?:{wrong})\b", screen)] == []
