"""The field kernel, a column at a time, against Python's float, datetime and csv. Whole files: tests/unit/shared/reading."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.shared.kernels.fields import FieldKernel, Fields
from functions.shared.kernels.library import kernel_library
from functions.shared.reading.values import MISSING

pytestmark = pytest.mark.skipif(
    kernel_library() is None, reason="no kernels here, or none wanted; tests/integration/kernels builds its own"
)

EPOCH = datetime(1970, 1, 1)


def split(text: str, *, columns: int, separator: str = ",") -> Fields | None:
    library = kernel_library()
    assert library is not None
    return FieldKernel(library, separator=separator, columns=columns, marks=MISSING).split(text.encode())


def column(texts: Iterable[str]) -> Fields:
    """The texts as the first of two columns, so that an empty one is no blank line."""
    fields = split("".join(f"{text},\n" for text in texts), columns=2)
    assert fields is not None
    return fields


def texts_of(fields: Fields, place: int) -> list[str]:
    offsets, together = fields.texts(place)
    return [together[start:end].tobytes().decode() for start, end in pairwise(offsets)]


def number_of(text: str) -> float | None:
    """The number that a field says, None where the kernel leaves it to Arrow."""
    # Fields before and behind, for what is read at once begins before a field.
    found = column(["12345678", text, "1"]).numbers(0)
    if found is None:
        return None
    values, valid = found
    assert valid is None
    assert values[[0, 2]].tolist() == [12345678, 1]
    return float(values[1])


DIGITS = st.text("0123456789", max_size=24)


@given(st.from_regex(r"-?[0-9]{0,22}(\.[0-9]{0,22})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
@example("9007199254740993")  # halfway between two doubles: to even
@example("9007199254740995")
@example("18446744073709551615")
@example("9223372036854775809e-19")
@example("0.30000000000000004")
@example("1234567890123456789e19")
@example("1234567890123456789e-38")
@example("5e-324")
@example("-0")
@example("-0.0e-9")
@example("00000000000000000000001.5")
@example(".5")
@example("5.")
def test_a_number_is_the_double_that_is_nearest(text: str) -> None:
    found = number_of(text) if text else None
    if found is not None:
        assert found.hex() == float(text).hex()


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e19, max_value=1e19).filter(lambda x: x == 0 or abs(x) > 1e-19))
def test_the_shortest_text_of_a_number_is_plain(value: float) -> None:
    found = number_of(repr(value))
    assert found is not None
    assert found.hex() == value.hex()


@given(st.integers(0, 2**64 - 1), st.integers(-38, 19))
def test_all_digits_that_fit_are_rounded_once(digits: int, exponent: int) -> None:
    text = f"{digits}e{exponent}"
    found = number_of(text)
    assert (found is None) == (len(str(digits)) > 19)
    assert found is None or found.hex() == float(text).hex()


@pytest.mark.parametrize(
    "text",
    ["-", ".", "-.", "+1", " 1", "1 ", "1e", "1e+", "1e5000", "1.5.2", "1..", "--1", "inf", "0x1", "1,", "٣", "NA\0", "1e400", "1_0"],
)
def test_what_is_not_plainly_a_number_is_left_to_arrow(text: str) -> None:
    assert column(["7", f'"{text}"']).numbers(0) is None


@given(st.lists(st.sampled_from([*MISSING, "1", "-2.5"]), max_size=40))
def test_marks_are_missing_numbers(texts: list[str]) -> None:
    found = column(texts).numbers(0)
    assert found is not None
    values, bits = found
    present = [text not in MISSING for text in texts]
    assert values.tolist() == [float(text) if there else 0 for text, there in zip(texts, present, strict=True)]
    if bits is None:
        assert all(present)
    else:
        assert np.unpackbits(bits, bitorder="little").view(np.bool_)[: len(texts)].tolist() == present


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31, 23)),
    st.sampled_from([0, 10, 16, 19, 21, 22, 23, 24, 25, 26]),
    st.sampled_from("T "),
)
@example(datetime(2000, 2, 29), 10, "T")
@example(datetime(2, 1, 1), 10, "T")
@example(datetime(9998, 12, 31, 23, 59, 59, 999999), 26, "T")
def test_a_local_time_is_as_long_after_1970_as_the_calendar_says(moment: datetime, length: int, between: str) -> None:
    text = moment.isoformat(sep=between, timespec="microseconds")[: length or None]
    found = column([text]).times(0)
    assert found is not None
    assert found.tolist() == [(datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)]


@given(st.text("0123456789-: T.Z+", max_size=28) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2})?", fullmatch=True))
@example("2013-02-29")
@example("1900-02-29")
@example("2013-04-31")
@example("0000-01-01")
@example("0001-01-01")
@example("9999-12-31")
@example("2013-13-01")
@example("2013-01-00")
@example("2013-01-01T24:00")
@example("2013-01-01T00:60")
@example("2013-01-01T00:00:60")
@example("2013-01-01T00:00:00.")
@example("2013-01-01T00:00:00Z")
def test_what_python_calls_no_local_time_is_left_to_arrow(text: str) -> None:
    found = column([text]).times(0)
    if found is not None:
        assert EPOCH + timedelta(microseconds=int(found[0])) == datetime.fromisoformat(text)
        assert text[:4] not in {"0001", "9999"}  # a zone may move these out of the calendar


@given(st.lists(st.text(st.characters(exclude_characters='"\r\n,', exclude_categories=["Cs"]), max_size=20)))
def test_categories_are_numbered_as_they_appear(texts: list[str]) -> None:
    found = column(texts).categories(0)
    assert found is not None
    codes, names = found
    assert names == list(dict.fromkeys(texts))
    assert [names[code] for code in codes] == texts


def test_too_many_categories_are_left_to_arrow() -> None:
    most = 2**14
    assert column(map(str, range(most))).categories(0) is not None
    assert column(map(str, range(most + 1))).categories(0) is None


@given(
    records=st.lists(
        st.lists(st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), max_size=12), min_size=1, max_size=4)
    ),
    separator=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    quoted=st.booleans(),
    ended=st.booleans(),
)
def test_fields_lie_where_csv_finds_them(records: list[list[str]], separator: str, end: str, *, quoted: bool, ended: bool) -> None:
    if not quoted:
        records = [[field.translate(dict.fromkeys(map(ord, f"{separator}\r\n"))) for field in record] for record in records]
    records = [[field.replace("\r", "") for field in record] for record in records]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_NONE)
    for record in records:
        writer.writerow(record if quoted or record != [""] else ["x"])
    text = out.getvalue()
    fields = split(text if ended else text.removesuffix(end), columns=2, separator=separator)
    assert fields is not None
    expected = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    good = [record for record in expected if len(record) == 2]
    assert [texts_of(fields, place) for place in (0, 1)] == [[record[place] for record in good] for place in (0, 1)]
    assert fields.odd.tolist() == [[place, len(record)] for place, record in enumerate(expected) if len(record) != 2]


@pytest.mark.parametrize("text", ['a,"b""c"\n', 'a,"b"c\n', 'a,"b\n', "a,b\rc,d\n", "a,b\r", '"a"\rb,c\n'])
def test_quotes_within_quotes_and_lone_carriage_returns_are_left_to_arrow(text: str) -> None:
    assert split(text, columns=2) is None


def test_a_quote_within_an_unquoted_field_is_a_character() -> None:
    fields = split('5" pipe,"x"\n', columns=2)
    assert fields is not None
    assert [texts_of(fields, place) for place in (0, 1)] == [['5" pipe'], ["x"]]


def test_blank_lines_are_no_records() -> None:
    fields = split("\n\r\na,b\r\n\r\n\nc,d\n\n", columns=2)
    assert fields is not None
    assert texts_of(fields, 0) == ["a", "c"]
    assert fields.odd.tolist() == []
