"""The Chinese catalogue has what the code says and nothing else, and Chinese screens have no English sentence."""

import ast
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.decision_message import decision_message
from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.message import Message, message_about
from functions.shared.domain.policy import Policy
from functions.shared.domain.rejections import FileCode
from functions.shared.domain.release_message import release_message
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.releases import Releases
from infra.cli.app import app
from infra.cli.help import explained, in_readers_language
from infra.cli.releases import _entry
from infra.cli.screens.batches import fetched_screen, labels_screen, manifest_screen
from infra.cli.screens.messages import messages_screen
from infra.cli.screens.policy import policy_screen
from infra.cli.screens.releases import history_screen, release_screen
from infra.cli.screens.status import fleet_screen, status_screen
from infra.cli.screens.versions import decision_screen
from infra.cli.state import fleet_status, model_status
from infra.places import CODE as ROOT
from infra.words import CHINESE, ENGLISH, speaking, stored
from infra.words.book import keys, missing, translations, unfit
from infra.words.catalogue import catalogue_of
from infra.words.messages import all_messages
from infra.words.sentences import sentences
from tests.fakes.versions import MODEL
from tests.unit.cli.terminal import ended
from tests.unit.report.story import batch, whole_story

HOW = "run `make words`, translate what is empty in infra/words/zh.po, and run it again"


def test_every_message_has_a_translation() -> None:
    lacking = [f"{message.place}: {message.text}" for message in missing(CHINESE, all_messages())]
    assert lacking == [], HOW


def test_no_translation_is_left_of_a_message_that_is_gone() -> None:
    assert keys(CHINESE) - {message.key for message in all_messages()} == set(), HOW


def test_a_translation_names_no_field_that_its_message_has_not() -> None:
    assert unfit(CHINESE) == []


OTHER_WORDS = "金丝雀 闸门 错误预算 堆栈 账户 打分 清单 证据 重训 应答 评审 采纳 机密 正例".split()  # noqa: SIM905
"""Words for ideas that have another one: see docs/glossary.md."""


def chinese() -> dict[str, str]:
    """Return all Chinese text by where it stands, without commands and file names."""
    pages = [*(ROOT / "docs").glob("*.zh-CN.md"), ROOT / "README.zh-CN.md"]
    texts = {page.name: page.read_text() for page in pages} | {text: text for text in translations(CHINESE)}
    return {place: re.sub(r"```.*?```|`[^`\n]*`|\]\([^)]*\)|\{[^}]*\}", "X", text, flags=re.DOTALL) for place, text in texts.items()}


def test_the_one_form_of_a_plural_holds_what_english_says_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.words.book.FOLDER", tmp_path)
    entry = 'msgid "batch {first}"\nmsgid_plural "{number:,} batches"\nmsgstr[0] "'
    for form, unfit_ones in (("批次 {first}", ["batch {first}"]), ("{number:,} 个批次", []), ("{number:,} 个批次，从 {first} 起", [])):
        (tmp_path / "zh.po").write_text(f'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n{entry}{form}"\n')
        assert unfit(CHINESE) == unfit_ones


def test_chinese_has_one_word_for_each_idea() -> None:
    found = {place: [word for word in OTHER_WORDS if word in text] for place, text in chinese().items()}
    assert {place: words for place, words in found.items() if words} == {}


def test_chinese_sentences_have_full_width_punctuation() -> None:
    half = re.compile(r"[\u4e00-\u9fff][,;:!?()]|[,;:!?()][\u4e00-\u9fff]")
    arguments = re.compile(r"首日:末日|=数值,|最小值?, 最大|名称=值")
    found = {place: half.findall(arguments.sub("X", text)) for place, text in chinese().items()}
    assert {place: marks for place, marks in found.items() if marks} == {}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('raise InputError(f"{file} has {rows:,} rows")', ["{0} has {1} rows"]),
        ("message = f\"the gate kept it out{why if why else ' as it should'}\"", ["the gate kept it out{0}", " as it should"]),
        ('message = "drift in " + ", ".join(columns)', ["drift in {0}"]),
        ('message += f"; and {more} others"', ["{0}; and {1} others"]),
        ('"""Docstrings are for readers of code."""', []),
        ('def f(x: "Mapping of names") -> "list of names": ...', []),
        ('logger.info("nobody reads this on a screen"); mode = "fast"; _("this is marked")', []),
        ('reason = f"{who} by {what}"', []),  # would match what people write themselves
        ('message = f"{{all}} of {rows} rows"', ["{{all}} of {0} rows"]),
    ],
)
def test_sentences_are_found_in_code(code: str, found: list[str]) -> None:
    assert list(sentences(ast.parse(code))) == found


ENGLISH_SENTENCE = re.compile(r"(?:\b[a-z']+[ ,:;]+){3,}[a-z']+")
"""Four words in a row that look like English."""
WRITTEN = re.compile("the first version|gains at least 0.02")
"""Reasons that the people of the story gave."""


def test_the_help_of_every_command_and_option_is_in_chinese() -> None:
    with speaking(CHINESE):
        texts = [part.help or "" for part in explained(in_readers_language(app))]
    assert [text for text in texts if not re.search("[\u4e00-\u9fff]", text) or ENGLISH_SENTENCE.search(text)] == []


def whole_status() -> dict[str, Any]:
    store = whole_story()
    release = Releases(store).current(MODEL)
    assert release is not None
    return model_status(release, store)


def labels() -> dict[str, Any]:
    found = {"labels": 3, "unlabelled": 1, "rejected": 2, "reasons": ["the value is missing"], "refused": 1, "unknown": {"maybe": 2}}
    return found | {"key": "labels/m/a.csv", "encoding": "gb18030"}


def failed() -> dict[str, Any]:
    refused = BatchRejectedError(FileCode.EMPTY_FILE, "the file has no bytes", "upload a file with at least one row")
    error = {"code": refused.code, "message": refused.message, "remedy": refused.remedy}
    return batch(1).model_dump(mode="json") | {"error": error}


@pytest.mark.parametrize(
    ("screen", "answer"),
    [
        (status_screen, whole_status),
        (fleet_screen, lambda: fleet_status(whole_story())),
        (fleet_screen, lambda: {"models": []}),
        (policy_screen, lambda: {**Policy().summary(), "model": MODEL, "unreadable": []}),
        (history_screen, lambda: {"model": MODEL, "releases": [_entry(release) for release in Releases(whole_story()).history(MODEL)]}),
        (release_screen, lambda: _entry(Releases(whole_story()).history(MODEL)[-1]) | {"model": MODEL}),
        (decision_screen, Decisions(whole_story()).all(MODEL)[-1].summary),
        (manifest_screen, lambda: batch(1).model_dump(mode="json")),
        (manifest_screen, failed),
        (labels_screen, labels),
    ],
)
def test_a_chinese_screen_has_no_english_sentence(screen: Callable[[dict[str, Any]], RenderableType], answer: Callable[[], Any]) -> None:
    with speaking(CHINESE):
        said = drawn(screen(answer()))
    assert ENGLISH_SENTENCE.findall(WRITTEN.sub("", said)) == []
    with speaking(ENGLISH):
        assert drawn(screen(answer())) != said


def sent_messages() -> list[Message]:
    plain: dict[str, Any] = {
        "model": MODEL,
        "message": "no batch for 30 hours, one is due every 24",
        "raised_at": datetime(2024, 6, 1, tzinfo=UTC),
    }
    named: dict[str, Any] = {"window": "2024-06-01-0a1b2c3d", "version": "2", "evidence": {"cause": "drift-v1"}}
    alerts = [
        Alert(kind=kind, closed=closed, runbook=f"docs/runbook.md#{kind}", **plain, **named)
        for kind in AlertKind
        for closed in (False, True)
    ]
    alerts.append(alerts[0].model_copy(update={"kind": AlertKind.FAILED, "evidence": {"key": f"labels/{MODEL}/june.csv"}}))
    store = whole_story()
    history = [*Releases(store).history(MODEL)]
    of_releases = [release_message(after, before, stack="prod") for before, after in pairwise(history)]
    of_decisions = [decision_message(decision, stack="prod") for decision in Decisions(store).all(MODEL)]
    return [*(message_about(alert, stack="prod") for alert in alerts), *of_decisions, *filter(None, of_releases)]


@pytest.mark.parametrize("message", sent_messages(), ids=lambda message: message.id)
def test_a_message_is_read_in_chinese_but_for_what_to_type(message: Message) -> None:
    with speaking(CHINESE):
        said = drawn(messages_screen({"messages": [{"text": message.text, "begun_at": "2024-06-01T05:15:00Z"}]}))
    commands = [line for line in message.text.splitlines() if line.startswith("  everscore")]
    assert [line for line in said.splitlines() if line.startswith("  ")] == commands
    prose = re.sub("everscore report [^\n]*", "", "\n".join(line for line in said.splitlines() if not line.startswith("  ")))
    assert ENGLISH_SENTENCE.findall(WRITTEN.sub("", prose)) == []
    assert not re.search("What to type|Look at|Since|held-out", prose)


def test_however_many_batches_rows_come_from_chinese_says_how_many() -> None:
    rows = {"file": "june.csv", "rows": 7, "model": MODEL, "day_zone": "UTC"}
    with speaking(CHINESE):
        one, five = (drawn(fetched_screen(rows | {"batches": [f"{number}a1b2c3d4e5f" for number in range(count)]})) for count in (1, 5))
    assert "0a1b2c3d" in one
    assert "5" in five
    assert "0a1b2c3d" not in five


def drawn(screen: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=400, markup=False)
    console.print(screen)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(("arguments", "code"), [("cost --rows 1e6", 0), ("score", 2), ("policy no+name", 2)])
def test_json_is_the_same_in_every_language(
    arguments: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = []
    for language in (ENGLISH, CHINESE):
        with speaking(language):
            assert ended(f"{arguments} --json", monkeypatch) == code
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1]


def test_a_refusal_is_in_chinese_with_its_remedy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with speaking(CHINESE):
        assert ended("stauts", monkeypatch) == 2
    assert capsys.readouterr().err == "错误：没有命令 'stauts'。是不是想输入 'status'？\n办法：加上 --help 查看参数和选项\n"


def test_chinese_words_stand_next_to_chinese_signs() -> None:
    half_width = re.compile(r"[\u4e00-\u9fff](?:[,;?!()]|: )|[,;?!][\u4e00-\u9fff]|[，。：；？！（）、] | [，。：；？！（）、]")
    inside_values = {"首日:末日", "数值,false_negative=数值", "[最小值, 最大值]", "[最小, 最大]"}
    texts = (re.sub("|".join(map(re.escape, inside_values)), "值", text) for text in catalogue_of(CHINESE).messages.values())
    assert [text for text in texts if half_width.search(text)] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no such thing\nremedy: `everscore promote` serves any version", "no such thing\n办法：`everscore promote` 可以启用任何版本"),
        ("a policy named nothing", "a policy named nothing"),
    ],
)
def test_a_full_width_colon_has_no_blank_behind_it(text: str, shown: str) -> None:
    with speaking(CHINESE):
        assert stored(text) == shown
