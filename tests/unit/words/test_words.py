"""Words in the reader's language: which one, and that none is missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.words import CHINESE, ENGLISH, VARIABLES, _, coded, language, plural, speaking, stored
from infra.words.book import keys, missing, unfit
from infra.words.messages import all_messages

HOW = "run `make words`, translate what is empty in infra/words/zh.po, and run it again"


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


def test_every_message_has_a_translation() -> None:
    lacking = [f"{message.place}: {message.text}" for message in missing(CHINESE, all_messages())]
    assert lacking == [], HOW


def test_no_translation_is_left_of_a_message_that_is_gone() -> None:
    assert keys(CHINESE) - {message.key for message in all_messages()} == set(), HOW


def test_a_translation_names_no_field_that_its_message_has_not() -> None:
    assert unfit(CHINESE) == []


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
