r"""What stands above the header of delimited text: a line `sep=;`, as Excel writes it, and comments, which begin with `#`.

A header may begin with `#` as well: then it has as many fields as the line below it.
"""

import csv
import re
from typing import NamedTuple

SEPARATORS = (",", ";", "\t", "|")
_SEPARATOR_LINE = re.compile(rb'"?sep=([,;\t|])"?[,;\t|]*(?:\r\n|\r|\n)', re.IGNORECASE)
_COMMENT = re.compile(rb"[\r\n]*(#[^\r\n]*)[\r\n]+")


class Preamble(NamedTuple):
    """Where the header begins, by what its fields are separated if that was said, and where it ends if it begins with `#`."""

    end: int
    separator: str | None
    header_end: int | None = None


def preamble(text: bytes, start: int) -> Preamble:
    r"""The preamble of a text that begins behind its mark.

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
    """The header's fields if this is the separator; the whole of it if it cannot be, for a field would be enormous."""
    try:
        return next(csv.reader([text], delimiter=separator))
    except csv.Error:
        return [text]


def _is_header(line: bytes, below: bytes, separator: str | None) -> bool:
    """Whether a line that begins with `#` has the fields of the line below it."""
    texts = [part.decode("latin-1") for part in (line, below)]
    counts = [[len(fields_of(text, one)) if text else 0 for text in texts] for one in ([separator] if separator else SEPARATORS)]
    most = max(counts, key=lambda found: found[1])
    return most[1] > 1 and most[0] == most[1]
