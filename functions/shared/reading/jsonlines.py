"""Read JSON Lines, one object per line, as blocks.

The columns are the keys of the objects within the first `JSONL_HEAD_BYTES`, in order of appearance. If an object lacks a key,
its value is missing. A row with a key that first appears later is rejected, since no column can hold it. Values may be texts,
under the same grammar as in delimited text, or JSON's own numbers and booleans.

Lines of the shape seen in the head are parsed together, by the compiled kernel or else by Arrow, and the others one by one, with
the same result. Blank lines are not rows.
An array of objects, and objects over several lines, are rewritten as lines first.
"""

import codecs
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
import pyarrow as pa
import pyarrow.json as arrow_json

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.rejections import FileCode, RowCode
from functions.shared.foundation.ahead import map_ahead
from functions.shared.foundation.arrow import fixed_width
from functions.shared.reading.columns import refuse_columns
from functions.shared.reading.conform import Issue, conform
from functions.shared.reading.encodings import is_utf8
from functions.shared.reading.formats import empty_file
from functions.shared.reading.json_documents import lined
from functions.shared.reading.json_records import MalformedRecordError, Record, column_of, parse_record
from functions.shared.reading.json_shape import LineShape, may_be_integers
from functions.shared.reading.limits import JSONL_HEAD_BYTES
from functions.shared.reading.plain_objects import Places, PlainObjects
from functions.shared.reading.records import LINES, Spans, TextBlock, cut, line_ends, refuse_long, spans
from functions.shared.reading.rejected import rejected_rows
from functions.shared.reading.rows import Block
from functions.shared.reading.rules import ColumnKind, Rules
from functions.shared.reading.values import to_texts


def jsonl_blocks(chunks: Iterator[bytes], rules: Rules) -> Iterator[Block]:
    """Read chunks of JSON Lines as blocks.

    Raises:
        BatchRejectedError: if the file as a whole cannot be read.
    """
    lines, was_document = lined(chunks)
    head = _head(lines)
    mark = _mark_bytes(head)
    parse = _Parser(_records_of(head[mark:]), rules).parse
    blocks = map_ahead(parse, cut(itertools.chain([head[mark:]], lines), LINES, offset=mark))
    return map(_without_lines, blocks) if was_document else blocks


def _without_lines(block: Block) -> Block:
    """Remove line numbers from a rewritten document: only byte offsets are known."""
    return Block(block.rows, tuple(replace(row, line=None) for row in block.rejected))


def jsonl_parser(chunks: Iterator[bytes], rules: Rules) -> tuple[Callable[[TextBlock], Block], int]:
    """Return a parser for the lines of a file, and the offset of its first line.

    Raises:
        BatchRejectedError: if the file as a whole cannot be read.
    """
    head = _head(chunks)
    mark = _mark_bytes(head)
    return _Parser(_records_of(head[mark:]), rules).parse, mark


def _mark_bytes(head: bytes) -> int:
    return len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0


def _head(chunks: Iterator[bytes]) -> bytes:
    head = b""
    for chunk in chunks:
        head += chunk
        if not line_ends(head):
            refuse_long(head[_mark_bytes(head) :], 0)
        elif len(head) - _mark_bytes(head) >= JSONL_HEAD_BYTES:
            break
    return head


def _records_of(head: bytes) -> list[Record]:
    """Return the objects at the head, whose keys are the file's columns."""
    records = []
    for line in head[: max(JSONL_HEAD_BYTES, head.find(b"\n"))].splitlines():
        try:
            records.append(parse_record(line))
        except MalformedRecordError:
            continue
    if not head.strip():
        raise empty_file("the file holds no JSON object")
    if not any(records):
        message = f"no line within the first {JSONL_HEAD_BYTES} bytes is a JSON object with a field"
        raise BatchRejectedError(FileCode.UNKNOWN_FORMAT, message, "write one JSON object per line")
    return records


@dataclass(frozen=True, slots=True)
class _Part:
    """Some lines of a block: typed rows with their places, and other lines' issues."""

    rows: pa.RecordBatch
    places: Places
    issues: list[Issue]


class _Parser:
    """Parses the blocks of one file; safe to call from several threads."""

    def __init__(self, head: Sequence[Record], rules: Rules) -> None:
        self._names = list(dict.fromkeys(name for record in head for name in record))
        self._rules = rules
        refuse_columns(self._names, rules.columns)
        self._shape = LineShape(self._names, head, rules)
        self._plain = PlainObjects(self._shape.schema, rules)

    def parse(self, text: TextBlock) -> Block:
        """Type the lines of a block; describe those that cannot be."""
        found = spans(text, LINES)
        part = self._plainly(text.data, found) or self._whole(text.data, found) or self._sieved(text.data, found)
        return Block(part.rows, rejected_rows(part.issues, text, LINES, records=len(found.starts)))

    def _plainly(self, data: bytes, found: Spans) -> _Part | None:
        """Parse with the kernel what it knows, and the other lines one by one."""
        if (read := self._plain.read(data, found)) is None:
            return None
        raw, aside = read
        part = self._conformed(raw, np.delete(np.arange(len(found.starts)), aside))
        return _interleaved(part, self._one_by_one(data, found, aside)) if len(aside) else part

    def _whole(self, data: bytes, found: Spans) -> _Part | None:
        """Parse all lines together; None if some have another shape."""
        raw = self._at_once(data, len(found.starts)) if _holds_an_object_a_line(data, found) else None
        return None if raw is None else self._conformed(raw, np.arange(len(found.starts)))

    def _sieved(self, data: bytes, found: Spans) -> _Part:
        """Parse the lines of the file's shape together, and the others one by one."""
        shaped = self._shape.matches(data, found)
        lines = [data[start:end] for start, end in zip(found.starts.tolist(), found.ends.tolist(), strict=True)]
        raw = self._at_once(b"\n".join(compress(lines, shaped)) + b"\n", int(shaped.sum())) if shaped.any() else None
        if raw is None:
            return self._one_by_one(data, found, np.arange(len(lines)))
        return _interleaved(self._conformed(raw, np.flatnonzero(shaped)), self._one_by_one(data, found, np.flatnonzero(~shaped)))

    def _at_once(self, data: bytes, lines: int) -> pa.RecordBatch | None:
        """Parse lines with the types seen in the head; None if one does not fit."""
        if self._shape.schema is None or not is_utf8(data):  # Arrow does not check it
            return None
        reading = arrow_json.ReadOptions(use_threads=False, block_size=len(data) + 1)
        parsing = arrow_json.ParseOptions(explicit_schema=self._shape.schema, unexpected_field_behavior="error")
        try:
            table = arrow_json.read_json(pa.BufferReader(data), read_options=reading, parse_options=parsing)
        except pa.ArrowInvalid:
            return None
        if table.num_rows != lines:
            return None
        columns = table.select(self._names).combine_chunks().to_batches()[0].columns
        for position, name in enumerate(self._names):
            if self._rules.of(name).kind is ColumnKind.NUMBER:
                continue
            if columns[position].type == pa.float64() and may_be_integers(columns[position]):
                return None
            columns[position] = to_texts(columns[position])
        return pa.RecordBatch.from_arrays(columns, names=self._names)

    def _one_by_one(self, data: bytes, found: Spans, places: Places) -> _Part:
        """Parse lines with Python's json module; give each bad line its own issue."""
        known = frozenset(self._names)
        records: list[Record] = []
        read: list[int] = []
        issues: list[Issue] = []
        for place in places.tolist():
            try:
                record = parse_record(data[found.starts[place] : found.ends[place]])
                _refuse_unexpected(record, known)
            except MalformedRecordError as malformed:
                issues.append(Issue(place, malformed.code, str(malformed)))
            else:
                records.append(record)
                read.append(place)
        decimal = self._rules.formats.decimal
        columns = [column_of([record.get(name) for record in records], self._rules.of(name).kind, decimal) for name in self._names]
        part = self._conformed(pa.RecordBatch.from_arrays(columns, names=self._names), np.array(read, np.int64))
        return _Part(part.rows, part.places, issues + part.issues)

    def _conformed(self, raw: pa.RecordBatch, places: Places) -> _Part:
        conformed = conform(raw, self._rules)
        issues = [Issue(int(places[issue.place]), issue.code, issue.message) for issue in conformed.issues]
        return _Part(conformed.rows, np.delete(places, [issue.place for issue in conformed.issues]), issues)


def _interleaved(one: _Part, other: _Part) -> _Part:
    """Merge both parts in the order of their places."""
    issues = one.issues + other.issues
    if not other.rows.num_rows:
        return _Part(one.rows, one.places, issues)
    places = np.concatenate([one.places, other.places])
    order = np.argsort(places)
    rows = pa.Table.from_batches([one.rows, other.rows]).unify_dictionaries().combine_chunks().take(fixed_width(order, pa.int64()))
    return _Part(rows.to_batches()[0], places[order], issues)


def _holds_an_object_a_line(data: bytes, found: Spans) -> bool:
    """Return whether each line looks like one object; Arrow ignores line ends."""
    if not len(found.starts):
        return False
    values = np.frombuffer(data, np.uint8)
    braced = (values[found.starts] == b"{"[0]) & (values[found.ends - 1] == b"}"[0])
    return bool(braced.all())


def _refuse_unexpected(record: Record, known: frozenset[str]) -> None:
    if not record.keys() <= known:
        name = next(name for name in record if name not in known)
        message = f"the field {name!r} occurs nowhere in the first {JSONL_HEAD_BYTES} bytes, which fix the columns"
        raise MalformedRecordError(RowCode.UNEXPECTED_FIELD, message)
