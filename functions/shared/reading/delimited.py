"""Read delimited text (CSV) as blocks.

The grammar is RFC 4180 with a header line,  quoted line ends, and comma, semicolon, tab or | as separator.

The compiled kernel splits a block into fields and types them column by column, if the kernel exists and the text is plain.
Otherwise Arrow does. It first reads with types; if a value does not fit, it reads texts, to find the bad ones. Rows with more
or fewer fields than the header are set aside. Blank lines, and lines of separators only, are not rows.
"""

import codecs
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.rejections import FileCode, RowCode
from functions.shared.foundation.ahead import map_ahead
from functions.shared.foundation.arrow import empty_texts, with_nulls
from functions.shared.foundation.counted import counted
from functions.shared.reading.arrow_fields import ArrowFields, no_rows
from functions.shared.reading.columns import listed, refuse_columns, refuse_too_many
from functions.shared.reading.conform import Conformed, Issue, conform
from functions.shared.reading.encodings import is_utf8
from functions.shared.reading.formats import empty_file
from functions.shared.reading.limits import block_factor
from functions.shared.reading.numbers import is_number
from functions.shared.reading.plain_fields import PlainFields
from functions.shared.reading.preamble import SEPARATORS, fields_of, preamble
from functions.shared.reading.records import Spans, Syntax, TextBlock, cut, line_ends, misquoted, refuse_long, spans
from functions.shared.reading.rejected import rejected_rows, undecodable
from functions.shared.reading.rows import Block, RawRows, RejectedRow
from functions.shared.reading.rules import ColumnKind, Rules

_ANY_SEPARATOR = Syntax("".join(SEPARATORS).encode())
_FIRST_LOOK_BYTES = 2**16
_MISPLACED = 'a quote stands where it neither opens nor closes a field: write a quote in a field as two, as in "say ""hi"""'
_ESCAPED = (
    'the row writes a quote as \\", which in CSV closes the field: write it as two, as in "say ""hi""" '
    "(pandas: doublequote=True and no escapechar)"
)
_NOT_UTF8 = "the row is not UTF-8 text: save the file as that, or name its encoding by --encoding"


@dataclass(frozen=True, slots=True)
class Header:
    """Column names and separator of the first record, and the text after it."""

    names: tuple[str, ...]
    separator: str
    body: Iterator[bytes]
    offset: int
    line: int

    @property
    def syntax(self) -> Syntax:
        """Return the syntax by which the records below the header are cut."""
        return Syntax(self.separator.encode())


def delimited_blocks(chunks: Iterator[bytes], rules: Rules) -> Iterator[Block]:
    """Read chunks of delimited text as blocks.

    Raises:
        BatchRejectedError: if the file as a whole cannot be read.
    """
    header = read_header(chunks, rules)
    parse = delimited_parser(header, rules)
    body = map(b"".join, itertools.batched(header.body, block_factor(len(header.names)), strict=False))
    return map_ahead(parse, cut(body, header.syntax, offset=header.offset, line=header.line))


def delimited_parser(header: Header, rules: Rules) -> Callable[[TextBlock], Block]:
    """Return a parser for blocks of records below a header.

    Raises:
        BatchRejectedError: if the header's columns do not satisfy the rules.
    """
    refuse_columns(header.names, rules.columns)
    return _Parser(header, rules).parse


def read_header(chunks: Iterator[bytes], rules: Rules) -> Header:
    """Read the header; a column without a name is called `column_<position>`.

    The separator is the one that the file declares. Otherwise it is the one that yields most known columns, then most columns.

    Raises:
        BatchRejectedError: `empty_file`, `no_header`, `invalid_encoding`, `too_many_columns` or `line_too_long`.
    """
    found = first_record(chunks)
    try:
        text = found.head[found.start : found.end].decode()
    except UnicodeDecodeError as error:
        message = f"the header is not UTF-8: byte {error.object[error.start]:#04x} at byte {found.start + error.start}"
        raise BatchRejectedError(
            FileCode.INVALID_ENCODING, message, "save the file as UTF-8, or name its encoding by --encoding"
        ) from error
    separators = [found.separator] if found.separator else SEPARATORS
    candidates = [(tuple(fields_of(text, separator)), separator) for separator in separators]
    fields, separator = max(candidates, key=lambda candidate: (_known(candidate[0], rules), len(candidate[0])))
    names = tuple(_name(field, rules) or f"column_{position}" for position, field in enumerate(fields, start=1))
    refuse_too_many(names)
    _refuse_data_as_header(names, rules)
    body = itertools.chain([found.head[found.end :]], chunks)
    return Header(names, separator, body, found.end, 1 + line_ends(found.head[: found.end]))


def _known(fields: tuple[str, ...], rules: Rules) -> int:
    return len(rules.columns.keys() & {_name(field, rules) for field in fields})


def _name(field: str, rules: Rules) -> str:
    """Return a column's name without surrounding blanks, unless a rule has them."""
    return field if field in rules.columns else field.strip()


@dataclass(frozen=True, slots=True)
class FirstRecord:
    """The header's place in the first text of a file, and the separator if declared."""

    head: bytes
    start: int
    end: int
    separator: str | None


def first_record(chunks: Iterator[bytes]) -> FirstRecord:
    """Find the record that names the columns.

    Raises:
        BatchRejectedError: `empty_file` or `line_too_long`.
    """
    head = b""
    for chunk in chunks:
        head += chunk
        for looked_at in (head[:_FIRST_LOOK_BYTES], head):
            found = _header_in(looked_at)
            if found is not None and found.end < len(looked_at):
                refuse_long(head[found.start : found.end], found.start)
                return replace(found, head=head)
        refuse_long(head, 0)
    if (found := _header_in(head)) is None:
        raise empty_file("the file holds blank lines only")
    return found


def _header_in(head: bytes) -> FirstRecord | None:
    """Find the header, whatever its separator; None if the text is still too short."""
    above = preamble(head, len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0)
    if above.header_end is not None:
        return FirstRecord(head, above.end, above.header_end, above.separator)
    found = spans(TextBlock(head[above.end :], above.end, 1), _ANY_SEPARATOR)
    if not len(found.starts):
        return None
    return FirstRecord(head, above.end + int(found.starts[0]), above.end + int(found.ends[0]), above.separator)


def _refuse_data_as_header(names: tuple[str, ...], rules: Rules) -> None:
    if rules.columns:
        data = not rules.columns.keys() & set(names)
        wrong = f"the first line names none of the columns {listed(list(rules.columns))}"
    else:
        data = all(map(is_number, names))
        wrong = "the first line holds only numbers"
    if data:
        raise BatchRejectedError(FileCode.NO_HEADER, f"{wrong}; its fields are {listed(names)}")


class _Parser:
    """Parses the blocks of one file; safe to call from several threads.

    After a block with bad values, further blocks are read as texts at once, since more bad values are likely. Which block comes
    "after" depends on the threads; the result does not.
    """

    def __init__(self, header: Header, rules: Rules) -> None:
        columns = header.names, header.separator, rules
        self._plain, self._arrow = PlainFields(*columns), ArrowFields(*columns)
        self._header, self._syntax, self._rules = header, header.syntax, rules
        self._carried = [index for index, name in enumerate(header.names) if rules.of(name).kind is ColumnKind.CARRIED]
        self._expect_bad_values = False

    def parse(self, text: TextBlock) -> Block:
        """Type the records of a block; describe those that cannot be."""
        if text.unclosed:
            conformed, records = Conformed(conform(no_rows(self._header.names), self._rules).rows, (_unclosed(text),)), 1
        else:
            conformed, records = self._conformed(text)
        rejected = rejected_rows(conformed.issues, text, self._syntax, records=records)
        return Block(conformed.rows, _without_blank(rejected, self._header.separator))

    def _conformed(self, text: TextBlock) -> tuple[Conformed, int]:
        """Return the block's good rows, its issues, and its number of records."""
        raw, sieved = self._plainly(text), list[Issue]()
        if raw is None:
            data, sieved = self._sieved(text)
            raw = self._read(data)
        removed = [issue.place for issue in sieved]
        conformed = conform(self._with_missing(raw.columns), self._rules)
        self._expect_bad_values = any(issue.code == "unparseable_number" for issue in conformed.issues)
        records = raw.columns.num_rows + len(raw.odd) + len(removed)
        if not raw.odd and not removed:
            return conformed, records
        read = np.delete(np.arange(records), removed)
        in_rows = np.delete(read, [place for place, _ in raw.odd])
        issues = [
            *sieved,
            *(Issue(int(read[place]), RowCode.WRONG_FIELD_COUNT, self._wrong_count(fields)) for place, fields in raw.odd),
            *(Issue(int(in_rows[issue.place]), issue.code, issue.message) for issue in conformed.issues),
        ]
        return Conformed(conformed.rows, tuple(issues)), records

    def _plainly(self, text: TextBlock) -> RawRows | None:
        """Read the block with the kernel; None if it cannot be or row ends are uncertain."""
        if (b'"' in text.data and b'\\"' in text.data) or not is_utf8(text.data):
            return None
        return self._plain.read(text.data)

    def _sieved(self, text: TextBlock) -> tuple[bytes, list[Issue]]:
        """Remove the records that are not UTF-8 or misquoted; return the text and issues."""
        readable = is_utf8(text.data)
        if readable and b'"' not in text.data:
            return text.data, []
        found = spans(text, self._syntax)
        issues = {place: _misplaced(text, found, place) for place in misquoted(text, self._syntax, found)}
        if not readable:
            issues |= {place: Issue(place, RowCode.INVALID_UTF8, _NOT_UTF8) for place in undecodable(text, found)}
        if not issues:
            return text.data, []
        kept = np.delete(np.stack([found.starts, found.ends], axis=1), list(issues), axis=0)
        data = b"".join(text.data[start:end] + b"\n" for start, end in kept.tolist())
        return data, [issues[place] for place in sorted(issues)]

    def _read(self, data: bytes) -> RawRows:
        if not data:
            return RawRows(no_rows(self._header.names), ())
        return self._plain.read(data) or self._arrow.read(data, expect_bad_values=self._expect_bad_values)

    def _with_missing(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Replace empty fields of carried columns by null."""
        columns = batch.columns
        for index in self._carried:
            empty = empty_texts(columns[index])
            if empty.any():
                columns[index] = with_nulls(columns[index], empty)
        return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)

    def _wrong_count(self, fields: int) -> str:
        return f"the row has {counted(fields, 'fields')}, the header has {len(self._header.names)}"


def _misplaced(text: TextBlock, found: Spans, place: int) -> Issue:
    escaped = b'\\"' in text.data[found.starts[place] : found.ends[place]]
    return Issue(place, RowCode.MISPLACED_QUOTE, _ESCAPED if escaped else _MISPLACED)


def _without_blank(rejected: tuple[RejectedRow, ...], separator: str) -> tuple[RejectedRow, ...]:
    """Drop rejected records of empty fields only: they count as blank lines."""
    kept: list[RejectedRow] = []
    for blank, row in enumerate(rejected):
        if set(row.raw) <= {separator, '"'} and all(field in {"", '""'} for field in row.raw.split(separator)):
            continue
        above = blank - len(kept)
        kept.append(replace(row, row=row.row - above) if above else row)
    return tuple(kept)


def _unclosed(text: TextBlock) -> Issue:
    if is_utf8(text.data):
        return Issue(0, RowCode.UNCLOSED_QUOTE, "a field opens a quote that the file never closes")
    return Issue(0, RowCode.INVALID_UTF8, "the row is not UTF-8 text, and opens a quote that the file never closes")
