"""A file as the functions read it: before the upload, a sheet becomes JSON lines, and text of a named encoding UTF-8."""

import codecs
import gzip
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from functions.shared.domain.errors import InputError
from functions.shared.domain.formats import checked_encoding
from functions.shared.reading.encodings import HEAD_BYTES, doubtful_encodings
from functions.shared.reading.readable import LocalFile
from functions.shared.reading.text import GZIP_MAGIC, decompressed_chunks
from infra.cli.options import console
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


def spoken_encoding(file: Path) -> str | None:
    """Return the encoding of a text whose bytes leave it in doubt, if the reader's language settles that; else None."""
    if language() != CHINESE or is_workbook(file):
        return None
    with closing(decompressed_chunks(LocalFile(file), HEAD_BYTES)) as chunks:
        head = next(chunks, b"")
    doubtful = doubtful_encodings(head)
    if _OF_CHINESE not in doubtful or _ELSEWHERE in doubtful:
        return None
    note = _("note: {file} is read as {encoding}, usual for Chinese; --encoding names another", file=file.name, encoding=_OF_CHINESE)
    console.print(note, highlight=False, soft_wrap=True, markup=False)
    return _OF_CHINESE


def _in_utf8(file: Path, encoding: str, target: Path) -> Path:
    """Return the text in UTF-8, with the mark that leaves no doubt about it."""
    try:
        known = checked_encoding(encoding)
    except ValueError as error:
        message = f"--encoding {encoding}: {error}"
        raise InputError(message, remedy="write it as in --encoding gb18030", code="usage") from error
    with file.open("rb") as stored:
        opened = gzip.open if stored.read(len(GZIP_MAGIC)) == GZIP_MAGIC else open
    try:
        with opened(file, "rt", encoding=known, newline="") as text, target.open("w", encoding="utf-8", newline="") as written:
            written.write(codecs.BOM_UTF8.decode())
            while piece := text.read(_PIECE_CHARACTERS):
                written.write(piece)
    except UnicodeDecodeError as error:
        message = f"{file} is not {encoding} throughout: {error.reason} ({error.object[error.start : error.end].hex(' ')} in hexadecimal)"
        raise InputError(message, remedy="give --encoding as the program wrote the file") from error
    return target
