"""Delimited text: against a reader of rows one by one, built on Python's csv module."""

import csv
import io
import math
import re
from datetime import UTC, datetime

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from functions.shared.domain.formats import Formats
from functions.shared.reading import plain_fields, records
from tests.fuzz.plain_reader import csv_records, is_misquoted, without_blank
from tests.unit.shared.reading.files import FORMATS, NAMES, SPEC, Row, model_of, read, refusal

HEADER = ",".join(NAMES)
GOOD = "a,1,red,true,2013-01-01,5,n"
MISSING = {"", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "none", "n/a", "na"}
MISSING |= {"?", "\\N", "<NA>", "NaT", "-nan", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?", "#NULL!"}
NUMBER = re.compile(r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf|infinity|nan)", re.ASCII | re.IGNORECASE)
TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d(:\d\d(:\d\d(\.\d{1,6})?)?)?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII)
BOOLEANS = dict.fromkeys(["true", "t", "yes", "y", "1", "1.0"], True) | dict.fromkeys(["false", "f", "no", "n", "0", "0.0"], False)


class RefusedError(Exception):
    """A value breaks its rule; the argument is the code."""


def number(text: str, *, nullable: bool, low: float = -math.inf, high: float = math.inf) -> float | None:
    plain = text.strip(" \t")
    if plain not in MISSING and not NUMBER.fullmatch(plain):
        raise RefusedError("unparseable_number")
    value = math.nan if plain in MISSING else float(plain)
    if math.isinf(value):
        raise RefusedError("infinite")
    if math.isnan(value):
        if not nullable:
            raise RefusedError("missing_value")
        return None
    if not low <= value <= high:
        raise RefusedError("out_of_range")
    return value


def boolean(text: str) -> bool | None:
    plain = text.strip(" \t")
    if plain in MISSING:
        return None
    if plain.lower() not in BOOLEANS:
        raise RefusedError("unparseable_boolean")
    return BOOLEANS[plain.lower()]


def instant(text: str) -> datetime:
    plain = text.strip(" \t")
    if plain in MISSING:
        raise RefusedError("missing_time")
    if not TIME.fullmatch(plain):
        raise RefusedError("unparseable_time")
    try:
        value = datetime.fromisoformat(plain)
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RefusedError("unparseable_time") from None


def identity(text: str) -> str:
    if not text:
        raise RefusedError("missing_id")
    return text


def typed(raw: str, fields: list[str], *, unclosed: bool) -> Row:
    if unclosed:
        raise RefusedError("unclosed_quote")
    if is_misquoted(raw, ","):
        raise RefusedError("misplaced_quote")
    if len(fields) != len(NAMES):
        raise RefusedError("wrong_field_count")
    row: Row = {
        "id": identity(fields[0]),
        "size": number(fields[1], nullable=True),
        "colour": fields[2] or None,
        "wet": boolean(fields[3]),
        "at": instant(fields[4]),
        "age": number(fields[5], nullable=False, low=0, high=200),
        "note": fields[6] or None,
    }
    return row


def one_by_one(body: bytes) -> tuple[list[Row], list[tuple[int, str]]]:
    """Good rows, and number and code of each bad one, of a file's text after the header."""
    text = body.decode("latin-1")
    found = list(csv_records(text, ","))
    unclosed = len(list(csv_records(text + "\nX", ","))) == len(found) and bool(found)
    found = without_blank(found, ",", unclosed=unclosed)
    rows, bad = [], []
    for place, (raw, fields) in enumerate(found, start=1):
        try:
            plain = [field.encode("latin-1").decode() for field in fields]
            rows.append(typed(raw, plain, unclosed=unclosed and place == len(found)))
        except UnicodeDecodeError:
            bad.append((place, "invalid_utf8"))
        except RefusedError as refused:
            bad.append((place, str(refused)))
    return rows, bad


def assert_read_as_one_by_one(body: bytes, block_bytes: int, start: bytes = HEADER.encode() + b"\n") -> None:
    expected_rows, expected_bad = one_by_one(body)
    data = start + body
    if not expected_rows and not expected_bad:
        assert refusal(data, block_bytes=block_bytes).code == "empty_file"
        return
    rows, rejected = read(data, block_bytes=block_bytes)
    assert rows == expected_rows
    assert [(bad.row, bad.code) for bad in rejected] == expected_bad
    for bad in rejected:
        assert bad.byte_offset is not None
        raw = bad.raw.encode("latin-1" if bad.code == "invalid_utf8" else "utf-8")
        assert data[bad.byte_offset : bad.byte_offset + len(raw)] == raw
        assert bad.line == 1 + len(re.findall(rb"\r\n|\r|\n", data[: bad.byte_offset]))
        assert bad.message


FIELDS = st.sampled_from(
    [
        "",
        "a",
        "007",
        "1",
        "-2.5e3",
        "+4",
        ".5",
        "oops",
        "inf",
        "1e999",
        "-nan",
        " 3 ",
        "NA",
        "?",
        " \\N",
        "#DIV/0!",
        "-",
        "true",
        "No",
        "maybe",
        "201",
        "1_0",
        "0x1",
    ]
    + ["2013-01-01", "2013-02-30", "2013-01-01T05:15:30.25+02:00", "2013-01-01 05:15Z", "é", "\xff", '"', '""', '5" pipe']
    + ['"q"', '"a,b"', '"x\ny"', '"x\r\ny"', '"d""q"', '"a"b', '"a"b"c', ' "s"', "a\0b"]
    + [r'"C:\"', r'"\""', r'"x\",', r'"\"y\""', '"x\\"\n"', r"5\" pipe"]
)
RECORDS = st.one_of(
    st.just(GOOD),
    st.tuples(*[st.one_of(st.just(good), FIELDS) for good in GOOD.split(",")]).map(",".join),
    st.lists(FIELDS, max_size=9).map(",".join),
)
ENDS = st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n", "\r\r\n"])


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    text = "".join(draw(RECORDS) + draw(ENDS) for _ in range(draw(st.integers(0, 6))))
    text += draw(st.sampled_from(["", GOOD, '"open', f'{GOOD}"', f'{GOOD[:-1]}"n']))
    return text.encode().replace("ÿ".encode(), b"\xff")


@given(bodies(), st.integers(1, 200))
@example(b"a,1,red,true,2013-01-01,5,n\r", 1)
@example(b'"a,1,red,true,2013-01-01,5,"\n', 7)
@example(f'{GOOD}\n5" pipe,1,red,true,2013-01-01,5,"x\n\ny"\n{GOOD}\n'.encode(), 11)
def test_blocks_of_any_size_read_as_a_reader_of_single_rows_does(body: bytes, block_bytes: int) -> None:
    assume(body.count(b"\xff") < 8)  # of more, the encoding is looked for
    assert_read_as_one_by_one(body, block_bytes)


@given(st.text(alphabet='",\n\r\\a1 é', max_size=60).map(str.encode), st.integers(1, 40))
def test_any_arrangement_of_quotes_separators_and_line_ends_is_read_alike(body: bytes, block_bytes: int) -> None:
    assert_read_as_one_by_one(body, block_bytes)


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 50, 1000])
def test_a_byte_order_mark_counts_in_offsets_but_belongs_to_no_name(block_bytes: int) -> None:
    start = b"\xef\xbb\xbf" + HEADER.encode() + b"\r\n"
    assert_read_as_one_by_one(f"{GOOD}\r\n,1\r\n{GOOD}".encode(), block_bytes, start)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("block_bytes", [1, 20, 1000])
def test_any_line_end_may_end_the_header_and_blank_lines_may_stand_before_it(end: str, block_bytes: int) -> None:
    rows, [bad] = read(end.join(["", HEADER, GOOD, "", ",x", GOOD]).encode(), block_bytes=block_bytes)
    assert (len(rows), bad.row, bad.line, bad.raw) == (2, 2, 5, ",x")


def test_blank_lines_after_the_header_are_no_long_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 500)
    rows, rejected = read(f"{HEADER}{'\n' * 2000}{GOOD}\n".encode(), block_bytes=100)
    assert (len(rows), rejected) == (1, [])


@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    "above",
    [
        "sep=;\r\n",
        '"sep=;"\n',
        "# June\n",
        "# exported, by report 7\n\n# rows: 1\n",
        'sep=;\n# "said" by: "me\n',
    ],
)
def test_what_stands_above_the_header_is_no_row(above: str, block_bytes: int) -> None:
    for mark in ("", "\ufeff"):
        text = f"{mark}{above}{HEADER}\n{GOOD}\noops\n".replace(",", ";" if "sep" in above else ",")
        rows, rejected = read(text.encode(), block_bytes=block_bytes)
        assert [row["id"] for row in rows] == ["a"]
        assert [(bad.row, bad.line, bad.raw) for bad in rejected] == [(2, text.count("\n"), "oops")]


def test_the_separator_that_a_file_says_is_taken_whatever_the_header_holds() -> None:
    rows, _ = read(f"sep=|\n{HEADER.replace(',', '|')}|a,b,c,d,e,f,g,h,i\n{GOOD.replace(',', '|')}|x\n".encode())
    assert rows[0]["a,b,c,d,e,f,g,h,i"] == "x"


@pytest.mark.parametrize("comment", ["", "# by report 7\n"])
def test_a_header_may_begin_as_a_comment_does(comment: str) -> None:
    rows, rejected = read(f"{comment}#,{HEADER}\n1,{GOOD}\n2,{GOOD}\n".encode())
    assert ([row["#"] for row in rows], rejected) == (["1", "2"], [])


def test_blanks_around_a_columns_name_are_not_part_of_it() -> None:
    rows, _ = read(f"{HEADER.replace(',', ' , ')}\n{GOOD}\n".encode())
    assert list(rows[0]) == list(NAMES)


def test_a_name_that_is_known_with_its_blanks_keeps_them() -> None:
    padded = SPEC.model_copy(update={"id_column": "id "})
    rows, _ = read(f"{HEADER.replace('id', 'id ')}\n{GOOD}\n".encode(), spec=padded)
    assert rows[0]["id "] == "a"


@pytest.mark.parametrize("block_bytes", [1, 50, 1 << 20])
def test_records_of_separators_only_are_no_rows_as_blank_lines_are(block_bytes: int) -> None:
    empty = ",,,,,,\n"
    text = f"{HEADER}\n{empty}{GOOD}\n\n,,\nb,oops\n{GOOD}\n{empty}" + '"","",""\n' + f"c,oops\n{empty * 3}"
    rows, rejected = read(text.encode(), block_bytes=block_bytes)
    assert len(rows) == 2
    assert [(bad.row, bad.line, bad.raw) for bad in rejected] == [(2, 6, "b,oops"), (4, 10, "c,oops")]


def test_a_file_of_separators_only_has_no_rows() -> None:
    assert refusal(f"{HEADER}\n,,,,,,\n;\n,,,,,,\n".replace(";", ",").encode()).code == "empty_file"


def test_a_row_that_lacks_its_id_and_nothing_else_is_a_row() -> None:
    _, rejected = read(f"{HEADER}\n,,,,,,n\n".encode())
    assert [bad.code for bad in rejected] == ["missing_id"]


def test_a_quote_behind_a_backslash_is_named_in_the_reason() -> None:
    _, rejected = read(f"{HEADER}\n{GOOD[:-1]}".encode() + b'"say \\"hi\\", friend"\n')
    assert [bad.code for bad in rejected] == ["misplaced_quote"]
    assert 'the row writes a quote as \\", which in CSV closes the field' in rejected[0].message


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_in_the_header(separator: str) -> None:
    rows, rejected = read(f"{HEADER}\n{GOOD}\n".replace(",", separator).encode())
    assert (rows[0]["id"], rows[0]["note"], rejected) == ("a", "n", [])


def test_the_separator_is_the_one_that_shows_the_models_columns() -> None:
    rows, _ = read(f'{HEADER.replace(",", ";")};"x,y,z,u,v,w,p,q"\n{GOOD.replace(",", ";")};e\n'.encode())
    assert rows[0]["x,y,z,u,v,w,p,q"] == "e"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf16_with_a_byte_order_mark_is_read(encoding: str) -> None:
    mark = "" if encoding == "utf-16" else "\ufeff"
    data = f"{mark}{HEADER}\n{GOOD.replace('red', '紅')}\n".encode(encoding)
    for block_bytes in (1, 3, 1000):
        rows, rejected = read(data, block_bytes=block_bytes)
        assert (rows[0]["colour"], rejected) == ("紅", [])


def test_ids_stay_text_and_missing_marks_are_categories_of_their_own() -> None:
    rows, _ = read(f"{HEADER}\n007,NA,NA,NA,2013-01-01,5,NA\n".encode())
    assert [rows[0][name] for name in ("id", "size", "colour", "wet", "note")] == ["007", None, "NA", None, "NA"]


def test_a_message_names_the_first_failing_column_and_its_text() -> None:
    _, rejected = read(f"{HEADER}\na,oops,red,maybe,never,-1,n\nb,1,red,true,2013-01-01,-1,n\n".encode())
    assert [bad.message for bad in rejected] == ["column 'size': 'oops' is no number", "column 'age': -1.0 is outside 0.0 to 200.0"]


def test_a_column_without_a_name_is_called_by_its_position() -> None:
    rows, _ = read(f",{HEADER},\n0,{GOOD},z\n".encode())
    assert (rows[0]["column_1"], rows[0]["column_9"]) == ("0", "z")


def test_the_target_is_carried_as_text() -> None:
    rows, _ = read(f"{HEADER},late\n{GOOD},oops\n{GOOD},\n".encode())
    assert [row["late"] for row in rows] == ["oops", None]


@given(st.lists(st.text(alphabet='",\n\\a', max_size=8), min_size=1, max_size=6), st.integers(1, 60))
@example(['"', '"'], 50)
@example(['say "hi", friend', "", '12" pipe'], 50)
@example(['x"', ",\ny"], 50)
def test_no_row_of_a_file_with_backslashes_before_quotes_gets_the_values_of_another(notes: list[str], block_bytes: int) -> None:
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, doublequote=False, escapechar="\\", lineterminator="\n")
    writer.writerows([f"i{place}", place, "red", "true", "2013-01-01", place, note] for place, note in enumerate(notes))
    rows, rejected = read(f"{HEADER}\n{written.getvalue()}".encode(), block_bytes=block_bytes)
    for row in rows:
        assert row["id"] == f"i{row['age']:.0f}" == f"i{row['size']:.0f}"
    assert len(rows) + len(rejected) <= sum(1 + note.count("\n") for note in notes)


def test_text_behind_a_closing_quote_is_set_aside_with_the_remedy() -> None:
    rows, [bad] = read(f'{HEADER}\n{GOOD}\nb,1,red,true,2013-01-01,5,"say \\"hi\\""\n{GOOD}\n'.encode())
    assert (len(rows), bad.row, bad.code) == (2, 2, "misplaced_quote")
    assert '"say ""hi"""' in bad.message


def test_two_rows_that_a_backslash_melts_into_one_of_the_right_length_are_set_aside() -> None:
    plain = GOOD.removesuffix("n")
    rows, [bad] = read(f'{HEADER},remark\n{plain}"\\"",r\n{plain}n,", r"\n{GOOD},r\n'.encode())
    assert ([row["remark"] for row in rows], bad.code, bad.raw.count("\n")) == (["r"], "misplaced_quote", 1)


MARKED = st.tuples(
    st.sampled_from(["1.5", "oops", "NA", "", "-999", " -999", "-999.0", "1e3"]),
    st.sampled_from(["2013-01-01", "2013-02-01", "1970-01-01", " 1970-01-01", "2013-01-01 05:15Z", "1357016400", "noon", ""]),
    st.sampled_from(["5", "1e3", "201"]),
)


@given(st.lists(MARKED, min_size=1, max_size=6), FORMATS)
def test_the_kernel_changes_nothing_but_time(records: list[tuple[str, str, str]], formats: Formats) -> None:
    data = "\n".join([HEADER, *(f"a,{size},red,true,{at},{age},n" for size, at, age in records)]).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_fields.PlainFields, "read", lambda *_: None)
        without = read(data, spec=model_of(formats))
    assert repr(read(data, spec=model_of(formats))) == repr(without)


@pytest.mark.parametrize("written", ["-999", "-999.0", " -999.00 ", "-9.99e2"])
@pytest.mark.parametrize("other", ["2", " 2 ", "1.50"])
def test_a_mark_that_is_a_number_is_missing_however_it_is_written_and_whatever_stands_in_its_block(other: str, written: str) -> None:
    data = f"{HEADER}\na,{written},red,true,2013-01-01,5,n\nb,{other},red,true,2013-01-01,5,n\n".encode()
    rows, rejected = read(data, spec=model_of(Formats(missing=("-999",))))
    assert ([row["size"] for row in rows], rejected) == ([None, float(other)], [])


def test_a_mark_that_is_a_time_is_missing() -> None:
    data = f"{HEADER}\n{GOOD}\n{GOOD.replace('2013', '1970')}\n".encode()
    rows, [bad] = read(data, spec=model_of(Formats(missing=("1970-01-01",))))
    assert (len(rows), bad.row, bad.code) == (1, 2, "missing_time")


def test_a_named_time_format_goes_before_iso() -> None:
    data = f"{HEADER}\n{GOOD.replace('2013-01-01', '2013-02-01')}\n".encode()
    [row], _ = read(data, spec=model_of(Formats(time_format="%Y-%d-%m")))
    assert row["at"] == datetime(2013, 1, 2, tzinfo=UTC)
