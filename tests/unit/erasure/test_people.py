"""Whose rows they are."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.erasure.people import People

IDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)


def test_rows_are_recognised_by_their_id_as_text_whatever_its_type() -> None:
    people = People(["19999007021", "a"])
    for ids in (["19999007021", "17", None], [19999007021, 17, None], [19999007021.0, 17.0, None], ["1.9999007021e+10", "17", None]):
        assert people.rows(pa.array(ids)).to_pylist() == [True, False, False]
        assert people.rows(pa.array(ids).dictionary_encode()).to_pylist() == [True, False, False]
        assert people.rows(pa.chunked_array([ids, ids])).to_pylist() == [True, False, False] * 2


def test_somebody_who_is_named_as_a_float_is_the_one_of_that_number() -> None:
    people = People(["19999007021.0"])
    assert people.rows(pa.array([19999007021, 17])).to_pylist() == [True, False]
    assert people.named_in('{"id": 19999007021}')
    assert people.count == 1


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
