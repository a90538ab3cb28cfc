"""The row contract once more, a value at a time: Python's own gzip, csv and json modules, and the rules as they are written.

Slow, plain, and sharing no code with the readers it judges.
"""

import csv
import gzip
import io
import json
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/New_York")
NEEDED = ("id", "size", "colour", "wet", "at", "age")
AGES = (0.0, 200.0)
_FIRST, _END = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

_MISSING = {"", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "none", "n/a", "na"}
_MISSING |= {"?", "\\N", "<NA>", "NaT", "-nan", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?", "#NULL!"}
_TRUE, _FALSE = {"true", "t", "yes", "y", "1", "1.0"}, {"false", "f", "no", "n", "0", "0.0"}
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?(inf|infinity|nan(\([0-9a-z_]*\))?)", re.ASCII | re.IGNORECASE)
_TIME = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"([T ](?P<hour>[0-9]{2})(:(?P<minute>[0-9]{2})(:(?P<second>[0-9]{2})(\.(?P<fraction>[0-9]{1,9}))?)?)?(?P<zone>Z|[+-][0-9]{2}(:?[0-5][0-9])?)?)?",
    re.ASCII,
)
_LINE_END = re.compile(rb"\r\n|\r|\n")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f]")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_SEPARATORS = ",;\t|"
_UTF8_MARK = b"\xef\xbb\xbf"
_BLANKS = " \t\r\n"
_ANY_INTEGER = json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) < 4000 else math.inf)

type Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that breaks the contract: its number among the rows, and the reason's code."""

    row: int
    code: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file holds: its text (decompressed, in UTF-8), its good rows in order, and the bad ones.

    Where objects stand over several lines, a row has no line of its own.
    """

    text: bytes
    rows: list[Row]
    bad: list[Bad]
    has_lines: bool = True


class _BrokenError(Exception):
    """A value or a record breaks its rule; the argument is the code."""


def read_plainly(data: bytes) -> Reading | None:
    """The rows of a file of CSV or JSON Lines, or None where this reader does not know what a file means."""
    text = _text(data)
    if text is None:
        return None
    first_line = _LINE_END.split(text.removeprefix(_UTF8_MARK).lstrip(), maxsplit=1)[0]
    if _CONTROL.search(first_line):
        return None
    return _json_lines(text) if first_line.startswith(b"{") else _delimited(text)


def physical_line(text: bytes, offset: int) -> int:
    """1-based number of the line on which a byte stands."""
    return 1 + len(_LINE_END.findall(text[:offset]))


def _text(data: bytes) -> bytes | None:
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16").encode()
        except UnicodeError:
            return None
    return data


def _delimited(text: bytes) -> Reading | None:
    if len(_BEYOND_ASCII.findall(text)) >= 8 and not _is_utf8(text):
        return None  # perhaps of another encoding
    latin = text.removeprefix(_UTF8_MARK).decode("latin-1")
    names, separator = _header(latin)
    if names is None:
        return None
    records = list(csv_records(latin, separator))[1:]
    unclosed = len(records) + 1 == len(list(csv_records(latin + "\nX", separator)))
    records = without_blank(records, separator, unclosed=unclosed)
    rows: list[Row] = []
    bad: list[Bad] = []
    for number, (raw, fields) in enumerate(records, start=1):
        try:
            rows.append(_typed(_named(raw, fields, names, separator, unclosed=unclosed and number == len(records))))
        except _BrokenError as broken:
            bad.append(Bad(number, str(broken)))
    return Reading(text, rows, bad)


def _header(latin: str) -> tuple[list[str] | None, str]:
    """The columns' names and their separator; no names where the header leaves a doubt about either."""
    first = re.split(r"[\r\n]", latin.lstrip("\r\n"), maxsplit=1)[0]
    used = [separator for separator in _SEPARATORS if separator in first]
    names = first.split(used[0]) if used else []
    plain = (
        len(used) == 1 and first.isascii() and first.replace("\t", "").isprintable() and '"' not in first and first == first.lstrip(" #<[{")
    )
    known = set(NEEDED) <= set(names) and len(set(names)) == len(names) and all(name and name == name.strip() for name in names)
    return (names if plain and known else None), (used[0] if used else ",")


def csv_records(text: str, separator: str) -> Iterator[tuple[str, list[str]]]:
    """Each record of delimited text as it stands there, and its fields; blank lines are none."""
    csv.field_size_limit(2**31)
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines, delimiter=separator)
    before = 0
    for fields in reader:
        if fields:
            yield "".join(lines[before : reader.line_num]), fields
        before = reader.line_num


def without_blank(records: list[tuple[str, list[str]]], separator: str, *, unclosed: bool) -> list[tuple[str, list[str]]]:
    """The records that hold anything, or leave open what they hold; the last may be unclosed."""
    last = len(records) - 1
    doubtful = [is_misquoted(raw, separator) or (unclosed and place == last) for place, (raw, _) in enumerate(records)]
    return [record for record, doubt in zip(records, doubtful, strict=True) if doubt or any(record[1])]


def is_misquoted(raw: str, separator: str) -> bool:
    """Whether a record has text behind a closing quote, or a line end within quotes and a backslash before a quote that counts."""
    ends = {"", separator, "\r", "\n"}
    inside = escaped = lines = False
    before = "\n"
    text = iter(enumerate(raw.rstrip("\r\n")))
    for place, one in text:
        if inside and one == '"':
            escaped = escaped or before == "\\"
            behind = raw[place + 1 : place + 2]
            if behind == '"':
                next(text)
            elif behind in ends:
                inside = False
            else:
                return True
        elif inside:
            lines = lines or one in "\r\n"
        else:
            inside = one == '"' and before in ends
        before = one
    return escaped and lines


def _json_lines(text: bytes) -> Reading | None:
    plain = text.removeprefix(_UTF8_MARK)
    has_lines = not _starts_over_lines(plain)
    lines = [line for line in _LINE_END.split(plain) if line] if has_lines else _elements(plain)
    if lines is None:
        return None
    found = [_object(line) for line in lines]
    names = list(dict.fromkeys(name for record in found if isinstance(record, dict) for name in record))
    if not set(NEEDED) <= set(names):
        return None
    rows: list[Row] = []
    bad: list[Bad] = []
    for number, record in enumerate(found, start=1):
        try:
            rows.append(_typed({name: _found(record).get(name) for name in names}))
        except _BrokenError as broken:
            bad.append(Bad(number, str(broken)))
    return Reading(text, rows, bad, has_lines=has_lines)


def _starts_over_lines(text: bytes) -> bool:
    """Whether the first object goes on behind a line end, which is a blank between its tokens (RFC 8259, section 2)."""
    plain = text.decode(errors="ignore").lstrip()
    try:
        _, end = _ANY_INTEGER.raw_decode(plain)
    except (ValueError, RecursionError):
        return False
    return bool(_LINE_END.search(plain[:end].encode(errors="ignore")))


def _elements(text: bytes) -> list[bytes] | None:
    """Each value of a text of several, with blanks between any two; None if anything else stands there."""
    found, place = [], 0
    try:
        plain = text.decode().lstrip(_BLANKS)
        while place < len(plain):
            _, end = _ANY_INTEGER.raw_decode(plain, place)
            rest = plain[end:].lstrip(_BLANKS)
            if rest and plain[end] not in _BLANKS:
                return None
            found.append(plain[place:end].encode())
            place = len(plain) - len(rest)
    except (ValueError, RecursionError):
        return None
    return found


def _object(line: bytes) -> Row | str:
    """The object on a line, or the code of why it holds none."""
    try:
        record = _ANY_INTEGER.decode(line.decode())
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        return "invalid_utf8"
    except (ValueError, RecursionError):
        return "malformed_json"
    return record if isinstance(record, dict) else "not_an_object"


def _found(record: Row | str) -> Row:
    if isinstance(record, str):
        raise _BrokenError(record)
    return record


def _named(raw: str, fields: list[str], names: list[str], separator: str, *, unclosed: bool) -> Row:
    plain = [_utf8(field) for field in fields]
    if unclosed:
        raise _BrokenError("unclosed_quote")
    if is_misquoted(raw, separator):
        raise _BrokenError("misplaced_quote")
    if len(plain) != len(names):
        raise _BrokenError("wrong_field_count")
    return {name: field or None for name, field in zip(names, plain, strict=True)}


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _utf8(field: str) -> str:
    try:
        return field.encode("latin-1").decode()
    except UnicodeDecodeError:
        raise _BrokenError("invalid_utf8") from None


def _typed(row: Row) -> Row:
    """The row with its known columns typed, in the file's order; others are left out."""
    typed: Row = {}
    for name, value in row.items():
        if name == "id":
            typed[name] = _required(_as_text(value), "missing_id")
        elif name == "size":
            typed[name] = _number(value)
        elif name == "colour":
            typed[name] = _as_text(value)
        elif name == "wet":
            typed[name] = _boolean(_as_text(value))
        elif name == "at":
            typed[name] = _required(_instant(_as_text(value)), "missing_time")
        elif name == "age":
            typed[name] = _within(_required(_number(value), "missing_value"))
    return typed


def _required[T](value: T | None, code: str) -> T:
    if value is None:
        raise _BrokenError(code)
    return value


def _as_text(value: object) -> str | None:
    """JSON's own values as the texts they stand for; an empty text is missing."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value)) if value or math.copysign(1, value) > 0 else "-0"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _number(value: object) -> float | None:
    text = _as_text(value) if not isinstance(value, bool | int | float) else None
    if isinstance(value, bool):
        raise _BrokenError("unparseable_number")
    if isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    else:
        plain = (text or "").strip(" \t")
        if plain not in _MISSING and not _NUMBER.fullmatch(plain):
            raise _BrokenError("unparseable_number")
        number = math.nan if plain in _MISSING or "nan" in plain.lower() else float(plain)
    if math.isinf(number):
        raise _BrokenError("infinite")
    return None if math.isnan(number) else number


def _within(number: float) -> float:
    if not AGES[0] <= number <= AGES[1]:
        raise _BrokenError("out_of_range")
    return number


def _boolean(text: str | None) -> bool | None:
    plain = (text or "").strip(" \t")
    if plain in _MISSING:
        return None
    if plain.lower() not in _TRUE | _FALSE:
        raise _BrokenError("unparseable_boolean")
    return plain.lower() in _TRUE


def _instant(text: str | None) -> datetime | None:
    plain = (text or "").strip(" \t")
    if plain in _MISSING:
        return None
    found = _TIME.fullmatch(plain)
    if not found:
        raise _BrokenError("unparseable_time")
    clock = f"{found['hour'] or '00'}:{found['minute'] or '00'}:{found['second'] or '00'}.{(found['fraction'] or '0')[:6]:0<6}"
    zone = {None: "", "Z": "+00:00"}.get(found["zone"], found["zone"])
    try:
        local = datetime.fromisoformat(f"{found['day']}T{clock}{zone}")
        instant = (local if local.tzinfo else local.replace(tzinfo=ZONE)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _BrokenError("unparseable_time") from None
    if not _FIRST <= instant < _END:
        raise _BrokenError("implausible_time")
    return instant
