"""Cut text into whole records, and find where each begins.

A record of delimited text ends at a line end outside quotes. A quote opens a quoted field only at the field's start (after
a separator or a line end); anywhere else outside it is a character like others, so a lone `5" pipe` does no harm. Inside,
a doubled quote is a character and a single one closes.
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
        data: their bytes.
        offset: where `data` begins in the file's text, in bytes.
        line: 1-based physical line of its first byte.
        unclosed: the records' last field opened a quote that the file never closes; then `data` is that one record.
    """

    data: bytes
    offset: int
    line: int
    unclosed: bool = False


@dataclass(frozen=True, slots=True)
class Spans:
    """Where the records of a block lie: `data[starts[i]:ends[i]]`, beginning on physical line `lines[i]`. No blank lines."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    lines: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Syntax:
    """What separates fields (any of these bytes), and whether quotes mean anything."""

    separators: bytes = b""
    quoted: bool = True


LINES = Syntax(quoted=False)


def cut(chunks: Iterator[bytes], syntax: Syntax, *, offset: int = 0, line: int = 1) -> Iterator[TextBlock]:
    """Regroup chunks so that each holds whole records; `offset` and `line` say where the first one begins.

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
    """The whole records of two pieces of text, and what is left. Where there are no quotes, they are copied once."""
    end = chunk.rfind(b"\n") + 1
    if end and not (syntax.quoted and (b'"' in rest or b'"' in chunk)):
        return b"".join((rest, memoryview(chunk)[:end])), chunk[end:]
    data = rest + chunk
    end = last_record_end(data, syntax)
    return data[:end], data[end:]


def last_record_end(data: bytes, syntax: Syntax) -> int:
    """Where the last whole record ends, its line end included; 0 if there is none.

    A carriage return alone ends a record too, where there are no line feeds; as the last byte it may be half a line end.
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
    """Where a byte stands last that is not within quotes; -1 if all of them are."""
    places = np.flatnonzero(np.frombuffer(data, np.uint8) == mark[0])
    outside = places[np.searchsorted(toggles, places) % 2 == 0]
    return int(outside[-1]) if len(outside) else -1


def spans(block: TextBlock, syntax: Syntax) -> Spans:
    """Where each record of a block lies."""
    if block.unclosed:
        return Spans(*(np.array([value], np.int64) for value in (0, len(block.data), block.line)))
    data = np.frombuffer(block.data, np.uint8)
    lines = _line_end_places(data)
    closing = lines[np.searchsorted(_toggles(block.data, syntax), lines) % 2 == 0]
    two_bytes = (data[closing] == _LF) & (closing > 0) & (data[closing - 1] == _CR)
    starts = np.concatenate([np.zeros(1, np.int64), closing + 1])
    ends = np.concatenate([closing - two_bytes, np.array([len(data)], np.int64)])
    full = starts < ends
    return Spans(starts[full], ends[full], block.line + np.searchsorted(lines, starts[full]))


def misquoted(block: TextBlock, syntax: Syntax, found: Spans) -> list[int]:
    """Places of the records whose quotes leave it open where fields end, or even rows.

    They have text behind a closing quote, or lie on several lines and have a backslash before a quote: who wrote it may have
    meant that it closes nothing, and two rows would melt into one.
    """
    toggles = _toggles(block.data, syntax)
    if not len(toggles):
        return []
    data = np.frombuffer(block.data, np.uint8)
    closing = toggles[1::2]
    behind = closing[closing + 1 < len(data)]
    followed = behind[~_starters(syntax)[data[behind + 1]] & (data[behind + 1] != _QUOTE)]
    escaped = toggles[(data[toggles - 1] == _BACKSLASH) & (toggles > 0)]
    inner = (lines := _line_end_places(data))[np.searchsorted(toggles, lines) % 2 == 1] if len(escaped) else escaped
    several_lines = np.intersect1d(_records_at(found, escaped), _records_at(found, inner))
    places: list[int] = np.union1d(_records_at(found, followed), several_lines).tolist()
    return places


def _records_at(found: Spans, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which records hold some bytes."""
    return np.searchsorted(found.starts, places, "right") - 1


def line_ends(data: bytes) -> int:
    """How many physical lines end in `data`: at line feeds, carriage returns, or both in a row."""
    values = np.frombuffer(data, np.uint8)
    # A piece at a time, whose comparison stays in the cache.
    count = sum(int(np.count_nonzero(values[start : start + _PIECE] == _LF)) for start in range(0, len(values), _PIECE))
    if b"\r" in data:
        count += data.count(b"\r") - data.count(b"\r\n")
    return count


def refuse_long(record: bytes, offset: int) -> None:
    """Pass if a record, which need not be complete, is not too long. A refusal counts in bytes: a partition does not know its lines.

    Raises:
        BatchRejectedError: `line_too_long`.
    """
    if len(record) - record.endswith(b"\r") > MAX_RECORD_BYTES:  # which may be half a line end
        raise _too_long(offset)


def _too_long(offset: int) -> BatchRejectedError:
    message = f"the record at byte {offset} is longer than the limit of {MAX_RECORD_BYTES} bytes"
    return BatchRejectedError(FileCode.LINE_TOO_LONG, message)


def _refuse_long_one(whole: bytes, syntax: Syntax, offset: int) -> None:
    """Pass if none of some records, of which the last need not be complete, is too long."""
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
    """Whole records as one block, or as several if they have too many lines."""
    end = last_record_end(data[: len(data) // 2], syntax) if lines > MAX_BLOCK_LINES else 0
    if not end:
        yield TextBlock(data, offset, line)
        return
    before = line_ends(data[:end])
    yield from _blocks(data[:end], before, syntax, offset, line)
    yield from _blocks(data[end:], lines - before, syntax, offset + end, line + before)


def _line_end_places(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Where physical lines end: at each line feed and at each carriage return that none follows."""
    feeds = data == _LF
    returns = data == _CR
    if returns.any():
        returns[:-1] &= ~feeds[1:]
        feeds |= returns
    return np.flatnonzero(feeds)


def _toggles(data: bytes, syntax: Syntax) -> NDArray[np.int64]:
    """Where the quotes are that open or close a field, in turns; of a doubled quote both are."""
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
    """Of each byte whether a field begins behind it."""
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
