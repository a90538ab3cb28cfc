"""docs/runbook.md has a section for whatever may call a person, and documents quote only commands that there are."""

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer

from functions.shared.domain.advice import ADVICE, UNUSED_LABELS
from functions.shared.domain.alert import AlertKind
from functions.shared.domain.policy import Policy
from infra.cli.app import app
from infra.cli.policy import changed_policy, setting_of
from infra.grafana.written import FOLDER, files
from tests.contract.template import ROOT, resources_of

RUNBOOK = (ROOT / "docs/runbook.md").read_text()
PAGES = [*sorted(ROOT.glob("README*.md")), ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def sections(part: str) -> dict[str, str]:
    """Text by heading, of the third level below one of the second."""
    [body] = re.findall(rf"^## {part}\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    headings = re.split(r"^### (.*)\n", body, flags=re.MULTILINE)[1:]
    return dict(zip(headings[::2], headings[1::2], strict=True))


def quoted_commands(text: str) -> Iterator[str]:
    """Every line of a code block that is a command of ours, and every one in backticks, whose [optional] parts are given."""
    for block in FENCE.findall(text):
        yield from re.findall(r"^(?:.*\$\()?(everscore (?:[^)#\n]*[^)#\s])?)", block, re.MULTILINE)
    for span in re.findall(r"`(everscore [^`]+)`", FENCE.sub("", text)):
        yield re.sub(r"[\[\]]", "", span)


def refuse_unknown(line: str) -> None:
    """Pass if a command has these options, takes that many arguments, and lacks none; a name alone, or one that ends in …, may."""
    tokens = shlex.split(line.removesuffix(" …"))[1:]
    command: Any = typer.main.get_command(app)
    while tokens and hasattr(command, "commands") and not tokens[0].startswith("-"):
        command = command.commands[tokens.pop(0)]
    named_only = not tokens
    given, left, _ = command.make_parser(typer.Context(command)).parse_args(tokens)
    assert not left, f"{line}: {left} is too much"
    if not named_only and not line.endswith(" …"):
        lacking = [parameter.name for parameter in command.params if parameter.required and given.get(parameter.name) is None]
        assert not lacking, f"{line}: {lacking} is missing"


def test_each_kind_of_alert_has_its_section_where_the_alert_says() -> None:
    assert list(sections("Alerts")) == [kind.value for kind in AlertKind]


def test_each_alarm_has_its_section() -> None:
    assert list(sections("Alarms")) == list(resources_of("AWS::CloudWatch::Alarm"))


def test_grafana_shows_this_very_runbook() -> None:
    name = "pages/prometheus/runbook.json"
    assert (FOLDER / name).read_text() == files()[name], "run `make dashboards`"


@pytest.mark.parametrize("kind", AlertKind)
def test_the_report_advises_nothing_that_the_runbook_does_not(kind: AlertKind) -> None:
    said = {tuple(shlex.split(line)[:3]) for line in quoted_commands(sections("Alerts")[kind.value])}
    commands = (*ADVICE[kind].commands, *(UNUSED_LABELS.commands if kind is AlertKind.FAILED else ()))
    assert {tuple(shlex.split(line.format(model="MODEL"))[:3]) for line in commands} <= said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_that_a_document_quotes_exists_with_these_options(page: Path) -> None:
    for line in quoted_commands(page.read_text()):
        refuse_unknown(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_threshold_that_a_document_sets_exists_and_may_have_that_value(page: Path) -> None:
    quoted = (shlex.split(line) for line in quoted_commands(page.read_text()) if line.startswith("everscore policy"))
    for tokens in quoted:
        settings = [token for flag, token in pairwise(tokens) if flag == "--set" and "=" in token and token != "NAME=VALUE"]
        changed_policy("model", Policy(), [setting_of(setting) for setting in settings], number=1, who="test", why="")


@pytest.mark.parametrize("line", [line for advice in (*ADVICE.values(), UNUSED_LABELS) for line in advice.commands])
def test_each_command_that_the_report_advises_exists_with_these_options(line: str) -> None:
    refuse_unknown(line)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("everscore nothing", "nothing"),
        ("everscore tick --json", "model"),
        ("everscore tick a b", "too much"),
        ("everscore tick a --hard", "--hard"),
        ("everscore train a b --id c", "target"),
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str, said: str) -> None:
    with pytest.raises(Exception, match=said):
        refuse_unknown(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_to_a_file_and_a_heading_that_there_are(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", page.read_text()):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text()), anchor


def anchors(text: str) -> set[str]:
    """What headings may be linked by: in small letters, with hyphens for spaces."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
