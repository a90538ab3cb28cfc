"""Cutting text into whole records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.reading import records
from functions.shared.reading.records import LINES, Syntax, TextBlock, cut, spans

COMMA = Syntax(b",")


def by_hand(data: bytes) -> list[tuple[bytes, int, int]]:
    """Text, offset and physical line of each record, a character at a time; a last one may leave its quote open."""
    found = []
    start, line, start_line, inside, at_field_start, place = 0, 1, 1, False, True, 0
    while place < len(data):
        one = data[place : place + 1]
        is_end = one in b"\r\n"
        width = 2 if data[place : place + 2] == b"\r\n" else 1
        if is_end:
            line += 1
        if inside:
            if one == b'"' and data[place + 1 : place + 2] == b'"':
                width = 2
            elif one == b'"':
                inside = False
        elif is_end:
            if place > start:
                found.append((data[start:place], start, start_line))
            start, start_line, at_field_start = place + width, line, True
        elif one == b'"' and at_field_start:
            inside, at_field_start = True, False
        else:
            at_field_start = one == b","
        place += width
    if start < len(data):
        found.append((data[start:], start, start_line))
    return found


def found_in(blocks: list[TextBlock], syntax: Syntax) -> list[tuple[bytes, int, int]]:
    return [
        (block.data[start:end], block.offset + start, line)
        for block in blocks
        for found in [spans(block, syntax)]
        for start, end, line in zip(found.starts.tolist(), found.ends.tolist(), found.lines.tolist(), strict=True)
    ]


@given(st.text(alphabet='a,"\n\r', max_size=40).map(str.encode), st.integers(1, 41))
def test_records_are_the_same_wherever_the_chunks_are_cut(data: bytes, size: int) -> None:
    chunks = (data[start : start + size] for start in range(0, len(data), size))
    blocks = list(cut(chunks, COMMA))
    assert b"".join(block.data for block in blocks) == data
    assert found_in(blocks, COMMA) == by_hand(data)


@given(st.text(alphabet='a,"\n\r', max_size=60).map(str.encode), st.integers(1, 4))
def test_blocks_of_few_lines_hold_the_same_records(data: bytes, lines: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(records, "MAX_BLOCK_LINES", lines)
        blocks = list(cut(iter([data]), COMMA))
    assert b"".join(block.data for block in blocks) == data
    assert found_in(blocks, COMMA) == by_hand(data)


def test_short_lines_come_in_blocks_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_BLOCK_LINES", 3)
    blocks = list(cut(iter([b"a\n" * 8 + b"b"]), COMMA))
    assert [(block.data, block.offset, block.line) for block in blocks] == [
        (b"a\na\n", 0, 1), (b"a\na\n", 4, 3), (b"a\na\n", 8, 5), (b"a\na\n", 12, 7), (b"b", 16, 9),
    ]  # fmt: skip


def test_only_the_record_that_leaves_a_quote_open_is_marked() -> None:
    blocks = list(cut(iter([b'a\r"b",c\r"d,\re']), COMMA))
    assert [(block.data, block.offset, block.line, block.unclosed) for block in blocks] == [
        (b'a\r"b",c\r', 0, 1, False),
        (b'"d,\re', 8, 3, True),
    ]


def test_lines_know_no_quotes() -> None:
    assert found_in(list(cut(iter([b'{"a\n"\r\nb']), LINES)), LINES) == [(b'{"a', 0, 1), (b'"', 4, 2), (b"b", 7, 3)]


@pytest.mark.parametrize("syntax", [COMMA, LINES])
@given(data=st.text(alphabet='aa,"\n\r', max_size=60).map(str.encode), size=st.integers(1, 61))
def test_a_record_is_refused_exactly_if_it_is_longer_than_the_limit(syntax: Syntax, data: bytes, size: int) -> None:
    chunks = (data[start : start + size] for start in range(0, len(data), size))
    plain = data if syntax is COMMA else data.replace(b'"', b"a")
    too_long = [start for record, start, _ in by_hand(plain) if len(record) > 8]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(records, "MAX_RECORD_BYTES", 8)
        if not too_long:
            assert b"".join(block.data for block in cut(chunks, syntax)) == data
            return
        with pytest.raises(BatchRejectedError, match=f"record at byte {too_long[0]} is longer") as refused:
            list(cut(chunks, syntax))
    assert refused.value.code == "line_too_long"


def test_a_record_beyond_the_limit_is_refused_by_where_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 10)
    with pytest.raises(BatchRejectedError, match=r"record at byte 2 is longer than the limit of 10 bytes") as refused:
        list(cut((b"a\n" if place == 0 else b"bbbb" for place in range(10**6)), COMMA))
    assert refused.value.code == "line_too_long"
