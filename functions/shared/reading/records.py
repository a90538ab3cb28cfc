"""Cut text into whole records, and find where each begins.

A record of delimited text ends at a line end outside quotes. A quote opens a quoted field only at the field's start, after a
separator or a line end. Elsewhere outside a quoted field it is an ordinary character, so a lone `5" pipe` does no harm. Within
a quoted field, a doubled quote is a character and a single quote closes the field.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.rejections import FileCode
from functions.shared.reading.limits import MAX_BLOCK_LINES, MAX_RECORD_BYTES

_PIECE = 2**16
_LF, _CR, _QUOTE, _BACKSLASH = b'\n\r"\\'


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Whole records of a file.

    Attributes:
        data: the bytes of the records.
        offset: where `data` begins in the file's text, in bytes.
        line: 1-based physical line of its first byte.
        unclosed: whether the file never closes a quote of the last field; `data` is then that one record.
    """

    data: bytes
    offset: int
    line: int
    unclosed: bool = False


@dataclass(frozen=True, slots=True)
class Spans:
    """The records of a block, without blank lines.

    Record i is `data[starts[i]:ends[i]]` and begins on physical line `lines[i]`.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    lines: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Syntax:
    """The bytes that separate fields, and whether quotes have a meaning."""

    separators: bytes = b""
    quoted: bool = True


LINES = Syntax(quoted=False)


def cut(chunks: Iterator[bytes], syntax: Syntax, *, offset: int = 0, line: int = 1) -> Iterator[TextBlock]:
    """Regroup chunks into blocks of whole records.

    `offset` and `line` are the place of the first one.

    Raises:
        BatchRejectedError: `line_too_long`.
    """
    rest = b""
    for chunk in chunks:
        whole, rest = _divided(rest, chunk, syntax)
        if whole:
            _refuse_long_one(whole, syntax, offset)
            lines = line_ends(whole)
            yield from _blocks(whole, lines, syntax, offset, line)
            line += lines
            offset += len(whole)
        _refuse_long_one(rest, syntax, offset)
    if rest:
        yield from _last_block(rest, syntax, offset, line)


def _divided(rest: bytes, chunk: bytes, syntax: Syntax) -> tuple[bytes, bytes]:
    """Return the whole records of two adjacent pieces of text, and the rest.

    Text without quotes is copied only once.
    """
    end = chunk.rfind(b"\n") + 1
    if end and not (syntax.quoted and (b'"' in rest or b'"' in chunk)):
        return b"".join((rest, memoryview(chunk)[:end])), chunk[end:]
    data = rest + chunk
    end = last_record_end(data, syntax)
    return data[:end], data[end:]


def last_record_end(data: bytes, syntax: Syntax) -> int:
    """Return the end of the last whole record with its line end; 0 if there is none.

    In text without line feeds a carriage return ends a record. As the last byte it may be the first half of a line end.
    """
    toggles = _toggles(data, syntax)
    for mark, stop in ((b"\n", len(data)), (b"\r", len(data) - 1)):
        end = data.rfind(mark, 0, max(stop, 0))
        if end >= 0 and np.searchsorted(toggles, end) % 2:
            end = _last_outside_quotes(data[:stop], mark, toggles)
        if end >= 0:
            return end + 1
    return 0


def _last_outside_quotes(data: bytes, mark: bytes, toggles: NDArray[np.int64]) -> int:
    """Return the last place of a byte outside quotes; -1 if there is none."""
    places = np.flatnonzero(np.frombuffer(data, np.uint8) == mark[0])
    outside = places[np.searchsorted(toggles, places) % 2 == 0]
    return int(outside[-1]) if len(outside) else -1


def spans(block: TextBlock, syntax: Syntax) -> Spans:
    """Return where each record of a block lies."""
    if block.unclosed:
        return Spans(*(np.array([value], np.int64) for value in (0, len(block.data), block.line)))
    data = np.frombuffer(block.data, np.uint8)
    lines = _line_end_places(block.data)
    closing = lines[np.searchsorted(_toggles(block.data, syntax), lines) % 2 == 0]
    two_bytes = (data[closing] == _LF) & (closing > 0) & (data[closing - 1] == _CR)
    starts = np.concatenate([np.zeros(1, np.int64), closing + 1])
    ends = np.concatenate([closing - two_bytes, np.array([len(data)], np.int64)])
    full = starts < ends
    return Spans(starts[full], ends[full], block.line + np.searchsorted(lines, starts[full]))


def misquoted(block: TextBlock, syntax: Syntax, found: Spans) -> list[int]:
    """Return the places of records whose quotes make fields or even rows ambiguous.

    Such a record has text after a closing quote, or spans several lines and has a backslash before a quote. The writer may have
    meant to escape that quote; then two rows would be read as one.
    """
    toggles = _toggles(block.data, syntax)
    if not len(toggles):
        return []
    data = np.frombuffer(block.data, np.uint8)
    closing = toggles[1::2]
    behind = closing[closing + 1 < len(data)]
    followed = behind[~_starters(syntax)[data[behind + 1]] & (data[behind + 1] != _QUOTE)]
    escaped = toggles[(data[toggles - 1] == _BACKSLASH) & (toggles > 0)]
    inner = (lines := _line_end_places(block.data))[np.searchsorted(toggles, lines) % 2 == 1] if len(escaped) else escaped
    several_lines = np.intersect1d(_records_at(found, escaped), _records_at(found, inner))
    places: list[int] = np.union1d(_records_at(found, followed), several_lines).tolist()
    return places


def _records_at(found: Spans, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the records that contain the bytes at these places."""
    return np.searchsorted(found.starts, places, "right") - 1


def line_ends(data: bytes) -> int:
    """Count line ends in `data`: line feeds, carriage returns, or both together."""
    values = np.frombuffer(data, np.uint8)
    # One piece at a time, so that the comparison's result stays in the cache.
    count = sum(int(np.count_nonzero(values[start : start + _PIECE] == _LF)) for start in range(0, len(values), _PIECE))
    if b"\r" in data:
        count += data.count(b"\r") - data.count(b"\r\n")
    return count


def refuse_long(record: bytes, offset: int) -> None:
    """Refuse a record that is too long, even if it is not complete yet.

    The message gives a byte offset, since a partition does not know its line numbers.

    Raises:
        BatchRejectedError: `line_too_long`.
    """
    if len(record) - record.endswith(b"\r") > MAX_RECORD_BYTES:  # it may be half a line end
        raise _too_long(offset)


def _too_long(offset: int) -> BatchRejectedError:
    message = f"the record at byte {offset} is longer than the limit of {MAX_RECORD_BYTES} bytes"
    return BatchRejectedError(FileCode.LINE_TOO_LONG, message)


def _refuse_long_one(whole: bytes, syntax: Syntax, offset: int) -> None:
    """Refuse records if one of them is too long; the last may be incomplete."""
    if len(whole) > MAX_RECORD_BYTES:
        found = spans(TextBlock(whole, offset, line=1), syntax)
        too_long = found.starts[found.ends - found.starts > MAX_RECORD_BYTES]
        if len(too_long):
            raise _too_long(offset + int(too_long[0]))


def _last_block(rest: bytes, syntax: Syntax, offset: int, line: int) -> Iterator[TextBlock]:
    if len(_toggles(rest, syntax)) % 2 == 0:
        yield from _blocks(rest, line_ends(rest), syntax, offset, line)
        return
    end = last_record_end(rest, syntax)
    lines = line_ends(rest[:end])
    if end:
        yield from _blocks(rest[:end], lines, syntax, offset, line)
    yield TextBlock(rest[end:], offset + end, line + lines, unclosed=True)


def _blocks(data: bytes, lines: int, syntax: Syntax, offset: int, line: int) -> Iterator[TextBlock]:
    """Yield whole records as one block, or as several if they have too many lines."""
    end = last_record_end(data[: len(data) // 2], syntax) if lines > MAX_BLOCK_LINES else 0
    if not end:
        yield TextBlock(data, offset, line)
        return
    before = line_ends(data[:end])
    yield from _blocks(data[:end], before, syntax, offset, line)
    yield from _blocks(data[end:], lines - before, syntax, offset + end, line + before)


def _line_end_places(data: bytes) -> NDArray[np.int64]:
    """Return where physical lines end: line feeds, and carriage returns without one."""
    values = np.frombuffer(data, np.uint8)
    feeds = values == _LF
    if b"\r" in data:
        returns = values == _CR
        returns[:-1] &= ~feeds[1:]
        feeds |= returns
    return np.flatnonzero(feeds)


def _toggles(data: bytes, syntax: Syntax) -> NDArray[np.int64]:
    """Return the places of quotes that open or close a field, alternating.

    Both characters of a doubled quote count.
    """
    if not syntax.quoted or b'"' not in data:
        return np.zeros(0, np.int64)
    values = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(values == _QUOTE)
    starters = _starters(syntax)
    opening = quotes[::2]
    may_open = starters[values[opening - 1]] | (opening == 0)
    may_open[1:] |= opening[1:] - quotes[1::2][: len(opening) - 1] == 1
    if may_open.all():
        return quotes
    return _toggles_one_by_one(values, quotes, starters)


def _starters(syntax: Syntax) -> NDArray[np.bool_]:
    """Return for each byte value whether a field begins after it."""
    starters = np.zeros(256, np.bool_)
    starters[list(syntax.separators + b"\r\n")] = True
    return starters


def _toggles_one_by_one(values: NDArray[np.uint8], quotes: NDArray[np.int64], starters: NDArray[np.bool_]) -> NDArray[np.int64]:
    at_start = (starters[values[quotes - 1]] | (quotes == 0)).tolist()
    toggles: list[int] = []
    inside = False
    for place, starts_field in zip(quotes.tolist(), at_start, strict=True):
        if inside or starts_field or (toggles and toggles[-1] == place - 1):
            toggles.append(place)
            inside = not inside
    return np.array(toggles, np.int64)
