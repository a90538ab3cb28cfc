"""Read one portion of a file: the same rows as when reading all of it.

Row and line numbers differ, since the rows before the portion are not read. A portion of text that was cut inside a quoted
field is still read, but wrongly; its ledger shows that.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from functions.shared.domain.partition import Portion
from functions.shared.domain.policy import RowContract
from functions.shared.domain.spec import ModelSpec
from functions.shared.foundation.ahead import map_ahead
from functions.shared.reading.files import read_blocks
from functions.shared.reading.limits import DEFAULT_BLOCK_BYTES, JSONL_HEAD_BYTES, block_factor
from functions.shared.reading.readable import Readable
from functions.shared.reading.records import LINES, Syntax, TextBlock, cut, line_ends
from functions.shared.reading.rows import Block
from functions.shared.reading.rules import Rules, scoring_rules
from functions.shared.reading.text import Notes, stored_chunks
from functions.shared.reading.unforeseen import unforeseen_refused

_HEADER_CHUNK_BYTES = 2**16


@dataclass(slots=True)
class Ledger:
    """Facts found while reading a portion of text; complete once all blocks are read.

    They show how the portion fits into the file: how many `lines` end in it, whether its number of quote characters is odd, and
    whether it ends outside of quotes (`closed`). `notes` are filled only for a file that is read whole.
    """

    lines: int = 0
    odd_quotes: bool = False
    closed: bool = True
    notes: Notes = field(default_factory=Notes)

    def keep(self, blocks: Iterator[TextBlock]) -> Iterator[TextBlock]:
        """Yield the same blocks, and record their facts."""
        for block in blocks:
            self.lines = block.line - 1 + line_ends(block.data)
            self.odd_quotes ^= block.data.count(b'"') % 2 == 1
            self.closed = not block.unclosed
            yield block


def read_portion(
    source: Readable,
    *,
    key: str,
    portion: Portion,
    spec: ModelSpec,
    contract: RowContract,
    ledger: Ledger,
    block_bytes: int = DEFAULT_BLOCK_BYTES,
) -> Iterator[Block]:
    """Read a portion of a batch for a model, under the contract of `read_blocks`.

    Rows and lines are numbered within the portion.

    Args:
        ledger: a new ledger, to be filled.

    Raises:
        BatchRejectedError: as `read_blocks`; for having no rows only if the portion is the whole file.
    """
    if portion.kind == "whole":
        return read_blocks(source, key=key, spec=spec, contract=contract, block_bytes=block_bytes, notes=ledger.notes)
    return _blocks(source, key, portion, scoring_rules(spec, contract), ledger, block_bytes)


def has_odd_quotes(source: Readable, portion: Portion) -> bool:
    """Return whether a portion of text has an odd number of quote characters."""
    with closing(stored_chunks(source, DEFAULT_BLOCK_BYTES, start=portion.start, stop=portion.stop)) as chunks:
        return sum(chunk.count(b'"') for chunk in chunks) % 2 == 1


def file_head(source: Readable, chunk_bytes: int = _HEADER_CHUNK_BYTES) -> Iterator[bytes]:
    """Yield the bytes of a file from its beginning, fetched on demand."""
    for offset in range(0, source.size, chunk_bytes):
        yield source.read_at(offset, chunk_bytes)


def _blocks(source: Readable, key: str, portion: Portion, rules: Rules, ledger: Ledger, block_bytes: int) -> Iterator[Block]:
    rows = 0
    with unforeseen_refused(source, key) as watched:
        for block in _READERS[portion.kind](watched, portion, rules, ledger, block_bytes):
            yield block.numbered_from(rows)
            rows += block.rows_in


def _delimited(source: Readable, portion: Portion, rules: Rules, ledger: Ledger, block_bytes: int) -> Iterator[Block]:
    from functions.shared.reading.delimited import delimited_parser, read_header

    header = read_header(file_head(source), rules)
    parse = delimited_parser(header, rules)
    first = portion.start == 0
    start, line = (header.offset, header.line) if first else (portion.start, 1)
    wide = block_bytes * block_factor(len(header.names))
    return _text(source, start, portion.stop, parse, header.syntax, ledger, wide, line)


def _jsonl(source: Readable, portion: Portion, rules: Rules, ledger: Ledger, block_bytes: int) -> Iterator[Block]:
    from functions.shared.reading.jsonlines import jsonl_parser

    parse, first_line = jsonl_parser(file_head(source, JSONL_HEAD_BYTES), rules)
    return _text(source, max(portion.start, first_line), portion.stop, parse, LINES, ledger, block_bytes, 1)


def _text(
    source: Readable,
    start: int,
    stop: int,
    parse: Callable[[TextBlock], Block],
    syntax: Syntax,
    ledger: Ledger,
    block_bytes: int,
    line: int,
) -> Iterator[Block]:
    ledger.lines = line - 1
    with closing(stored_chunks(source, block_bytes, start=start, stop=stop)) as chunks:
        yield from map_ahead(parse, ledger.keep(cut(chunks, syntax, offset=start, line=line)))


def _parquet(source: Readable, portion: Portion, rules: Rules, _: Ledger, block_bytes: int) -> Iterator[Block]:
    from functions.shared.reading.parquet import parquet_blocks

    return parquet_blocks(source, rules, block_bytes, groups=range(portion.start, portion.stop))


_READERS = {"csv": _delimited, "jsonl": _jsonl, "parquet": _parquet}
