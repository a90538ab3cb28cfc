"""Whose rows they are."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.erasure.people import People

IDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)


def test_rows_are_told_by_their_id_as_text_whatever_its_type() -> None:
    people = People(["7", "a"])
    for ids in (pa.array(["7", "17", None]), pa.array([7, 17, None]), pa.array(["7", "x", None]).dictionary_encode()):
        assert people.rows(ids).to_pylist() == [True, False, False]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("7,2013,x", True),
        ("17,70,x7,7_", False),
        ('"7";b', True),
        ("é7", False),
        ("7é", False),
        ('{"id": "caf\\u00e9"}', True),
        ('x,"say ""hi"""', True),
        ("a b", True),
        ("b a", False),
        ("—", True),
        ("", False),
    ],
)
def test_raw_text_shows_somebody_whose_id_stands_in_it_as_a_word(text: str, shown: bool) -> None:  # noqa: FBT001
    assert People(["7", "café", 'say "hi"', "a b", "—"]).named_in(text) is shown


@given(person=IDS, before=st.sampled_from([",", ";", '"', "\t", " "]), after=st.sampled_from([",", "|", '"', "\n", ""]))
def test_an_id_between_separators_is_always_found(person: str, before: str, after: str) -> None:
    assert People(["other", person]).named_in(f"x{before}{person}{after}")


@given(person=IDS)
def test_an_id_in_an_escaped_json_object_is_always_found(person: str) -> None:
    assert People([person]).named_in(json.dumps({"id": person}))
