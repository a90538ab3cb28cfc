"""Describe the rejected records of a block of text: their places and their texts."""

from collections.abc import Sequence

import numpy as np

from functions.shared.domain.errors import ConservationError
from functions.shared.domain.rejections import RowCode
from functions.shared.reading.conform import Issue
from functions.shared.reading.encodings import is_utf8
from functions.shared.reading.records import Spans, Syntax, TextBlock, spans
from functions.shared.reading.rows import RejectedRow

_ASCII = 0x80


def undecodable(block: TextBlock, found: Spans) -> list[int]:
    """Return the places of records that are not UTF-8; pure ASCII needs no check."""
    beyond = np.flatnonzero(np.frombuffer(block.data, np.uint8) >= _ASCII)
    suspects = np.unique(np.searchsorted(found.starts, beyond, "right") - 1)
    return [place for place in suspects.tolist() if not is_utf8(block.data[found.starts[place] : found.ends[place]])]


def rejected_rows(issues: Sequence[Issue], block: TextBlock, syntax: Syntax, *, records: int) -> tuple[RejectedRow, ...]:
    """Return the issues of a block as rejected rows, in order, numbered in the block.

    Args:
        records: the number of records that the parser found in the block.

    Raises:
        ConservationError: if the parser and the cutter found different records: an issue would be put on the wrong row.
    """
    if not issues:
        return ()
    found = spans(block, syntax)
    if len(found.starts) != records:
        message = f"{len(found.starts)} records from byte {block.offset} on, of which {records} were parsed"
        raise ConservationError(message)
    return tuple(_rejected(issue, block, found) for issue in sorted(issues, key=lambda issue: issue.place))


def _rejected(issue: Issue, block: TextBlock, found: Spans) -> RejectedRow:
    start, end = int(found.starts[issue.place]), int(found.ends[issue.place])
    raw = block.data[start:end]
    return RejectedRow(
        row=issue.place + 1,
        line=int(found.lines[issue.place]),
        byte_offset=block.offset + start,
        code=issue.code,
        message=issue.message,
        raw=raw.decode("latin-1" if issue.code is RowCode.INVALID_UTF8 else "utf-8"),
    )
