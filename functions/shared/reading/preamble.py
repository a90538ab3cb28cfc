r"""Find the lines above a header: Excel's `sep=;`, and comments with `#`.

A header may begin with `#` too; it then has as many fields as the line below it.
"""

import csv
import re
from typing import NamedTuple

SEPARATORS = (",", ";", "\t", "|")
_SEPARATOR_LINE = re.compile(rb'"?sep=([,;\t|])"?[,;\t|]*(?:\r\n|\r|\n)', re.IGNORECASE)
_COMMENT = re.compile(rb"[\r\n]*(#[^\r\n]*)[\r\n]+")


class Preamble(NamedTuple):
    """The header's place, its separator if declared, its end if it begins with `#`."""

    end: int
    separator: str | None
    header_end: int | None = None


def preamble(text: bytes, start: int) -> Preamble:
    r"""Find the preamble of a text that begins at `start`, after its byte order mark.

    >>> preamble(b"sep=;\r\n# June\nid;fee\n", 0), preamble(b"#id,fee\n7,1\n", 0)
    (Preamble(end=14, separator=';', header_end=None), Preamble(end=0, separator=None, header_end=7))
    """
    said = _SEPARATOR_LINE.match(text, start)
    separator = said[1].decode() if said else None
    end = said.end() if said else start
    last = None
    while comment := _COMMENT.match(text, end):
        last, end = comment, comment.end()
    if last is not None and _is_header(last[1], re.split(rb"[\r\n]", text[end:], maxsplit=1)[0], separator):
        return Preamble(last.start(1), separator, last.end(1))
    return Preamble(end, separator)


def fields_of(text: str, separator: str) -> list[str]:
    """Split the header by a separator; leave it whole if a field would be too long."""
    try:
        return next(csv.reader([text], delimiter=separator))
    except csv.Error:
        return [text]


def _is_header(line: bytes, below: bytes, separator: str | None) -> bool:
    """Return whether a line with `#` has as many fields as the line below."""
    texts = [part.decode("latin-1") for part in (line, below)]
    counts = [[len(fields_of(text, one)) if text else 0 for text in texts] for one in ([separator] if separator else SEPARATORS)]
    most = max(counts, key=lambda found: found[1])
    return most[1] > 1 and most[0] == most[1]
