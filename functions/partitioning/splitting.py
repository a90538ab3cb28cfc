"""Cut a file into portions without reading it all.

Text is cut after a line end near each multiple of the wanted size. Whether that line end lies inside a quoted field cannot be
known from the text around it, so it is assumed to end a record. Afterwards the portions' ledgers prove it (`proof.py`), or
provide the facts for a second cut.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import pairwise

import numpy as np

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.partition import Portion
from functions.shared.domain.rejections import FileCode
from functions.shared.foundation.ahead import map_ahead
from functions.shared.reading.delimited import first_record
from functions.shared.reading.encodings import HEAD_BYTES, UTF8, encoding_of, is_utf8_text
from functions.shared.reading.file_formats import Format
from functions.shared.reading.formats import detect_format
from functions.shared.reading.json_documents import is_document
from functions.shared.reading.limits import MAX_RECORD_BYTES
from functions.shared.reading.parquet import row_group_weights
from functions.shared.reading.portions import file_head
from functions.shared.reading.readable import Readable
from functions.shared.reading.text import GZIP_MAGIC
from functions.shared.reading.unforeseen import unforeseen_refused
from functions.shared.reading.weight import weight_of

MAX_PORTIONS = 10_000
"""Limit on portions: more would take long to start and to commit, and larger ones work as well."""

_WINDOW_BYTES = 2**16
_LOOKS_AT_ONCE = 16


def cut_file(source: Readable, *, key: str, portion_bytes: int, whole_bytes: int, encoding: str | None = None) -> list[Portion]:
    """Cut a file into at most `MAX_PORTIONS` of about `portion_bytes`, in order.

    Args:
        source: the file.
        key: the file's name.
        portion_bytes: the wanted size of a portion before compression.
        whole_bytes: the largest weight of a file that cannot be cut and becomes one portion.
        encoding: that of the model's files, if it has one. Portions are read as UTF-8, so a text that may be in it is not cut.

    Raises:
        BatchRejectedError: `indivisible`, if a file that cannot be cut is larger than that; or the code for an unreadable file.
    """
    with unforeseen_refused(source, key) as watched:
        return _cut(watched, key, portion_bytes, whole_bytes, encoding)


def _cut(source: Readable, key: str, portion_bytes: int, whole_bytes: int, encoding: str | None) -> list[Portion]:
    form = detect_format(source, key)
    if form is Format.PARQUET:
        weights = row_group_weights(source)
        return _row_groups(weights, _least(portion_bytes, sum(weights)))
    if what := _indivisible(source, form, encoding):
        if (weight := weight_of(source, key)) > whole_bytes:
            reckoned = "" if weight == source.size else f", reckoned as {weight} of text,"
            message = (
                f"{what} cannot be cut into partitions, and its {source.size} bytes{reckoned} are above the limit of one function, "
                f"{whole_bytes}"
            )
            raise BatchRejectedError(FileCode.INDIVISIBLE, message)
        return [Portion(kind="whole", start=0, stop=source.size)]
    least = _least(portion_bytes, source.size)
    first_row = first_record(file_head(source)).end if form is Format.CSV else 0
    places = sorted({max(place, first_row) for place in range(least, source.size, least)})
    return _portions(form, source.size, _behind_line_ends(source, places, inside=None))


def _indivisible(source: Readable, form: Format, encoding: str | None) -> str | None:
    """Describe a file that cannot be cut; None if it can be.

    Such a file must be decompressed, converted to UTF-8, or read from the start to find its rows.
    """
    head = source.read_at(0, HEAD_BYTES)
    if head.startswith(GZIP_MAGIC):
        return "gzip data"
    if not is_utf8_text(head):
        return "text that is not UTF-8"
    complete, detect = source.size <= HEAD_BYTES, form is Format.CSV
    if encoding and encoding_of(head, encoding, complete=complete, detect=detect) != UTF8:
        return f"text without a byte order mark that may be in {encoding}, as the model's files are,"
    return "JSON that is not one object per line" if form is Format.JSONL and is_document(head) else None


def cut_again(source: Readable, portions: Sequence[Portion], odd_quotes: Sequence[bool]) -> list[Portion]:
    """Move each cut inside quotes to after the record that it split.

    If every quote opens or closes a field, an odd number of quotes before a place means that it lies inside a field.

    Args:
        source: the text.
        portions: its present portions.
        odd_quotes: per portion, whether it has an odd number of quotes.
    """
    odd_before = np.cumsum(odd_quotes) % 2 == 1
    cuts = [portion.stop for portion in portions[:-1]]
    split = [cut for cut, odd in zip(cuts, odd_before, strict=False) if odd]
    kept = [cut for cut, odd in zip(cuts, odd_before, strict=False) if not odd]
    return _portions(Format(portions[0].kind), source.size, kept + _behind_line_ends(source, split, inside=True))


def _least(portion_bytes: int, whole: int) -> int:
    """Return the bytes of a portion, large enough to limit the number of portions."""
    return max(portion_bytes, -(-whole // MAX_PORTIONS))


def _row_groups(sizes: Sequence[int], least: int) -> list[Portion]:
    """Group row groups into portions of at least `least` bytes, except the last."""
    stops, gathered = [], 0
    for number, size in enumerate(sizes, start=1):
        gathered += size
        if gathered >= least:
            stops.append(number)
            gathered = 0
    if not stops or stops[-1] != len(sizes):
        stops.append(len(sizes))
    return [Portion(kind="parquet", start=start, stop=stop) for start, stop in pairwise([0, *stops])]


def _portions(form: Format, size: int, cuts: Iterable[int]) -> list[Portion]:
    bounds = [0, *sorted({cut for cut in cuts if cut < size}), size]
    return [Portion(kind=form.value, start=start, stop=stop) for start, stop in pairwise(bounds)]


def _behind_line_ends(source: Readable, places: Sequence[int], *, inside: bool | None) -> list[int]:
    """Return the first record end after each place; skip records over the limit."""
    look = partial(_behind_line_end, source, inside=inside)
    return [found for found in map_ahead(look, iter(places), threads=_LOOKS_AT_ONCE) if found is not None]


def _behind_line_end(source: Readable, place: int, *, inside: bool | None) -> int | None:
    length = _WINDOW_BYTES
    while True:
        window = source.read_at(place, length)
        end = first_line_end(window, inside=inside)
        if end is not None:
            return place + end
        if len(window) < length or length > MAX_RECORD_BYTES:
            return None
        length *= 4


def first_line_end(window: bytes, *, inside: bool | None) -> int | None:
    r"""Return the end of a text's first line, with its line end.

    It is a line feed or, if there is none, a carriage return.

    Args:
        window: the text.
        inside: whether the text begins inside quotes; line ends inside quotes are then skipped. If unknown (None), quotes are
            ignored.

    >>> first_line_end(b'a,"b\nc"\nd', inside=None), first_line_end(b'a,"b\nc"\nd', inside=False), first_line_end(b'b\nc"\nd', inside=True)
    (5, 8, 5)
    """
    data = np.frombuffer(window, np.uint8)
    quotes = np.flatnonzero(data == b'"'[0])
    for mark, stop in ((b"\n", len(data)), (b"\r", len(data) - 1)):
        ends = np.flatnonzero(data[: max(stop, 0)] == mark[0])
        if inside is not None:
            ends = ends[(np.searchsorted(quotes, ends) + inside) % 2 == 0]
        if len(ends):
            return int(ends[0]) + 1
    return None
