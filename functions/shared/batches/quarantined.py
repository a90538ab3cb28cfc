"""Write, renumber and read quarantined rows, which are stored as JSON Lines."""

import json
import re
from collections.abc import Mapping
from typing import Any

from functions.shared.domain.rejections import RowCode
from functions.shared.reading.rows import RejectedRow

_NUMBERS = re.compile(rb'^\{"row": (\d+), "line": (\d+|null)', re.MULTILINE)


def quarantine_line(row: RejectedRow) -> bytes:
    """Return a rejected row as one line of JSON; its numbers come first."""
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
    r"""Add earlier partitions' counts of rows and text lines to the lines' numbers.

    >>> numbered_on(b'{"row": 1, "line": 2, "byte_offset": 9}\n{"row": 4, "line": null}\n', rows=100, text_lines=200)
    b'{"row": 101, "line": 202, "byte_offset": 9}\n{"row": 104, "line": null}\n'
    """

    def moved(found: re.Match[bytes]) -> bytes:
        line = found[2] if found[2] == b"null" else b"%d" % (int(found[2]) + text_lines)
        return b'{"row": %d, "line": %s' % (int(found[1]) + rows, line)

    return _NUMBERS.sub(moved, lines)


def raw_bytes(row: Mapping[str, Any]) -> bytes:
    r"""Return a quarantined row's bytes in its file; for Parquet, its JSON in UTF-8.

    >>> raw_bytes({"byte_offset": 0, "code": "invalid_utf8", "raw": "ÿ"}), raw_bytes({"byte_offset": 0, "code": "infinite", "raw": "ÿ"})
    (b'\xff', b'\xc3\xbf')
    """
    is_latin1 = row["code"] == RowCode.INVALID_UTF8 and row["byte_offset"] is not None
    return str(row["raw"]).encode("latin-1" if is_latin1 else "utf-8")
