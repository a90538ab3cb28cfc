"""A file as the functions read it: text of a named encoding becomes UTF-8 before it is uploaded."""

import codecs
import gzip
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from functions.shared.domain.errors import InputError
from functions.shared.domain.formats import checked_encoding
from functions.shared.reading.text import GZIP_MAGIC

_PIECE_CHARACTERS = 1 << 20


@contextmanager
def converted(file: Path, *, encoding: str | None) -> Iterator[Path]:
    """The file itself, or one in its place until the block ends.

    Args:
        file: what a person wants to send.
        encoding: of its text, if a person named it.

    Raises:
        InputError: if the text is not of that encoding.
    """
    if encoding is None:
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="everscore-") as folder:
        yield _in_utf8(file, encoding, Path(folder, file.name.removesuffix(".gz")))


def _in_utf8(file: Path, encoding: str, target: Path) -> Path:
    """The text in UTF-8, with the mark that leaves no doubt about it."""
    try:
        known = checked_encoding(encoding)
    except ValueError as error:
        message = f"--encoding {encoding}: {error}"
        raise InputError(message) from error
    with file.open("rb") as stored:
        opened = gzip.open if stored.read(len(GZIP_MAGIC)) == GZIP_MAGIC else open
    try:
        with opened(file, "rt", encoding=known, newline="") as text, target.open("w", encoding="utf-8", newline="") as written:
            written.write(codecs.BOM_UTF8.decode())
            while piece := text.read(_PIECE_CHARACTERS):
                written.write(piece)
    except UnicodeDecodeError as error:
        message = f"{file} is not {encoding} throughout: {error.reason} ({error.object[error.start : error.end].hex(' ')} in hexadecimal)"
        raise InputError(message, remedy="name the encoding that the program has which wrote it") from error
    return target
