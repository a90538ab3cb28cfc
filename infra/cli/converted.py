"""A file as the functions read it.

Before the upload, a sheet becomes JSON lines, and text of a named encoding becomes UTF-8.
"""

import codecs
import gzip
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path

from functions.shared.domain.errors import BatchRejectedError, InputError
from functions.shared.domain.formats import checked_encoding
from functions.shared.domain.rejections import FileCode
from functions.shared.reading.encodings import HEAD_BYTES, UTF8, EncodingDoubt, shown_encoding
from functions.shared.reading.readable import LocalFile
from functions.shared.reading.text import GZIP_MAGIC, decompressed_chunks
from infra.cli.options import say
from infra.cli.workbook import is_workbook, write_lines
from infra.words import CHINESE, _, language

_PIECE_CHARACTERS = 1 << 20
_OF_CHINESE, _ELSEWHERE = "gb18030", "big5"


@contextmanager
def converted(file: Path, *, encoding: str | None = None, sheet: str | None = None) -> Iterator[Path]:
    """The file itself, or one in its place until the block ends.

    Args:
        file: what a person wants to send.
        encoding: of its text, if a person named it.
        sheet: of a workbook, if a person named it.

    Raises:
        InputError: if the text is not of that encoding, or the workbook cannot be read.
    """
    if not file.is_file():
        raise InputError(f"{file} is no file but a pipe or device", remedy="write what comes from it to a file, and name that")
    with tempfile.TemporaryDirectory(prefix="everscore-") as folder:
        if is_workbook(file):
            write_lines(file, sheet, lines := Path(folder, f"{file.name}.jsonl"))
            yield lines
            return
        if sheet is not None:
            message = f"{file} is no workbook, so it has no sheet {sheet!r}"
            raise InputError(message, remedy="leave --sheet out")
        yield file if encoding is None else _in_utf8(file, encoding, Path(folder, file.name.removesuffix(".gz")))


def settled_encoding(file: Path, *, unless: Callable[[], bool] = lambda: False) -> str | None:
    """Return the encoding of a text that the functions would not find, or None.

    They look at too few rows for it.

    It is what rows further down show, or what is usual in the reader's language.

    Args:
        file: what a person wants to send.
        unless: whether the functions know the encoding; asked only in doubt.

    Raises:
        InputError: if nothing settles it, so that rows would be set aside.
    """
    if not file.is_file() or is_workbook(file):
        return None
    try:
        shown = _shown_beyond(file)
    except BatchRejectedError:  # of damaged gzip data, of which scoring says what is wrong
        return None
    if shown is None or shown == UTF8 or unless():
        return None
    if not isinstance(shown, EncodingDoubt):
        return _noted(_("note: {file} is read as {encoding}; --encoding names another", file=file.name, encoding=shown), shown)
    if language() == CHINESE and _OF_CHINESE in shown.encodings and _ELSEWHERE not in shown.encodings:
        said = _("note: {file} is read as {encoding}, usual for Chinese; --encoding names another", file=file.name, encoding=_OF_CHINESE)
        return _noted(said, _OF_CHINESE)
    raise InputError(f"{file.name}: {shown.message}", remedy=shown.remedy, code=FileCode.INVALID_ENCODING)


def _shown_beyond(file: Path) -> str | EncodingDoubt | None:
    """Return the encoding that all of a text shows, or None if its start does.

    The functions look at the start alone.
    """
    with closing(decompressed_chunks(LocalFile(file), HEAD_BYTES)) as chunks:
        head = next(chunks, b"")
        found = shown_encoding(head)
        return None if isinstance(found, str) and found != UTF8 else shown_encoding(_beyond_ascii(chain([head], chunks)))


def _beyond_ascii(chunks: Iterable[bytes]) -> bytes:
    """Return the first lines with bytes beyond ASCII, as many as decide an encoding."""
    found, rest = b"", b""
    for chunk in chunks:
        lines = (rest + chunk).splitlines(keepends=True)
        rest = lines.pop() if lines else b""
        found += b"".join(line for line in lines if not line.isascii())
        if len(found) >= HEAD_BYTES:
            return found
    return found + rest


def _noted(note: str, encoding: str) -> str:
    say(note)
    return encoding


def _in_utf8(file: Path, encoding: str, target: Path) -> Path:
    """Return the text in UTF-8, with the mark that leaves no doubt about it.

    Bytes that are no UTF-8 stay, if the text counts as UTF-8.
    """
    try:
        known = checked_encoding(encoding)
    except ValueError as error:
        message = f"--encoding {encoding}: {error}"
        raise InputError(message, remedy="write it as in --encoding gb18030", code="usage") from error
    with file.open("rb") as stored:
        opened = gzip.open if stored.read(len(GZIP_MAGIC)) == GZIP_MAGIC else open
    try:
        read_as, damaged = ("utf-8-sig", "surrogateescape") if known == UTF8 else (known, "strict")
        with (
            opened(file, "rt", encoding=read_as, errors=damaged, newline="") as text,
            target.open("w", encoding=UTF8, errors=damaged, newline="") as written,
        ):
            written.write(codecs.BOM_UTF8.decode())
            while piece := text.read(_PIECE_CHARACTERS):
                written.write(piece)
    except UnicodeDecodeError as error:
        message = f"{file} is not {encoding} throughout: {error.reason} ({error.object[error.start : error.end].hex(' ')} in hexadecimal)"
        raise InputError(message, remedy="give --encoding as the program wrote the file") from error
    return target
