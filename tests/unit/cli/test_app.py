"""Each command's help, and what it says of wrong arguments, on a terminal of 80 columns."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len
from typer.core import TyperCommand, TyperGroup, TyperOption

from infra.cli.app import app
from infra.cli.help import in_readers_language
from tests.unit.cli.terminal import ended

WIDTH = 80


def commands(group: TyperGroup, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    """Each command with the words that one types for it."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, (*above, name))
        elif isinstance(command, TyperCommand):
            yield (*above, name), command


COMMANDS = dict(commands(in_readers_language(app)))
ANY_TEXT = {str, bool, list[str], Path}
"""Types of options that take whatever is typed, or nothing."""
LANGUAGES = ("en", "zh")


@pytest.fixture(params=LANGUAGES, autouse=True)
def _terminal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERSCORE_LANG", request.param)
    monkeypatch.setenv("COLUMNS", str(WIDTH))


def wrong(name: tuple[str, ...], command: TyperCommand) -> Iterator[str]:
    """Each kind of wrong arguments that a command can be given, as they are typed."""
    words = " ".join(name)
    yield f"{words} --no-such-option"
    yield f"{words} one two three four five six"
    for part in command.params:
        if isinstance(part, TyperOption) and vars(part)["type_descriptor"].annotation not in ANY_TEXT:
            yield f"{words} {part.opts[-1]} no-such/value"
        elif part.required:
            yield words


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_help_fits_the_terminal(name: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(f"{' '.join(name)} --help", monkeypatch) == 0
    shown = capsys.readouterr().out
    assert name[-1] in shown
    assert [line for line in shown.splitlines() if cell_len(line) > WIDTH] == []


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_wrong_arguments_are_refused_with_a_remedy(
    name: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in wrong(name, COMMANDS[name]):
        assert ended(arguments, monkeypatch) == 2, arguments
        shown = capsys.readouterr()
        assert ("remedy" in shown.err or "\u529e\u6cd5" in shown.err, shown.out) == (True, ""), arguments
        assert "Traceback" not in shown.err
        assert [line for line in shown.err.splitlines() if cell_len(line) > WIDTH] == [], arguments
