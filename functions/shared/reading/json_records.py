"""Parse single lines of JSON Lines, and turn their objects into columns."""

import json
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from functions.shared.domain.rejections import RowCode
from functions.shared.foundation.arrow import fixed_width, texts
from functions.shared.reading.conform import shown
from functions.shared.reading.rules import ColumnKind
from functions.shared.reading.values import to_texts

type Record = Mapping[str, object]

_EXACT_DIGITS = 4000
"""Python converts no longer integers; as a float, a longer number is infinite anyway."""


class MalformedRecordError(Exception):
    """A line is not a row; carries a code, and a message for a person."""

    def __init__(self, code: RowCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse_record(line: bytes) -> Record:
    """Return the object on a line.

    Raises:
        MalformedRecordError: `invalid_utf8`, `malformed_json` or `not_an_object`.
    """
    try:
        text = line.decode()
        record = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(record, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise MalformedRecordError(RowCode.INVALID_UTF8, "the row is not UTF-8 text") from error
    except UnicodeEncodeError as error:
        raise MalformedRecordError(RowCode.MALFORMED_JSON, "the row escapes half a character (a lone surrogate)") from error
    except RecursionError as error:
        raise MalformedRecordError(RowCode.MALFORMED_JSON, "the row is nested too deeply") from error
    except ValueError as error:
        raise MalformedRecordError(RowCode.MALFORMED_JSON, f"the row is not valid JSON: {error}") from error
    if not isinstance(record, dict):
        raise MalformedRecordError(RowCode.NOT_AN_OBJECT, f"the row is {shown(text)}, not an object")
    return record


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _EXACT_DIGITS else float(digits)


_DECODER = json.JSONDecoder(parse_int=_integer)
"""Made once, since `json.loads` makes a decoder per line, which takes longer than to parse."""


def column_of(values: Sequence[object], kind: ColumnKind, decimal: str) -> pa.Array:
    """Return the values of one key as a column.

    Where numbers are wanted, JSON's numbers stay; everything else becomes text. If texts are among them, numbers are written with
    the decimal sign of the texts.
    """
    if kind is ColumnKind.NUMBER and set(map(type, values)) <= {int, float, type(None)}:
        try:
            numbers = np.array([math.nan if value is None else value for value in values], np.float64)
            return fixed_width(numbers, pa.float64())
        except OverflowError:
            pass
    written = _texts(values)
    if kind is ColumnKind.NUMBER and decimal != ".":
        pairs = zip(values, written, strict=True)
        written = [text.replace(".", decimal) if text and isinstance(value, float) else text for value, text in pairs]
    return texts(written)


def _texts(values: Sequence[object]) -> list[str | None]:
    written = [value if value is None or isinstance(value, str) else _text(value) for value in values]
    places = [place for place, value in enumerate(values) if isinstance(value, float)]
    floats = np.array([values[place] for place in places], np.float64)
    for place, text in zip(places, to_texts(fixed_width(floats, pa.float64())).to_pylist(), strict=True):
        written[place] = text
    return written


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
