"""Words in the reader's language: which one, and how they are found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.words import CHINESE, ENGLISH, VARIABLES, _, coded, language, plural, speaking, stored


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
