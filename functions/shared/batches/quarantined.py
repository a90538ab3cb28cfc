"""Quarantined rows as lines of JSON: how they are written, numbered again when the rows before them are known, and read."""

import json
import re
from collections.abc import Mapping
from typing import Any

from functions.shared.domain.rejections import RowCode
from functions.shared.reading.rows import RejectedRow

_NUMBERS = re.compile(rb'^\{"row": (\d+), "line": (\d+|null)', re.MULTILINE)


def quarantine_line(row: RejectedRow) -> bytes:
    """A rejected row as one JSON object, line end included. Its numbers stand first."""
    fields: dict[str, Any] = {
        "row": row.row,
        "line": row.line,
        "byte_offset": row.byte_offset,
        "code": row.code,
        "message": row.message,
        "raw": row.raw,
    }
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def numbered_on(lines: bytes, *, rows: int, text_lines: int) -> bytes:
    r"""Whole lines that `quarantine_line` wrote, of rows that this many rows and lines of text come before.

    >>> numbered_on(b'{"row": 1, "line": 2, "byte_offset": 9}\n{"row": 4, "line": null}\n', rows=100, text_lines=200)
    b'{"row": 101, "line": 202, "byte_offset": 9}\n{"row": 104, "line": null}\n'
    """

    def moved(found: re.Match[bytes]) -> bytes:
        line = found[2] if found[2] == b"null" else b"%d" % (int(found[2]) + text_lines)
        return b'{"row": %d, "line": %s' % (int(found[1]) + rows, line)

    return _NUMBERS.sub(moved, lines)


def raw_bytes(row: Mapping[str, Any]) -> bytes:
    r"""What stood in the file of a row that `quarantine_line` wrote; of Parquet, where it stood nowhere as text, JSON in UTF-8.

    >>> raw_bytes({"byte_offset": 0, "code": "invalid_utf8", "raw": "ÿ"}), raw_bytes({"byte_offset": 0, "code": "infinite", "raw": "ÿ"})
    (b'\xff', b'\xc3\xbf')
    """
    is_latin1 = row["code"] == RowCode.INVALID_UTF8 and row["byte_offset"] is not None
    return str(row["raw"]).encode("latin-1" if is_latin1 else "utf-8")
