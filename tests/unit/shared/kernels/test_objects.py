"""The kernel of JSON Lines, a line at a time, against Python's json. Whole files: tests/unit/shared/reading/test_jsonlines.py."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.shared.kernels.library import kernel_library
from functions.shared.kernels.objects import ObjectKernel, Token, absent
from tests.unit.shared.kernels.test_fields import texts_of

pytestmark = pytest.mark.skipif(
    kernel_library() is None, reason="no kernels here, or none wanted; tests/integration/kernels builds its own"
)

KINDS = [("a", Token.TEXT), ("größe", Token.NUMBER), ("a b", Token.INTEGER), ("d", Token.BOOLEAN)]
OF_TOKEN = {Token.TEXT: (str,), Token.NUMBER: (int, float), Token.INTEGER: (int,), Token.BOOLEAN: (bool,)}


def placed(lines: Sequence[str], kinds: Sequence[tuple[str, Token]] = KINDS) -> list[dict[str, str | None] | None]:
    """The texts of each line's values; None for a line that is set aside."""
    library = kernel_library()
    assert library is not None
    encoded = [line.encode() for line in lines]
    ends = np.cumsum([len(line) + 1 for line in encoded]) - 1
    starts = ends - [len(line) for line in encoded]
    fields, aside = ObjectKernel(library, kinds).place(b"".join(line + b"\n" for line in encoded), starts, ends)
    columns = [
        [None if missing else text for text, missing in zip(texts_of(fields, place), absent(fields, place), strict=True)]
        for place in range(len(kinds))
    ]
    records = iter([dict(zip([name for name, _ in kinds], values, strict=True)) for values in zip(*columns, strict=True)])
    return [None if line in set(aside.tolist()) else next(records) for line in range(len(lines))]


def test_values_are_placed_by_their_keys_in_any_order_and_an_absent_one_is_missing() -> None:
    assert placed(['{"a": "x", "größe": -1.5e3, "a b": 7, "d": true}', ' {"d" :false,\t"a":""} ', '{"a": null}']) == [
        {"a": "x", "größe": "-1.5e3", "a b": "7", "d": "true"},
        {"a": "", "größe": None, "a b": None, "d": "false"},
        {"a": None, "größe": None, "a b": None, "d": None},
    ]


@pytest.mark.parametrize(
    "line",
    [
        *("{}", "[]", "null", "{", '{"a"', '{"a":', '{"a": "x"', '{"a": "x",}', '{"a": "x"} {}', '{"a": "x"}}', '{"b": 1}', '{"a": "x" "d": true}'),
        *('{"a": 1}', '{"a": "\\n"}', '{"a": "x\ty"}', '{"a": "x}', '{"a": "x", "a": "y"}', '{"\\u0061": "x"}', '{"a": nul}', '{"a": nullx}'),
        *('{"größe": 01}', '{"größe": 1.}', '{"größe": .5}', '{"größe": +1}', '{"größe": 1e}', '{"größe": NaN}', '{"größe": "1"}', '{"größe": [1]}'),
        *('{"a b": 1.0}', '{"a b": -0}', '{"a b": 1e3}', '{"a b": 1234567890123456789}', '{"d": 1}', '{"d": True}', '{"d": truex}'),
    ],
)  # fmt: skip
def test_any_other_line_is_set_aside(line: str) -> None:
    good = '{"a": "y", "d": true}'
    read = {"a": "y", "größe": None, "a b": None, "d": "true"}
    assert placed([good, line, good]) == [read, None, read]


def test_a_key_is_found_among_many_only_if_it_is_not_far_from_its_place() -> None:
    kinds = [(f"k{number}", Token.INTEGER) for number in range(1000)]
    in_order = {name: number for number, (name, _) in enumerate(kinds)}
    [found, shuffled] = placed([json.dumps(in_order), json.dumps({"k500": 1, "k3": 2})], kinds)
    assert found == {name: str(number) for name, number in in_order.items()}
    assert shuffled is None


VALUES = st.one_of(
    st.text(max_size=20), st.floats(), st.integers(-(2**70), 2**70), st.booleans(), st.none(), st.lists(st.integers(), max_size=2)
)
OBJECTS = st.dictionaries(st.sampled_from([*(name for name, _ in KINDS), "other"]), VALUES)
WRITTEN = st.builds(
    lambda record, ascii_only, spaces: json.dumps(record, ensure_ascii=ascii_only, separators=spaces),
    OBJECTS,
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]),
)


@given(st.lists(st.tuples(WRITTEN, st.integers(0, 60), st.text('{}":,-.0eE\\ntu', max_size=1)), max_size=8), st.booleans())
@example([('{"a": "x"}', 60, "")], False)  # noqa: FBT003
def test_what_is_placed_is_what_pythons_json_reads(drawn: list[tuple[str, int, str]], damaged: bool) -> None:  # noqa: FBT001
    lines = [line[:place] + more + line[place:] if damaged else line for line, place, more in drawn]
    for line, values in zip(lines, placed(lines), strict=True):
        if values is None:
            continue
        record = json.loads(line)
        assert record.keys() <= dict(KINDS).keys()
        for name, token in KINDS:
            text, value = values[name], record.get(name)
            if text is None:
                assert value is None
            else:
                assert type(value) in OF_TOKEN[token]
                assert text == value if token is Token.TEXT else json.loads(text) == value


@given(st.lists(st.fixed_dictionaries({"a": st.text("abcä /", max_size=30), "größe": st.floats(allow_nan=False, allow_infinity=False)})))
def test_a_plain_line_is_never_set_aside(records: list[dict[str, object]]) -> None:
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    assert [values and values["a"] for values in placed(lines, KINDS[:2])] == [record["a"] for record in records]
