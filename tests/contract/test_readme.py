"""README and CHANGELOG name what the code has, and the Chinese README shows the same commands as the English one."""

import ast
import re
from collections.abc import Iterator, Mapping

import pytest
import typer

from functions.metric_emission.metrics import CATALOGUE
from functions.shared.domain.alert import AlertKind
from functions.shared.domain.manifest import PARTITIONS_FAILED
from functions.shared.reading.conform import _MISSING_CODES, _UNPARSEABLE
from functions.shared.reading.rejected import INVALID_UTF8
from functions.shared.reading.values import MISSING
from infra.cli.main import app
from tests.contract.template import ROOT

REFUSALS = {"README.md": ("reason", "code"), "README.zh-CN.md": ("原因", "代码")}
"""By language, the headers of the tables of reasons to refuse a row and a file."""
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
CODE = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
RAISED_BY = {"BatchRejectedError", "Issue", "_Fault", "MalformedRecordError"}
CALLED_IN = {"missing_value"}
"""Codes that stand in no such call as they are."""


def readme(language: str) -> str:
    return (ROOT / language).read_text()


def blocks(text: str) -> list[str]:
    """Code blocks that are no diagrams, without comments."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(r" +#.*", "", block) for language, block in found if language != "mermaid"]


def spans(text: str) -> list[str]:
    return sorted(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)))


def codes_raised() -> Iterator[str]:
    """Codes with which reading and scoring refuse rows and files."""
    for folder in ("functions/shared", "functions/shared/reading", "functions/scoring", "functions/partitioning"):
        for file in (ROOT / folder).glob("*.py"):
            calls = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
            for call in calls:
                if isinstance(call.func, ast.Name) and call.func.id in RAISED_BY:
                    texts = [node.value for node in call.args if isinstance(node, ast.Constant) and isinstance(node.value, str)]
                    yield from (text for text in texts[:1] if CODE.fullmatch(text))


def codes_listed(text: str, headers: tuple[str, str]) -> set[str]:
    """Codes in the first column of the two tables with these headers."""
    rows = []
    for header in headers:
        rows += text[text.index(f"| {header} |") :].partition("\n\n")[0].splitlines()[2:]
    return {code for row in rows for code in re.findall(r"`(\w+)`", row.split("|")[1])}


@pytest.mark.parametrize("language", REFUSALS)
def test_each_reason_to_refuse_a_row_or_a_file_is_listed_and_no_other(language: str) -> None:
    unparseable: Mapping[object, tuple[str, str]] = _UNPARSEABLE
    refused = {
        *codes_raised(),
        PARTITIONS_FAILED,
        *_MISSING_CODES.values(),
        *(code for code, _ in unparseable.values()),
        INVALID_UTF8,
        *CALLED_IN,
    }
    assert codes_listed(readme(language), REFUSALS[language]) == refused


@pytest.mark.parametrize("language", REFUSALS)
def test_each_spelling_of_a_missing_value_is_listed_and_no_other(language: str) -> None:
    [row] = [line for line in readme(language).splitlines() if "`#N/A`" in line]
    assert {"", *re.findall(r"`([^`]+)`", row)} == set(MISSING)


def test_both_languages_show_the_same_commands_output_and_names() -> None:
    english, chinese = (readme(language) for language in REFUSALS)
    assert blocks(english) == blocks(chinese)
    assert spans(english) == spans(chinese)


@pytest.mark.parametrize("language", REFUSALS)
def test_each_command_has_its_row(language: str) -> None:
    rows = re.findall(r"^\| `everscore ([a-z]+(?: [a-z]+)?)", readme(language), re.MULTILINE)
    assert sorted(rows) == sorted(commands())


def commands() -> Iterator[str]:
    for name, command in typer.main.get_command(app).commands.items():
        inner = getattr(command, "commands", None)
        yield from (f"{name} {below}" for below in inner) if inner else (name,)


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
