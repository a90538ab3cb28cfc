"""What must hold for any bytes whatsoever that are read as a batch."""

import io
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as arrow_parquet

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.reading.rows import RejectedRow
from tests.fuzz.plain_reader import AGES, NEEDED, ZONE, Bad, Reading, Row, physical_line, read_plainly
from tests.unit.shared.reading.files import CONTRACT, SPEC, read

MODEL = SPEC.model_copy(update={"timezone": ZONE.key})
KEY = "batches/trees/rows"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What reading a file gave: rows good and bad, or the code of its refusal."""

    rows: list[Row]
    rejected: list[RejectedRow]
    refusal: str | None = None


def check(data: bytes, block_bytes: int) -> None:
    """Read a file in blocks of a size; pass if that keeps every promise, whatever the file is.

    Nothing but a refusal that was foreseen is raised; every row is typed or rejected, once and in order; what is rejected is described by
    where it stands and what it says; the size of blocks makes no difference; and a plain reader agrees, row by row.

    Raises:
        AssertionError: if a promise is broken. Any other error is a defect, too.
    """
    outcome = read_outcome(data, block_bytes)
    _check_same(outcome, read_outcome(data, 2**20))
    if data.startswith(b"PAR1"):
        _check_parquet(data, outcome)
    elif (expected := read_plainly(data)) is not None:
        _check_agrees(outcome, expected)


def read_outcome(data: bytes, block_bytes: int) -> Outcome:
    """What reading a file gives, refusals included."""
    assert tuple(CONTRACT.ranges["age"]) == AGES
    try:
        return Outcome(*read(data, KEY, spec=MODEL, block_bytes=block_bytes))
    except BatchRejectedError as error:
        refused = error
    assert str(refused)
    assert refused.remedy
    assert refused.code != "unreadable", refused
    return Outcome([], [], refused.code)


def _check_same(some: Outcome, other: Outcome) -> None:
    assert some.refusal == other.refusal
    assert repr(some.rows) == repr(other.rows)
    assert some.rejected == other.rejected


def _check_parquet(data: bytes, outcome: Outcome) -> None:
    try:
        rows = arrow_parquet.read_table(io.BytesIO(data)).num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        return
    assert outcome.refusal or len(outcome.rows) + len(outcome.rejected) == rows


def _check_agrees(outcome: Outcome, expected: Reading) -> None:
    if not expected.rows and not expected.bad:
        assert outcome.refusal == "empty_file"
        return
    assert outcome.refusal is None
    assert [Bad(bad.row, bad.code) for bad in outcome.rejected] == expected.bad
    known = [{name: value for name, value in row.items() if name in NEEDED} for row in outcome.rows]
    assert known == expected.rows
    for bad in outcome.rejected:
        if expected.has_lines:
            _check_described(bad, expected.text)
        else:
            _check_found(bad, expected.text)


def _check_described(bad: RejectedRow, text: bytes) -> None:
    raw = bad.raw.encode("latin-1" if bad.code == "invalid_utf8" else "utf-8")
    assert bad.byte_offset is not None
    assert text[bad.byte_offset : bad.byte_offset + len(raw)] == raw
    assert text[bad.byte_offset + len(raw) :][:1] in {b"", b"\r", b"\n"}
    assert bad.line == physical_line(text, bad.byte_offset)
    assert bad.message


def _check_found(bad: RejectedRow, text: bytes) -> None:
    """Of objects over several lines: what is rejected stands where it says, but for line ends, which are blanks there."""
    raw = bad.raw.encode()
    assert bad.byte_offset is not None
    assert text[bad.byte_offset : bad.byte_offset + len(raw)].replace(b"\r", b" ").replace(b"\n", b" ") == raw
    assert (bad.line, bool(bad.message)) == (None, True)
