"""One text of an id, whatever it is kept in."""

import uuid
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.ids import id_texts, inexact

EXACT = st.integers(-(2**53), 2**53)
SHAPES = {
    "int64": pa.array,
    "float64": lambda numbers: pa.array([float(number) for number in numbers], pa.float64()),
    "decimal": lambda numbers: pa.array([Decimal(number) for number in numbers], pa.decimal128(38, 0)),
    "decimal with cents": lambda numbers: pa.array([Decimal(number) for number in numbers], pa.decimal128(38, 10)),
    "decimal256": lambda numbers: pa.array([Decimal(number) for number in numbers], pa.decimal256(70, 2)),
    "text": lambda numbers: pa.array([str(number) for number in numbers]),
    "large text": lambda numbers: pa.array([str(number) for number in numbers], pa.large_string()),
    "text of a float": lambda numbers: pa.array([f"{number}.0" for number in numbers]),
    "dictionary": lambda numbers: pa.array([str(number) for number in numbers]).dictionary_encode(),
    "text as Arrow writes floats": lambda numbers: pa.array([float(number) or 0.0 for number in numbers]).cast(pa.string()),
    "slice": lambda numbers: pa.array([0.5, *map(float, numbers)]).slice(1),
}


@pytest.mark.parametrize("shape", SHAPES)
@given(numbers=st.lists(EXACT, min_size=1, max_size=5))
def test_a_whole_number_has_the_text_that_python_gives_it(shape: str, numbers: list[int]) -> None:
    assert id_texts(SHAPES[shape](numbers)).to_pylist() == [str(number) for number in numbers]


def test_integers_of_all_widths_have_their_digits() -> None:
    assert id_texts(pa.array([2**64 - 1, None], pa.uint64())).to_pylist() == ["18446744073709551615", None]
    assert id_texts(pa.array([Decimal(10**37)], pa.decimal128(38))).to_pylist() == ["1" + "0" * 37]
    assert id_texts(pa.array([19999007021.0, np.nan, None])).to_pylist() == ["19999007021", None, None]
    assert id_texts(pa.array([7, 2048.0, 0.5], pa.float16())).to_pylist() == ["7", "2048", "0.5"]


@pytest.mark.parametrize(
    "text", ["007", "7.10", "1.5", " 7", "7.0 ", "-", "1e5", "1E+10", "a1.0", "1.0.0", "00.0", "é", "x e+ 7.0", "1e+", "Ω.0"]
)
def test_other_text_is_its_own(text: str) -> None:
    assert id_texts(pa.array([text, None])).to_pylist() == [text, None]


@given(
    numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=5), width=st.sampled_from(["f", "d"])
)
def test_the_text_of_a_float_names_that_float(numbers: list[float], width: str) -> None:
    kind = {"f": pa.float32(), "d": pa.float64()}[width]
    texts = id_texts(pa.array(numbers, kind)).to_pylist()
    assert [np.dtype(width).type(text) for text in texts] == [np.dtype(width).type(number) for number in numbers]


@given(ids=st.lists(st.none() | st.uuids(), min_size=1, max_size=5))
def test_a_uuid_has_its_usual_text(ids: list[uuid.UUID | None]) -> None:
    stored = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([None, *[found and found.bytes for found in ids]], pa.binary(16)))
    expected = [None if found is None else str(found) for found in ids]
    assert id_texts(stored.slice(1)).to_pylist() == expected
    assert id_texts(pa.chunked_array([stored, stored.slice(1)])).to_pylist() == [None, *expected, *expected]


@pytest.mark.parametrize(
    "column", [pa.array([b"a"]), pa.array([b"a"], pa.large_binary()), pa.array([b"a"], pa.binary(1)), pa.array([[1]])], ids=str
)
def test_bytes_and_lists_have_no_text(column: pa.Array) -> None:
    with pytest.raises(pa.ArrowException):
        id_texts(column)


@pytest.mark.parametrize(("kind", "largest"), [(pa.float16(), 2.0**11), (pa.float32(), 2.0**24), (pa.float64(), 2.0**53)], ids=str)
def test_a_float_is_inexact_where_the_next_integer_has_none_of_its_own(kind: pa.DataType, largest: float) -> None:
    beyond = np.nextafter(kind.to_pandas_dtype()(largest), np.inf).item()
    assert inexact(pa.array([largest, -largest, 0.5, beyond, -beyond, np.inf, np.nan, None], kind)).tolist() == [
        False, False, False, True, True, True, False, False,
    ]  # fmt: skip
    assert not inexact(pa.array([2**62])).any()
