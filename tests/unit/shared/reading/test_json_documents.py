"""JSON that is not one object per line: arrays and indented objects, against Python's own json module."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.reading.json_documents import is_document, lined
from tests.unit.shared.reading.files import read, refusal

ROW = {"id": "a", "size": 1.5, "colour": "red", "wet": True, "at": "2013-01-01", "age": 5, "note": 'a "b", [c]\n{d} \\'}
ROWS = [ROW | {"id": str(number)} for number in range(3)]
TEXTS = st.text(alphabet='ab"\\{}[],:\n é', max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)


def written(rows: list[Any], form: str) -> str:
    match form:
        case "array":
            return json.dumps(rows)
        case "indented array":
            return json.dumps(rows, indent=2).replace("\n", "\r\n")
        case _:
            return "\n".join(json.dumps(row, indent=1) for row in rows)


@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 20])
@pytest.mark.parametrize("name", ["rows.json", "rows", "rows.jsonl"])
@pytest.mark.parametrize("form", ["array", "indented array", "indented objects"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_json_of_any_layout_is_read_as_the_same_json_lines(mark: str, form: str, name: str, block_bytes: int) -> None:
    lines = "\n".join(map(json.dumps, ROWS))
    assert read((mark + written(ROWS, form)).encode(), name, block_bytes=block_bytes) == read(lines.encode(), "rows.jsonl")


@given(
    st.lists(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=3), min_size=1, max_size=4),
    st.sampled_from([1, 2, 5, 1000]),
    st.integers(0, 2),
)
def test_elements_become_lines_at_their_places(rows: list[dict[str, Any]], size: int, indent: int) -> None:
    text = json.dumps(rows, indent=indent or None, ensure_ascii=False).encode()
    chunks, was_document = lined(text[start : start + size] for start in range(0, len(text), size))
    lines = b"".join(chunks)
    assert was_document
    assert len(lines) == len(text)
    assert [json.loads(line) for line in lines.split(b"\n") if line] == rows


def test_a_bad_element_is_set_aside_with_its_place_but_no_line() -> None:
    text = json.dumps([ROWS[0], ROW | {"age": "old"}, 7, ROWS[1]], indent=1)
    rows, rejected = read(text.encode(), "rows.json")
    assert [row["id"] for row in rows] == ["0", "1"]
    assert [(bad.row, bad.line, bad.code) for bad in rejected] == [(2, None, "unparseable_number"), (3, None, "not_an_object")]
    assert json.loads(rejected[0].raw) == ROW | {"age": "old"}
    assert text.encode()[rejected[0].byte_offset :].startswith(b'{\n  "id": "a"')


@pytest.mark.parametrize("end", [-1, -2, -20])
def test_a_document_that_was_cut_off_is_refused(end: int) -> None:
    text = json.dumps(ROWS).encode()
    assert refusal(text[:end], "rows.json").code == "truncated_json"


@pytest.mark.parametrize("text", ["[]", "[ ]", "[1, 2]", "[[1], [2]]"])
def test_an_array_without_objects_is_refused(text: str) -> None:
    assert refusal(text.encode(), "rows.json").code in {"empty_file", "unknown_format"}


@pytest.mark.parametrize("head", ['{"id": 1}\n{"id": 2}', '{"id": 1', '{"id": "a\nb"}', '{"id":', "7", ""])
def test_json_lines_are_left_as_they_are(head: str) -> None:
    assert not is_document(head.encode())
