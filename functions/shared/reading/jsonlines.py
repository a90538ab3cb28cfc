"""JSON Lines to blocks: one object a line.

The columns are the keys of the objects within the first `JSONL_HEAD_BYTES`, in order of appearance. A key that an object
lacks is missing; one that comes up later only is a reason to reject its row, for there is no column to carry it. Values may
be texts, under the same grammar as in delimited text, or JSON's own numbers and booleans.

A block whose values are of the types seen in the head is parsed at once; any other is parsed line by line, with the same
result. Blank lines are no rows.
"""

import codecs
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.json as arrow_json

from functions.shared.ahead import map_ahead
from functions.shared.domain.errors import BatchRejectedError
from functions.shared.reading.columns import refuse_columns
from functions.shared.reading.conform import Issue, conform
from functions.shared.reading.json_records import MalformedRecordError, Record, column_of, parse_record
from functions.shared.reading.limits import JSONL_HEAD_BYTES
from functions.shared.reading.quarantine import rejected_rows
from functions.shared.reading.records import LINES, Spans, TextBlock, cut, line_ends, refuse_long, spans
from functions.shared.reading.rows import Block
from functions.shared.reading.rules import ColumnKind, Rules
from functions.shared.reading.text import is_utf8
from functions.shared.reading.values import to_texts


def jsonl_blocks(chunks: Iterator[bytes], rules: Rules) -> Iterator[Block]:
    """Read the chunks of a file of JSON Lines.

    Raises:
        BatchRejectedError: if the file as a whole cannot be read.
    """
    head = _head(chunks)
    mark = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    parser = _Parser(_records_of(head[mark:]), rules)
    return map_ahead(parser.parse, cut(itertools.chain([head[mark:]], chunks), LINES, offset=mark))


def _head(chunks: Iterator[bytes]) -> bytes:
    head = b""
    for chunk in chunks:
        head += chunk
        if not line_ends(head):
            refuse_long(head, 0, 1)
        elif len(head) >= JSONL_HEAD_BYTES:
            break
    return head


def _records_of(head: bytes) -> list[Record]:
    """The objects that say which columns the file has."""
    records = []
    for line in head[: max(JSONL_HEAD_BYTES, head.find(b"\n"))].splitlines():
        try:
            records.append(parse_record(line))
        except MalformedRecordError:
            continue
    if head.strip() and not any(records):
        message = f"no line within the first {JSONL_HEAD_BYTES} bytes is a JSON object with a field"
        raise BatchRejectedError("unknown_format", message, "write one JSON object a line")
    return records


class _Parser:
    """Parses the blocks of one file, in several threads."""

    def __init__(self, head: Sequence[Record], rules: Rules) -> None:
        self._names = list(dict.fromkeys(name for record in head for name in record))
        self._rules = rules
        refuse_columns(self._names, rules.columns)
        self._schema = self._seen_schema(head)

    def parse(self, text: TextBlock) -> Block:
        """Type the lines of a block; describe those that cannot be."""
        found = spans(text, LINES)
        raw, places, issues = self._at_once(text, found) or self._line_by_line(text, found)
        conformed = conform(raw, self._rules)
        issues += [Issue(int(places[issue.place]), issue.code, issue.message) for issue in conformed.issues]
        records = len(found.starts)
        return Block(conformed.rows, rejected_rows(issues, text, LINES, records=records))

    def _seen_schema(self, head: Sequence[Record]) -> pa.Schema | None:
        types = [self._seen_type(name, {type(record.get(name)) for record in head}) for name in self._names]
        return None if None in types else pa.schema(list(zip(self._names, types, strict=True)))

    def _seen_type(self, name: str, seen: set[type]) -> pa.DataType | None:
        """The type that holds all values of a key exactly, if there is one."""
        seen = seen - {type(None)}
        is_number = self._rules.of(name).kind is ColumnKind.NUMBER
        if is_number and seen <= {int, float}:
            return pa.float64()
        if seen == {int}:
            return pa.int64()
        if seen == {bool}:
            return pa.bool_()
        return pa.string() if seen <= {str} else None

    def _at_once(self, text: TextBlock, found: Spans) -> tuple[pa.RecordBatch, Sequence[int], list[Issue]] | None:
        """All lines as rows of the types seen in the head, or None if one does not fit."""
        if self._schema is None or not _holds_an_object_a_line(text.data, found):
            return None
        reading = arrow_json.ReadOptions(use_threads=False, block_size=len(text.data) + 1)
        parsing = arrow_json.ParseOptions(explicit_schema=self._schema, unexpected_field_behavior="error")
        try:
            table = arrow_json.read_json(pa.BufferReader(text.data), read_options=reading, parse_options=parsing)
        except pa.ArrowInvalid:
            return None
        if table.num_rows != len(found.starts):
            return None
        batch = table.select(self._names).combine_chunks().to_batches()[0]
        columns = [self._as_text(name, column) for name, column in zip(self._names, batch.columns, strict=True)]
        return pa.RecordBatch.from_arrays(columns, names=self._names), range(table.num_rows), []

    def _as_text(self, name: str, column: pa.Array) -> pa.Array:
        return column if self._rules.of(name).kind is ColumnKind.NUMBER else to_texts(column)

    def _line_by_line(self, text: TextBlock, found: Spans) -> tuple[pa.RecordBatch, Sequence[int], list[Issue]]:
        """The columns of the lines that are objects, their places, and the issues of the others."""
        known = frozenset(self._names)
        records: list[Record] = []
        places: list[int] = []
        issues: list[Issue] = []
        for place, (start, end) in enumerate(zip(found.starts.tolist(), found.ends.tolist(), strict=True)):
            try:
                record = parse_record(text.data[start:end])
                _refuse_unexpected(record, known)
            except MalformedRecordError as malformed:
                issues.append(Issue(place, malformed.code, str(malformed)))
            else:
                records.append(record)
                places.append(place)
        columns = [column_of([record.get(name) for record in records], self._rules.of(name).kind) for name in self._names]
        return pa.RecordBatch.from_arrays(columns, names=self._names), places, issues


def _holds_an_object_a_line(data: bytes, found: Spans) -> bool:
    """Whether every line looks like an object, and all of it is UTF-8, which Arrow does not check."""
    if not len(found.starts):
        return False
    values = np.frombuffer(data, np.uint8)
    braced = (values[found.starts] == b"{"[0]) & (values[found.ends - 1] == b"}"[0])
    return bool(braced.all()) and is_utf8(data)


def _refuse_unexpected(record: Record, known: frozenset[str]) -> None:
    if not record.keys() <= known:
        name = next(name for name in record if name not in known)
        message = f"the field {name!r} occurs nowhere in the first {JSONL_HEAD_BYTES} bytes, which fix the columns"
        raise MalformedRecordError("unexpected_field", message)
