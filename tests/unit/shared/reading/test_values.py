"""The grammar of values."""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.reading.values import Converted, WrongTypeError, to_booleans, to_categories, to_ids, to_instants, to_numbers

NUMBER = re.compile(r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf|infinity|nan)", re.ASCII | re.IGNORECASE)


def expected_number(text: str) -> float | None:
    """The number by Python's own parser, NaN as None; raises ValueError for what the contract refuses."""
    plain = text.strip(" \t")
    if plain in {"", "nan", "na"}:
        return None
    if not NUMBER.fullmatch(plain):
        raise ValueError(text)
    value = float(plain)
    return None if math.isnan(value) else value


@given(st.lists(st.one_of(st.text(alphabet="0123456789.eE+-_ infatyx\t", max_size=12), st.floats().map(repr)), max_size=12))
def test_a_text_is_a_number_exactly_if_python_and_the_grammar_say_so(texts: list[str]) -> None:
    converted = to_numbers(pa.array(texts, pa.string()))
    for text, value, refused in zip(texts, converted.array.to_pylist(), converted.refused, strict=True):
        try:
            assert (value, refused) == (expected_number(text), False)
        except ValueError:
            assert (value, refused) == (None, True)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([3, None], pa.int8()),
        pa.array([3, None], pa.uint64()),
        pa.array([3.0, math.nan], pa.float16()),
        pa.array([3.0, None], pa.float32()),
        pa.array([3, None], pa.decimal128(9, 2)),
        pa.array(["3", None], pa.large_string()),
        pa.array(["3", "NA"], pa.string_view()),
        pa.array(["3", ""]).dictionary_encode(),
        pa.array([0, 3, None]).slice(1),
        pa.array(["x", "3", None]).slice(1),
    ],
)
def test_numbers_come_from_every_type_that_holds_them(column: pa.Array) -> None:
    assert to_numbers(column).array.to_pylist() == [3.0, None]


def test_truth_comes_from_booleans_numbers_and_words_in_any_case() -> None:
    words = pa.array(["TRUE", "f", " Yes ", "NO", "1.0", "0", "", None, "2"])
    converted = to_booleans(words)
    assert converted.array.to_pylist() == [True, False, True, False, True, False, None, None, None]
    assert converted.refused.tolist() == [False] * 8 + [True]
    assert to_booleans(pa.array([1, 0, None])).array.to_pylist() == [True, False, None]
    assert to_booleans(pa.array([1.0, math.nan, 2.0])).refused.tolist() == [False, False, True]
    assert to_booleans(pa.nulls(2, pa.string())).array.to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array(["NA", "", None]), ["NA", None, None]),
        (pa.array([7, None]), ["7", None]),
        (pa.array([7.0, 0.5, math.nan]), ["7", "0.5", None]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array([7, 7, None]).dictionary_encode(), ["7", "7", None]),
        (pa.array(["a", ""]).dictionary_encode(), ["a", None]),
    ],
)
def test_categories_and_ids_of_all_types_have_one_text(column: pa.Array, texts: list[str | None]) -> None:
    categories = to_categories(column).array
    assert categories.type == pa.dictionary(pa.int32(), pa.string())
    assert categories.to_pylist() == texts
    ids = to_ids(column).array
    assert ids.cast(pa.string()).to_pylist() == texts
    assert ids.type == (column.type.value_type if pa.types.is_dictionary(column.type) else column.type)


@pytest.mark.parametrize("convert", [to_numbers, to_booleans, to_categories, to_ids, lambda column: to_instants(column, ZoneInfo("UTC"))])
def test_nested_values_have_the_wrong_type(convert: Callable[[pa.Array], Converted]) -> None:
    with pytest.raises(WrongTypeError):
        convert(pa.array([[1]]))


ZONES = st.sampled_from([ZoneInfo(name) for name in ("UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")])
LOCAL = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29))
OFFSETS = st.sampled_from(["", "Z", "+02:00", "-0930", "+14"])


@given(st.lists(st.tuples(LOCAL, st.sampled_from(["T", " "]), OFFSETS), min_size=1, max_size=5), ZONES)
def test_times_agree_with_pythons_calendar_and_zones(times: list[tuple[datetime, str, str]], zone: ZoneInfo) -> None:
    texts = [local.isoformat(separator) + offset for local, separator, offset in times]
    converted = to_instants(pa.array(texts), zone)
    expected = [datetime.fromisoformat(text) for text in texts]
    assert converted.array.to_pylist() == [(time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC) for time in expected]
    assert not converted.refused.any()


@pytest.mark.parametrize("text", ["2013-02-29", "2013-13-01", "2013-01-01T24:00", "2013-01-01T05:60", "20130101", "1.1.2013", "0000-01-01",
                                  "0001-01-01T00:00+05:00", "0000-12-31T23:59-05:00", "1357016400", "2013-01-01Z", "2013-01-01T05:15+24:00"])  # fmt: skip
@pytest.mark.parametrize("others", [[], ["2013-01-01"], ["2013-01-01T05:15Z"], ["2013-01-01", "2013-01-01T05:15Z", "x"]])
def test_what_is_no_time_is_refused_whatever_stands_next_to_it(text: str, others: list[str]) -> None:
    assert to_instants(pa.array([text, *others]), ZoneInfo("UTC")).refused[0]


def test_digits_beyond_microseconds_are_cut() -> None:
    instants = to_instants(pa.array(["2013-01-01 05:15:30.123456789"]), ZoneInfo("UTC")).array
    assert instants.to_pylist() == [datetime(2013, 1, 1, 5, 15, 30, 123456, UTC)]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_without_a_zone_are_local_and_with_one_are_not(unit: str) -> None:
    zone = ZoneInfo("America/New_York")
    noon = int(datetime(2013, 7, 1, 12, tzinfo=UTC).timestamp()) * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    naive, aware = (pa.array([noon, None], pa.int64()).cast(pa.timestamp(unit, zone)) for zone in (None, "Asia/Tokyo"))
    assert to_instants(naive, zone).array.to_pylist() == [datetime(2013, 7, 1, 16, tzinfo=UTC), None]
    assert to_instants(aware, zone).array.to_pylist() == [datetime(2013, 7, 1, 12, tzinfo=UTC), None]


@pytest.mark.parametrize(
    ("key", "day"),
    [
        ("America/St_Johns", "2010-11-07"),  # back from 00:01 to 23:01 of the day before
        ("America/St_Johns", "2010-03-14"),  # on from 00:01 to 01:01
        ("Antarctica/Casey", "2022-10-02"),  # on from 00:01 to 03:01
        ("America/Havana", "2013-11-03"),
        ("Asia/Beirut", "2013-03-31"),  # on from midnight
        ("America/Asuncion", "2013-03-24"),  # back from midnight
        ("America/New_York", "1883-11-18"),  # from the sun's time to the railways'
    ],
)
def test_around_a_change_of_clocks_every_minute_has_its_own_offset(key: str, day: str) -> None:
    zone = ZoneInfo(key)
    local = [datetime.fromisoformat(day) + timedelta(minutes=minute) for minute in range(-120, 1560)]
    instants = to_instants(pa.array(local), zone).array.to_pylist()
    assert instants == [time.replace(tzinfo=zone).astimezone(UTC) for time in local]


def test_days_begin_at_local_midnight() -> None:
    days = pa.array([date(2013, 7, 1)])
    assert to_instants(days, ZoneInfo("Asia/Tokyo")).array.to_pylist() == [datetime(2013, 6, 30, 15, tzinfo=UTC)]


@pytest.mark.parametrize("seconds", [-(2**62), 2**62, 253_402_300_800])
def test_timestamps_outside_the_calendar_are_refused(seconds: int) -> None:
    column = pa.array([seconds, 0]).cast(pa.timestamp("s"))
    converted = to_instants(column, ZoneInfo("UTC"))
    assert converted.refused.tolist() == [True, False]
    assert converted.array.to_pylist() == [None, datetime(1970, 1, 1, tzinfo=UTC)]


TIMES = st.one_of(
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda time: time.isoformat(" ")),
    st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)).map(lambda time: time.isoformat()),
    st.dates(date(1, 1, 1)).map(str),
    st.sampled_from(["2013-01-01T05", "2013-01-01 05:15Z", "2013-02-29", "2013-01-01 05:15:30.1234567+02", "noon", "NA", "", None]),
)


@given(st.lists(TIMES, max_size=12), st.integers(0, 3), st.sampled_from(["UTC", "America/New_York", "Asia/Shanghai"]))
def test_a_time_is_read_alike_whatever_stands_around_it(drawn: list[str | None], skipped: int, name: str) -> None:
    zone = ZoneInfo(name)
    together = to_instants(pa.array(drawn, pa.string()).slice(skipped), zone)
    alone = [to_instants(pa.array([text], pa.string()), zone) for text in drawn[skipped:]]
    assert together.array.to_pylist() == [one.array[0].as_py() for one in alone]
    assert together.refused.tolist() == [bool(one.refused[0]) for one in alone]
