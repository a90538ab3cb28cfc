"""The Chinese catalogue has what the code says, and nothing else."""

import ast

import pytest

from infra.words import CHINESE
from infra.words.book import keys, missing, unfit
from infra.words.messages import all_messages
from infra.words.sentences import sentences

HOW = "run `make words`, translate what is empty in infra/words/zh.po, and run it again"


def test_every_message_has_a_translation() -> None:
    lacking = [f"{message.place}: {message.text}" for message in missing(CHINESE, all_messages())]
    assert lacking == [], HOW


def test_no_translation_is_left_of_a_message_that_is_gone() -> None:
    assert keys(CHINESE) - {message.key for message in all_messages()} == set(), HOW


def test_a_translation_names_no_field_that_its_message_has_not() -> None:
    assert unfit(CHINESE) == []


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
