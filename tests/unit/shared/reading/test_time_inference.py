"""Times of other formats than ISO 8601, against Python's own strftime and strptime."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.shared.domain.formats import Formats, checked_time_format
from functions.shared.reading.files import find_time_format, read_table
from functions.shared.reading.rules import ColumnKind
from functions.shared.reading.time_inference import time_format_of
from functions.shared.reading.times import to_instants_in
from tests.unit.shared.reading.files import MemoryFile

DAYS = ["%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d-%b-%Y", "%d %B %Y", "%Y年%m月%d日"]
CLOCKS = ["", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", "T%H:%M:%S"]
ZONE = ZoneInfo("America/New_York")
MOMENTS = st.datetimes(datetime(1000, 1, 2), datetime(9998, 12, 30))


def read(*texts: str | None, pattern: str, zone: str = "UTC") -> list[datetime | str | None]:
    """The instants that texts are; the text itself where it is refused."""
    found = to_instants_in(pa.array(texts, pa.string()), pattern, ZoneInfo(zone))
    pairs = zip(texts, found.array.to_pylist(), found.refused.tolist(), strict=True)
    return [text if refused else instant for text, instant, refused in pairs]


@given(st.lists(MOMENTS, min_size=1, max_size=9), st.sampled_from(DAYS), st.sampled_from(CLOCKS))
@example([datetime(2012, 2, 29, 12, 0), datetime(2012, 2, 29, 0, 5)], "%m/%d/%Y", " %I:%M %p")
def test_a_time_is_what_python_wrote_whether_the_pattern_names_its_clock_or_not(moments: list[datetime], day: str, clock: str) -> None:
    texts = [moment.strftime(day + clock) for moment in moments]
    expected = [datetime.strptime(text, day + clock).replace(tzinfo=UTC) for text in texts]
    assert read(*texts, pattern=day) == expected
    assert read(*texts, pattern=day + clock) == expected


@given(st.text("0123456789./:- APM", max_size=19))
@example("31.04.2012")
@example("29.02.1900")
@example("01.01.2012 24:00")
def test_what_is_read_is_a_time_of_the_calendar(text: str) -> None:
    [found] = read(text, pattern="%d.%m.%Y")
    if isinstance(found, datetime):
        day, _, clock = text.strip().partition(" ")
        year, month, date = (int(part) for part in reversed(day.split("."))) if "." in day else (found.year, found.month, found.day)
        assert (found.year, found.month, found.day) == (year, month, date)
        assert not clock or found.minute == int(clock.split(":")[1][:2])
    elif found is not None:
        with pytest.raises(ValueError):  # noqa: PT011 - Python says it in many ways
            datetime.strptime(text, "%d.%m.%Y")  # noqa: DTZ007 - a mistake to be


def test_an_offset_counts_and_without_one_a_time_is_of_the_zone() -> None:
    offset = timezone(timedelta(hours=5, minutes=30))
    assert read("01.07.2012 13:00 +0530", "01.07.2012 13:00Z", "01.07.2012", pattern="%d.%m.%Y", zone=ZONE.key) == [
        datetime(2012, 7, 1, 13, tzinfo=offset),
        datetime(2012, 7, 1, 13, tzinfo=UTC),
        datetime(2012, 7, 1, tzinfo=ZONE),
    ]


def test_times_of_iso_8601_are_read_in_any_case_and_others_are_refused() -> None:
    assert read("2012-03-04T05:06Z", "03/04/2012", "NA", None, "", pattern="%d.%m.%Y") == [
        datetime(2012, 3, 4, 5, 6, tzinfo=UTC), "03/04/2012", None, None, None,
    ]  # fmt: skip


def test_two_digits_of_a_year_are_those_that_posix_takes() -> None:
    assert read("01.01.68", "01.01.69", pattern="%d.%m.%y") == [datetime(2068, 1, 1, tzinfo=UTC), datetime(1969, 1, 1, tzinfo=UTC)]


@pytest.mark.parametrize(("unit", "factor"), [("epoch_s", 1), ("epoch_ms", 10**3), ("epoch_us", 10**6)])
@given(st.datetimes(datetime(1973, 4, 1), datetime(2100, 1, 1)).map(lambda moment: moment.replace(microsecond=0)))
def test_a_number_since_1970_is_read_in_its_unit_and_in_no_other(unit: str, factor: int, moment: datetime) -> None:
    instant = moment.replace(tzinfo=UTC)
    number = int(instant.timestamp()) * factor
    for column in (pa.array([str(number)]), pa.array([number]), pa.array([float(number)])):
        assert to_instants_in(column, unit, ZONE).array.to_pylist() == [instant]
    for other in {"epoch_s", "epoch_ms", "epoch_us"} - {unit}:
        assert to_instants_in(pa.array([number]), other, ZONE).refused.tolist() == [True]


@pytest.mark.parametrize(
    ("texts", "pattern"),
    [
        (["2012/01/01", "2012/12/31 05:06"], "%Y/%m/%d"),
        (["01.02.2012 13:00", "31.01.2012"], "%d.%m.%Y"),
        (["03/04/2012", "13/06/2012"], "%d/%m/%Y"),
        (["03/04/2012", "06/13/2012 1:05 PM", "soon"], "%m/%d/%Y"),
        (["20120101", "20121231"], "%Y%m%d"),
        (["20120101130509", "20120101130510"], "%Y%m%d%H%M%S"),
        (["1325376000", "1325376000.5"], "epoch_s"),
        (["1325376000123"], "epoch_ms"),
        (["2012年1月5日"], "%Y年%m月%d日"),
        (["2012-01-01", "NA"], None),
        ([], None),
    ],
)
def test_a_format_that_leaves_no_doubt_is_found(texts: list[str], pattern: str | None) -> None:
    for parts in ([texts], [[text] for text in texts]):
        found = time_format_of("when", [pa.array(part, pa.string()) for part in parts])
        assert (found.pattern, found.doubt) == (pattern, None)


@pytest.mark.parametrize("texts", [["03/04/2012", "05/06/2012"], ["03/04/2012", "06/13/2012", "13/06/2012"]])
def test_days_that_may_be_months_are_asked_for_with_both_readings(texts: list[str]) -> None:
    doubt = time_format_of("when", [pa.array(texts)]).doubt
    assert doubt is not None
    assert doubt.startswith("'03/04/2012' in 'when' is 3 April 2012 by %d/%m/%Y and 4 March 2012 by %m/%d/%Y")
    assert "--time-format" in doubt


@pytest.mark.parametrize("texts", [["05/05/2012"], ["05/05/2012 10:00", "06/06/2012 11:30"], ["13/05/2012", "05/13/2012"]])
def test_days_that_both_readings_read_alike_are_asked_for_since_later_ones_may_differ(texts: list[str]) -> None:
    doubt = time_format_of("when", [pa.array(texts)]).doubt
    assert doubt is not None
    assert doubt.startswith(f"{texts[0]!r} in 'when' may be %d/%m/%Y or %m/%d/%Y")
    assert "--time-format" in doubt


@pytest.mark.parametrize("texts", [["05.05.2012"], ["2012/05/05"], ["20120505"], ["2012-05-05"]])
def test_a_day_that_is_its_month_is_no_doubt_in_a_format_without_a_rival(texts: list[str]) -> None:
    assert time_format_of("when", [pa.array(texts)]).doubt is None


def test_a_format_that_nobody_knows_is_asked_for_with_an_example() -> None:
    doubt = time_format_of("when", [pa.array(["01-Jan-12", "2012-01-01", "02-Jan-12"])]).doubt
    assert doubt is not None
    assert "'01-Jan-12' in 'when'" in doubt


def test_a_file_of_labels_is_read_by_the_models_format() -> None:
    file = MemoryFile(b"id;when;late\na;01.02.2012 13:00;1\nb;31.13.2012;0\n")
    assert find_time_format(file, key="a.csv", column="when").pattern == "%d.%m.%Y"
    columns = {"id": ColumnKind.ID, "when": ColumnKind.TIME, "late": ColumnKind.CARRIED}
    found = read_table(file, key="a.csv", columns=columns, formats=Formats(time_format="%d.%m.%Y"))
    assert found.table["when"].to_pylist() == [datetime(2012, 2, 1, 13, tzinfo=UTC)]
    assert [bad.message for bad in found.rejected] == ["column 'when': '31.13.2012' is no time of the format %d.%m.%Y, nor of ISO 8601"]


@pytest.mark.parametrize("pattern", ["%d.%m.%Y", "%y%m%d %H", "epoch_us", "%b %d, %Y at %I:%M %p %z"])
def test_a_pattern_with_year_month_and_day_can_be_read_by(pattern: str) -> None:
    assert checked_time_format(pattern) == pattern


@pytest.mark.parametrize("pattern", ["", "%Y-%m", "%Y-%m-%d %M:%M", "%d %m %Y %y", "epoch", "%Y%m%d%", "%j %Y"])
def test_a_pattern_that_leaves_a_day_open_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"%|epoch"):
        checked_time_format(pattern)
