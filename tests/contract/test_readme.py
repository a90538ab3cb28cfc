"""README, docs and CHANGELOG name what the code has, and Chinese pages show the same commands as the English ones."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from functions.shared.domain.alert import AlertKind
from functions.shared.domain.metrics import CATALOGUE
from functions.shared.domain.rejections import FileCode, RowCode
from functions.shared.reading.file_formats import TAKEN
from functions.shared.reading.values import MISSING
from infra.cli.app import app
from tests.contract.template import ROOT

REFUSALS = {"docs/formats.md": ("reason", "code"), "docs/formats.zh-CN.md": ("原因", "代码")}
"""By page, the headers of the tables of reasons to refuse a row and a file."""
IN_BOTH_LANGUAGES = ("README", "docs/guide", "docs/formats", "docs/deploying")
EVERYWHERE = {"--stack", "--json", "--help"}
"""Options that the text below the table names once for all commands."""
README_LINES, README_WIDTH = 110, 120
LARGEST_PICTURE = 100_000
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


def blocks(text: str) -> list[str]:
    """Code blocks that are no diagrams, without comments."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(r"(^| +)#.*", "", block, flags=re.MULTILINE) for language, block in found if language != "mermaid"]


def spans(text: str) -> list[str]:
    return sorted(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)))


def codes_listed(text: str, headers: tuple[str, str]) -> set[str]:
    """Codes in the first column of the two tables with these headers."""
    rows = []
    for header in headers:
        rows += text[text.index(f"| {header} |") :].partition("\n\n")[0].splitlines()[2:]
    return {code for row in rows for code in re.findall(r"`(\w+)`", row.split("|")[1])}


@pytest.mark.parametrize("page", REFUSALS)
def test_each_reason_to_refuse_a_row_or_a_file_is_listed_and_no_other(page: str) -> None:
    assert codes_listed(text_of(page), REFUSALS[page]) == {*RowCode, *FileCode}


@pytest.mark.parametrize("page", REFUSALS)
def test_each_spelling_of_a_missing_value_is_listed_and_no_other(page: str) -> None:
    [row] = [line for line in text_of(page).splitlines() if "`#N/A`" in line]
    assert {"", *re.findall(r"`([^`]+)`", row)} == set(MISSING)


@pytest.mark.parametrize("page", REFUSALS)
def test_each_ending_of_a_format_is_listed_and_no_other(page: str) -> None:
    [row] = [line for line in text_of(page).splitlines() if "`.ndjson`" in line]
    assert set(re.findall(r"`\.(\w+)`", row)) == {"gz", *(ending for form in TAKEN for ending in form.endings)}


@pytest.mark.parametrize("page", IN_BOTH_LANGUAGES)
def test_both_languages_show_the_same_commands_and_output(page: str) -> None:
    assert blocks(text_of(f"{page}.md")) == blocks(text_of(f"{page}.zh-CN.md"))


@pytest.mark.parametrize("page", IN_BOTH_LANGUAGES[1:])
def test_both_languages_name_the_same_things(page: str) -> None:
    assert spans(text_of(f"{page}.md")) == spans(text_of(f"{page}.zh-CN.md"))


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_a_readme_is_read_in_one_go(page: str) -> None:
    lines = text_of(page).splitlines()
    assert len(lines) <= README_LINES
    assert [line for line in lines if len(line) > README_WIDTH] == []


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_a_readme_shows_small_pictures_for_light_and_for_dark(page: str) -> None:
    shown = re.findall(r'(?:srcset|src)="(docs/pictures/[^"]+)"', text_of(page))
    assert [path.replace("-dark", "-light") for path in shown[::2]] == shown[1::2]
    assert len(shown) == 4
    assert all((ROOT / path).stat().st_size < LARGEST_PICTURE for path in shown)


def test_each_command_has_its_row() -> None:
    rows = re.findall(r"^\| `everscore ([a-z]+(?: [a-z]+)?)", text_of("docs/commands.zh-CN.md"), re.MULTILINE)
    assert sorted(rows) == sorted(commands())


def test_each_row_has_the_options_of_its_command() -> None:
    rows = re.findall(r"^\| `everscore ([a-z]+(?: [a-z]+)?)([^`]*)`", text_of("docs/commands.zh-CN.md"), re.MULTILINE)
    shown = {name: sorted(set(re.findall(r"--[a-z-]+", usage)) - EVERYWHERE) for name, usage in rows}
    assert shown == {name: sorted(set(long_options(command)) - EVERYWHERE) for name, command in all_commands()}


def test_the_page_of_commands_says_what_their_help_does(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "typer", "infra.cli.app", "utils", "docs", "--name", "everscore", "--title", "Commands"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "COLUMNS": "80"}
    page = tmp_path / "commands.md"
    subprocess.run([*command, "--output", str(page)], cwd=ROOT, env=environment, check=True, capture_output=True)
    assert page.read_text() == text_of("docs/commands.md"), "run `make commands`"


def commands() -> list[str]:
    return [name for name, _ in all_commands()]


def all_commands() -> Iterator[tuple[str, Any]]:
    for name, command in typer.main.get_command(app).commands.items():
        inner = getattr(command, "commands", None)
        yield from ((f"{name} {below}", one) for below, one in inner.items()) if inner else ((name, command),)


def long_options(command: Any) -> Iterator[str]:
    """Yield each option of a command; of those with a short form too, the short one, as it is typed."""
    for option in (part for part in command.params if part.param_type_name == "option"):
        if not any(len(name) == 2 for name in option.opts):
            yield (option.secondary_opts or option.opts)[0]


def test_the_changelog_has_each_metric_and_no_other() -> None:
    rows = [line for line in CHANGELOG.splitlines() if re.match(r"\| `[A-Z]\w+` \| `everscore_", line)]
    assert rows == [
        f"| `{metric.name}` | `{metric.prometheus}` | {metric.kind} | {metric.unit} "
        f"| {', '.join(metric.dimensions) or 'none'} | {metric.occasion} | {metric.help} |"
        for metric in CATALOGUE
    ]


def test_the_changelog_names_each_command_and_each_kind_of_alert() -> None:
    named = set(spans(CHANGELOG))
    assert set(commands()) <= named
    assert {kind.value for kind in AlertKind} <= named
