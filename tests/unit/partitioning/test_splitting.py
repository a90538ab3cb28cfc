"""Files are cut between their rows, wherever quotes and line ends stand; Python's csv module on the whole file says where rows are."""

import codecs
import csv
import io
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.partitioning.proof import LAST_TURN, Cuts, judge_cuts
from functions.partitioning.splitting import MAX_PORTIONS, cut_again, cut_file, first_line_end
from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.manifest import BatchError
from functions.shared.domain.partition import PartitionResult, Portion
from functions.shared.reading.portions import Ledger, file_head
from functions.shared.reading.records import Syntax, cut
from tests.fakes.memory_store import MemoryFile

HEADER = ["id", "text", "n"]
FIELDS = st.text(alphabet='ab,"\n\r é', max_size=12)
ROWS = st.lists(st.lists(FIELDS, min_size=3, max_size=3).filter(any), max_size=40)


def written(rows: Sequence[Sequence[str]], line_end: str = "\n") -> bytes:
    """A file as Python's own writer writes it."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end).writerows([HEADER, *rows])
    return text.getvalue().encode()


def rows_of(data: bytes) -> list[list[str]]:
    """What Python's csv module reads."""
    return [row for row in csv.reader(io.StringIO(data.decode(), newline="")) if row]


def portions(data: bytes, portion_bytes: int, key: str = "a.csv") -> list[Portion]:
    return cut_file(MemoryFile(data), key=key, portion_bytes=portion_bytes, whole_bytes=0)


def portions_or_code(data: bytes, portion_bytes: int) -> list[Portion] | str:
    """The portions, or the code by which the file is refused."""
    try:
        return portions(data, portion_bytes)
    except BatchRejectedError as refused:
        return refused.code


def ledger_of(data: bytes, portion: Portion) -> PartitionResult:
    """What a worker would note of a portion of a CSV file."""
    ledger = Ledger()
    start = portion.start or len(b",".join(name.encode() for name in HEADER)) + 1
    for _ in ledger.keep(cut(iter([data[start : portion.stop]]), Syntax(b","), offset=start)):
        pass
    return PartitionResult(portion=portion, attempt="a", odd_quotes=ledger.odd_quotes, closed=ledger.closed)


def proved(data: bytes, portion_bytes: int) -> tuple[list[Portion], int]:
    """The portions whose cuts were proved, and in which turn."""
    found = portions(data, portion_bytes)
    for turn in (1, LAST_TURN):
        results = [ledger_of(data, portion) for portion in found]
        if judge_cuts(results, turn=turn) is Cuts.PROVED:
            return found, turn
        found = cut_again(MemoryFile(data), found, [result.odd_quotes for result in results])
    raise AssertionError("no proof in the last turn")


@given(ROWS, st.integers(1, 200), st.sampled_from(["\n", "\r\n"]))
def test_the_rows_of_all_portions_are_the_rows_of_the_file(rows: list[list[str]], portion_bytes: int, line_end: str) -> None:
    data = written(rows, line_end)
    found, _ = proved(data, portion_bytes)
    assert [found[0].start, *(portion.stop for portion in found)] == [*(portion.start for portion in found), len(data)]
    parts = [rows_of(data[portion.start : portion.stop]) for portion in found]
    assert [row for part in parts for row in part] == rows_of(data)


@given(ROWS, st.integers(1, 200))
def test_a_cut_that_is_not_between_rows_is_never_proved(rows: list[list[str]], portion_bytes: int) -> None:
    data = written(rows)
    found = portions(data, portion_bytes)
    results = [ledger_of(data, portion) for portion in found]
    right = [row for portion in found for row in rows_of_part(data, portion)] == rows_of(data)
    assert (judge_cuts(results, turn=1) is Cuts.PROVED) <= right


def rows_of_part(data: bytes, portion: Portion) -> list[list[str]]:
    try:
        return rows_of(data[portion.start : portion.stop])
    except csv.Error:
        return []


@given(st.binary(max_size=300).map(lambda data: b"id,text\n" + data.replace(b"\x00", b"")), st.integers(1, 80))
def test_any_bytes_are_cut_into_portions_that_together_are_the_file(data: bytes, portion_bytes: int) -> None:
    found = portions_or_code(data, portion_bytes)
    if isinstance(found, str):
        assert found == "indivisible"
        with pytest.raises(UnicodeDecodeError):
            data.decode()
        return
    bounds = [found[0].start, *(portion.stop for portion in found)]
    assert bounds == sorted(set(bounds))
    assert (bounds[0], bounds[-1]) == (0, len(data))


@given(st.text(alphabet='a"\n\r,', max_size=60), st.booleans())
def test_the_first_line_end_outside_of_quotes_is_where_a_count_of_quotes_says(text: str, inside: bool) -> None:  # noqa: FBT001
    quotes, expected = int(inside), None
    for place, character in enumerate(text):
        quotes += character == '"'
        if character == "\n" and quotes % 2 == 0:
            expected = place + 1
            break
    if "\r" not in text:
        assert first_line_end(text.encode(), inside=inside) == expected


def test_a_carriage_return_ends_a_line_where_there_are_no_line_feeds_but_not_as_the_last_byte() -> None:
    assert first_line_end(b"a,b\rc", inside=None) == 4
    assert first_line_end(b"a,b\r", inside=None) is None
    assert first_line_end(b"a,b\r\nc", inside=None) == 5


def test_a_field_longer_than_any_record_may_be_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.partitioning.splitting.MAX_RECORD_BYTES", 50)
    monkeypatch.setattr("functions.partitioning.splitting._WINDOW_BYTES", 8)
    data = written([["1", "x" * 1000, "2"], ["3", "y", "4"]])
    assert len(portions(data, 300)) == 2


def test_the_header_is_never_cut() -> None:
    names = ",".join(f"column{number}" for number in range(100)).encode()
    data = names + b"\n" + b"\n".join(b",".join([b"1"] * 100) for _ in range(20)) + b"\n"
    assert portions(data, 50)[0].stop > len(names)


LONG_IN_ASCII = b"id,text,n\n" + b"1,plain,2\n" * 8000


@pytest.mark.parametrize(
    ("data", "encoding", "may_be_cut"),
    [
        (LONG_IN_ASCII + "2,Köln,3\n".encode("cp1252"), "cp1252", False),
        (LONG_IN_ASCII, "cp1252", False),
        (LONG_IN_ASCII, None, True),
        (LONG_IN_ASCII, "utf-8", True),
        (codecs.BOM_UTF8 + LONG_IN_ASCII, "cp1252", True),
        ("id,text,n\n2,Köln,3\n".encode() + LONG_IN_ASCII, "cp1252", True),
        ("id,text,n\n2,Köln,3\n".encode("cp1252") + LONG_IN_ASCII, "cp1252", False),
    ],
)
def test_a_text_that_may_be_in_the_encoding_of_the_models_files_is_not_cut(
    data: bytes,
    encoding: str | None,
    may_be_cut: bool,  # noqa: FBT001
) -> None:
    found = cut_file(MemoryFile(data), key="a.csv", portion_bytes=10_000, whole_bytes=10**6, encoding=encoding)
    assert (len(found) > 1, found[0].kind) == ((True, "csv") if may_be_cut else (False, "whole"))
    if not may_be_cut:
        with pytest.raises(BatchRejectedError, match="cannot be cut into partitions") as refused:
            cut_file(MemoryFile(data), key="a.csv", portion_bytes=10_000, whole_bytes=10_000, encoding=encoding)
        assert (refused.value.code, "--encoding of score" in refused.value.remedy) == ("indivisible", True)


def test_there_are_never_too_many_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.partitioning.splitting.MAX_PORTIONS", 7)
    data = written([["1", "2", "3"]] * 200)
    assert len(portions(data, 1)) == 7
    assert MAX_PORTIONS == 10_000


@pytest.mark.parametrize(("groups", "portion_bytes", "expected"), [(10, 1, 10), (10, 10**9, 1), (0, 1, 1)])
def test_parquet_is_cut_between_row_groups(groups: int, portion_bytes: int, expected: int) -> None:
    body = io.BytesIO()
    pq.write_table(pa.table({"a": pa.array(range(groups * 5), pa.int64())}), body, row_group_size=5)
    found = portions(body.getvalue(), portion_bytes, "a.parquet")
    assert len(found) == expected
    assert [found[0].start, *(portion.stop for portion in found)] == [
        *(portion.start for portion in found),
        pq.ParquetFile(body).num_row_groups,
    ]


def test_row_groups_are_gathered_up_to_the_size_that_is_asked_for() -> None:
    body = io.BytesIO()
    pq.write_table(pa.table({"a": pa.array(range(1000), pa.int64())}), body, row_group_size=100, use_dictionary=False, compression="none")
    size = 3 * pq.ParquetFile(body).metadata.row_group(0).total_byte_size
    assert [portion.stop - portion.start for portion in portions(body.getvalue(), size, "a.parquet")] == [3, 3, 3, 1]


def test_row_groups_count_by_their_values_however_few_bytes_the_file_has() -> None:
    body = io.BytesIO()
    pq.write_table(pa.table({"a": [1.0] * 1000}), body, row_group_size=100)
    assert [portion.stop - portion.start for portion in portions(body.getvalue(), 8 * 300, "a.parquet")] == [3, 3, 3, 1]


def result(*, closed: bool = True, error: str | None = None) -> PartitionResult:
    refused = BatchError(code=error, message="m", remedy="r") if error else None
    return PartitionResult(portion=Portion(kind="csv", start=0, stop=9), attempt="a", closed=closed, error=refused)


def test_only_what_a_portion_that_surely_begins_with_a_row_refuses_the_file_for_counts() -> None:
    with pytest.raises(BatchRejectedError) as refused:
        judge_cuts([result(), result(error="line_too_long"), result(closed=False)], turn=1)
    assert refused.value.code == "line_too_long"
    assert judge_cuts([result(closed=False), result(error="line_too_long")], turn=1) is Cuts.CUT_AGAIN


def test_the_last_portion_may_end_inside_quotes_as_the_file_does() -> None:
    assert judge_cuts([result(), result(closed=False)], turn=1) is Cuts.PROVED


def test_after_the_last_turn_there_is_no_other() -> None:
    with pytest.raises(BatchRejectedError) as refused:
        judge_cuts([result(closed=False), result()], turn=LAST_TURN)
    assert refused.value.code == "bare_quote"


def test_the_head_of_a_file_is_fetched_only_as_far_as_it_is_asked_for() -> None:
    asked: list[int] = []

    class Watched(MemoryFile):
        def read_at(self, offset: int, length: int) -> bytes:
            asked.append(offset)
            return super().read_at(offset, length)

    assert next(file_head(Watched(b"x" * 100), 10)) == b"x" * 10
    assert asked == [0]
