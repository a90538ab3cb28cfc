r"""Rewrite arrays of objects, and objects over several lines, as JSON Lines.

No byte is added or removed, so places in the lines are places in the file. Line ends within an element become blanks, and
everything between elements becomes line ends.
"""

import codecs
import itertools
import json
import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.rejections import FileCode
from functions.shared.reading.encodings import HEAD_BYTES

_QUOTE, _BACKSLASH, _BLANK, _LINE_END = b'"\\ \n'
_OPENING, _CLOSING, _LINE_ENDS, _BETWEEN = (list(marks) for marks in (b"{[", b"}]", b"\r\n", b" \t\r\n,[]"))
_ARRAY = re.compile(rb"\s*\[")


def is_document(head: bytes) -> bool:
    r"""Return whether JSON begins with an array or an object over several lines.

    >>> is_document(b'[{"id": 1}]'), is_document(b'{"id":\n1}'), is_document(b'{"id": 1}\n{"id": 2}')
    (True, True, False)
    """
    text = head.removeprefix(codecs.BOM_UTF8)
    if _ARRAY.match(text):
        return True
    plain = text.decode(errors="ignore").lstrip()
    try:
        _, end = json.JSONDecoder().raw_decode(plain)
    except (ValueError, RecursionError):
        return False
    return "\n" in plain[:end] or "\r" in plain[:end]


def lined(chunks: Iterator[bytes]) -> tuple[Iterator[bytes], bool]:
    """Return a text as JSON Lines, and whether it had to be rewritten."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= HEAD_BYTES:
            break
    text = itertools.chain([head], chunks)
    if not is_document(head[:HEAD_BYTES]):
        return text, False
    return _lines(text, outermost=1 if _ARRAY.match(head.removeprefix(codecs.BOM_UTF8)) else 0), True


def _lines(chunks: Iterator[bytes], outermost: int) -> Iterator[bytes]:
    """Yield the elements of a document as lines.

    Args:
        chunks: its text.
        outermost: the number of open brackets around an element.

    Raises:
        BatchRejectedError: `truncated_json`, if the text ends within an array or an object.
    """
    in_text, depth, rest = False, 0, b""
    for chunk in chunks:
        text = (rest + chunk).rstrip(b"\\")
        rest = (rest + chunk)[len(text) :]
        data = np.frombuffer(text, np.uint8).copy()
        quotes = _quotes(data)
        texts = (np.cumsum(quotes) + in_text) % 2 == 1
        structure = ~texts & ~quotes
        closing = structure & np.isin(data, _CLOSING)
        depths = depth + np.cumsum((structure & np.isin(data, _OPENING)).astype(np.int64) - closing)
        in_element = (depths > outermost) | (closing & (depths == outermost))
        data[structure & in_element & np.isin(data, _LINE_ENDS)] = _BLANK
        data[structure & ~in_element & np.isin(data, _BETWEEN)] = _LINE_END
        if len(data):
            in_text, depth = bool(texts[-1]), int(depths[-1])
        yield data.tobytes()
    yield rest
    if depth or in_text:
        message = "the JSON text ends within an array or an object, as one does that was cut off"
        raise BatchRejectedError(FileCode.TRUNCATED_JSON, message)


def _quotes(data: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mark quotes that open or close a string: after an even number of backslashes."""
    quotes: NDArray[np.bool_] = data == _QUOTE
    places = np.flatnonzero(quotes[1:] & (data[:-1] == _BACKSLASH)) + 1
    if len(places):
        others = np.flatnonzero(data != _BACKSLASH)
        before = np.searchsorted(others, places) - 1
        last = np.where(before >= 0, others[before], -1)
        quotes[places[(places - last - 1) % 2 == 1]] = False
    return quotes
