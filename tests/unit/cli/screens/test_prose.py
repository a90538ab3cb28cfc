"""Sentences on terminals of any width."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, Group

from infra.cli.options import say, show
from infra.cli.screens.prose import Prose


def lines_of(text: str, width: int) -> list[str]:
    printed = io.StringIO()
    Console(width=width, file=printed).print(Group(Prose(text)), crop=False)
    return printed.getvalue().splitlines()


def test_a_command_between_backticks_stays_on_one_line_to_be_copied() -> None:
    text = "version 2 waits: `everscore approve churn 2 --reason WHY` lets it begin"
    assert lines_of(text, 40) == ["version 2 waits:", "`everscore approve churn 2 --reason WHY`", "lets it begin"]


def test_a_sign_stays_with_its_option() -> None:
    assert lines_of("a category (--decimal , reads it)", 22) == ["a category", "(--decimal , reads it)"]
    assert lines_of("a category (--thousands ' ' reads it)", 24) == ["a category", "(--thousands ' ' reads", "it)"]


def test_a_path_that_is_longer_than_the_line_is_not_broken() -> None:
    path = "/home/" + "x" * 60
    assert lines_of(f"written to {path} now", 30) == ["written to", path, "now"]


def test_lines_go_on_below_their_own_beginning() -> None:
    assert lines_of("head\n  one two three four", 12) == ["head", "  one two", "  three four"]


def test_chinese_breaks_between_characters_and_begins_no_line_with_punctuation() -> None:
    assert lines_of("行被隔离\uff0c请先修改\u3002", 8) == ["行被隔", "离\uff0c请先", "修改\u3002"]
    assert lines_of("见\uff08说明\uff09", 5) == ["见", "\uff08说", "明\uff09"]


@given(st.text("ab `\n\uff0c\u3002\uff08\uff09\u201c\u201d一二三/-", max_size=60), st.integers(12, 40))
def test_no_character_is_lost_and_only_a_single_word_is_longer_than_the_line(text: str, width: int) -> None:
    lines = lines_of(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line in lines:
        assert cell_len(line) <= width or "`" in line or " " not in line.strip()


def test_a_width_that_is_set_holds_on_a_pipe_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answer = {"text": "word " * 40}
    monkeypatch.delenv("COLUMNS", raising=False)
    show(answer, lambda found: Prose(found["text"]), as_json=False)
    assert max(map(len, capsys.readouterr().out.splitlines())) > 150
    monkeypatch.setenv("COLUMNS", "80")
    show(answer, lambda found: Prose(found["text"]), as_json=False)
    say(answer["text"], to=Console(stderr=True))
    shown = capsys.readouterr()
    assert all(76 <= len(line) <= 80 for line in (shown.out + shown.err).splitlines()[:-1] if line.count("word") > 10)
    assert max(map(len, (shown.out + shown.err).splitlines())) <= 80


def test_without_a_width_an_error_stays_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    say("word " * 40, to=Console(stderr=True))
    assert capsys.readouterr().err.count("\n") == 1
