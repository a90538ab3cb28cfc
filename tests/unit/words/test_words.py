"""Words in the reader's language: which one, and how they are found."""

from pathlib import Path

import polib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.words import CHINESE, ENGLISH, VARIABLES, _, book, coded, language, plural, speaking, stored
from infra.words.catalogue import STORED
from infra.words.messages import Translatable


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ENGLISH),
        ({"LANG": "C.UTF-8"}, ENGLISH),
        ({"LANG": "zh_CN.UTF-8"}, CHINESE),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "zh_CN.GB18030"}, CHINESE),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "de_DE.UTF-8"}, ENGLISH),
        ({"LANG": "zh_CN.UTF-8", "EVERSCORE_LANG": "en"}, ENGLISH),
        ({"LANG": "en_US.UTF-8", "EVERSCORE_LANG": "zh"}, CHINESE),
        ({"LC_ALL": "", "LANG": "zh_TW.UTF-8"}, CHINESE),
    ],
)
def test_the_language_is_what_the_first_set_variable_says(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language() == expected


def test_a_number_chooses_the_form_where_a_language_has_two() -> None:
    forms = ("{number} earlier alert", "{number} earlier alerts")
    assert [plural(*forms, number) for number in (0, 1, 2)] == ["0 earlier alerts", "1 earlier alert", "2 earlier alerts"]
    with speaking(CHINESE):
        assert [plural(*forms, number) for number in (1, 2)] == ["更早的 1 个告警", "更早的 2 个告警"]


def test_english_is_what_the_code_has() -> None:
    with speaking(ENGLISH):
        assert (_("Version {version}", version=3), coded("out_of_range"), stored("the value is missing")) == (
            "Version 3",
            "out of range",
            "the value is missing",
        )


@given(st.text())
def test_what_nobody_composed_stays_as_it_is(text: str) -> None:
    with speaking(CHINESE):
        assert stored(f"\N{SNOWMAN}{text}\N{SNOWMAN}") == f"\N{SNOWMAN}{text}\N{SNOWMAN}"


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("gains at most 0.1, less than the minimum 0.2", "最多改进 0.1，低于最低要求 0.2"),
        (
            "drift in dep_delay (PSI 0.31, moves the scores by 0.2), temp (PSI 0.12)",
            "漂移：dep_delay（PSI 0.31，使分数变动 0.2），temp（PSI 0.12）",
        ),
        (
            "version 1 loses 0.5 a row, 0.3 at training; of all features, fee moves the scores most, by 0.1",
            "版本 1 每行损失 0.5，训练时是 0.3；所有特征中，fee 对分数的影响最大，为 0.1",
        ),
        ("did you mean 'churn'? add --reason", "是不是想输入 'churn'？ 加上 --reason"),
        (
            "the model's first version has no champion to beat; 12 rows of the file were left out: missing_target 12",
            "模型的第一个版本没有要胜过的冠军；文件中有 12 行没有使用：missing_target 12",
        ),
        ("c0, c1: has the same value in every row", "c0, c1：每一行的值都相同"),
        ("c0, c1 and 3 more: has the same value in every row", "c0, c1 等，另有 3 个：每一行的值都相同"),
        ("the file lacks 'a', 'b' and 1,003 more; its columns are 'c'", "文件缺少 'a', 'b' 等，另有 1,003 个；它的列是 'c'"),
        ("line 7: column 'y': 'warm' is no number", "第 7 行：列 'y'：'warm' 不是数字"),
        ("the file is a PDF document", "文件是一份 PDF 文档"),
        (
            "gate.alpha cannot be 2: it takes a number from 1e-09 to below 0.5 (probability)",
            "gate.alpha 不能是 2：它接受不小于 1e-09 且小于 0.5 的数值（概率）",
        ),
        (
            "price: holds amounts of money, taken as a category (--kind COLUMN=number reads them)",
            "price：是金额，按类别处理（用 --kind 列名=number 读取）",
        ),
        (
            "fee: holds numbers in 160 rows and words in 40, taken as a category (--kind COLUMN=number leaves the rows with words out)",
            "fee：有 160 行是数字，40 行是文字，按类别处理（用 --kind 列名=number 会舍去含文字的行）",
        ),
        ("batches/a/b.csv failed: the value is missing", "batches/a/b.csv 失败：缺少值"),
        ("column 'fee': 'oops' is no number", "列 'fee'：'oops' 不是数字"),
        ("canary rollback: rows are not as fast", "灰度回滚：rows are not as fast"),
        ("no previous one; the value is missing; a colleague asked", "no previous one；缺少值；a colleague asked"),
        (
            'write fields with quotes as "5"" pipe", or upload the rows as Parquet or in smaller files',
            '把带引号的字段写成 "5"" pipe"，或用 Parquet、更小的文件上传',
        ),
    ],
)
def test_a_stored_text_is_translated_with_what_it_is_composed_of(english: str, chinese: str) -> None:
    with speaking(CHINESE):
        assert stored(english) == chinese


def test_a_text_of_an_earlier_version_is_translated() -> None:
    with speaking(CHINESE):
        assert stored("a prediction takes 12.5 µs a row, 4 before the rollout") == "每行预测需要 12.5 µs，灰度之前是 4"


def test_a_message_that_documents_may_hold_stays_when_its_words_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "FOLDER", tmp_path)
    (tmp_path / "xx.po").write_text('msgid ""\nmsgstr ""\n')
    stored_once = Translatable("labels are late", STORED, None, "functions/release/service.py")
    shown_once = Translatable("no such file", STORED, None, "infra/cli/fetch.py")
    book.update("xx", [stored_once, shown_once])
    translated = (tmp_path / "xx.po").read_text().replace('msgstr ""\n\n', 'msgstr "X"\n\n').removesuffix('msgstr ""\n') + 'msgstr "X"\n'
    (tmp_path / "xx.po").write_text(translated)
    for _again in range(2):
        book.update("xx", [])
        assert [(entry.msgid, bool(entry.obsolete)) for entry in polib.pofile(str(tmp_path / "xx.po"))] == [("labels are late", True)]
    book.update("xx", [stored_once])
    assert [(entry.msgstr, bool(entry.obsolete)) for entry in polib.pofile(str(tmp_path / "xx.po"))] == [("X", False)]
