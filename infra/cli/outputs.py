"""Files that commands write: what can be refused before any work is done."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from functions.shared.domain.errors import InputError

ENDINGS = (".parquet", ".csv", ".xlsx")
"""Endings of files that scored rows can be written to."""

SHEET_ROWS, SHEET_COLUMNS, CELL_CHARACTERS = 1_048_575, 16_384, 32_767
"""What an Excel sheet holds: rows below the header, columns, and characters per cell."""

_BEGINNING_BYTES = 4096
"""How much of a page is read to see whose it is."""


def ending_of(out: Path) -> str:
    """Return the ending of a file of scored rows, which says its format.

    Raises:
        InputError: if the ending is none of `ENDINGS`.
    """
    if (ending := out.suffix.lower()) not in ENDINGS:
        message = f"{out} has no ending that says how to write rows"
        raise InputError(message, remedy=f"end the file's name in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}", code="unknown_ending")
    return ending


@contextmanager
def whole_file(out: Path) -> Iterator[Path]:
    """Give a place to write a file or folder, which becomes `out` when whole.

    On a full disk or after Ctrl-C nothing half-written is left, and what was there before stays.
    """
    with TemporaryDirectory(dir=out.absolute().parent, prefix=".everscore-") as folder:
        whole = Path(folder, out.name)
        yield whole
        whole.replace(out)


def refuse_unwritable(out: Path) -> None:
    """Check that a file can be written at this place."""
    folder = out.absolute().parent
    if not os.access(folder, os.W_OK):
        what = "is not writable" if folder.exists() else "does not exist"
        raise InputError(f"{out} cannot be written: its folder {what}", remedy="name a file in another folder", code="unwritable")


def refuse_existing(out: Path, *, overwrite: bool) -> None:
    """Check that no file is there, or that it may be replaced."""
    if out.exists() and not overwrite:
        remedy = "name another file; --overwrite replaces this one, whatever it holds"
        raise InputError(f"{out} exists already", remedy=remedy, code="exists")


def refuse_replacing(out: Path, *, ours: str, overwrite: bool) -> None:
    """Check that a page can be written here without the loss of another file.

    Args:
        out: the page's file.
        ours: text that the beginning of an earlier page of the same kind holds; such a page may be replaced.
        overwrite: whether any file may be replaced.
    """
    refuse_unwritable(out)
    if out.is_dir():
        raise InputError(f"{out} is a folder", remedy="name a file in it with -o", code="exists")
    if overwrite or not out.exists():
        return
    with out.open("rb") as file:
        if ours.encode() in file.read(_BEGINNING_BYTES):
            return
    message = f"{out} exists already, and Everscore did not write it"
    raise InputError(message, remedy="name another file with -o; --overwrite replaces this one, whatever it holds", code="exists")


def refuse_long(rows: int, out: Path) -> None:
    """Check that a file can hold this many rows."""
    if ending_of(out) == ".xlsx" and rows > SHEET_ROWS:
        message = f"{rows:,} rows do not fit into {out.name}: an Excel sheet holds {SHEET_ROWS:,} below its header"
        raise unfit(message, out, code="too_many_rows")


def unfit(message: str, out: Path, *, csv_fits: bool = True, code: str = "unfit_file") -> InputError:
    """Return the refusal of rows that a file's format cannot hold, with one that can."""
    parquet = out.with_suffix(".parquet")
    remedy = f"write {parquet} or {out.with_suffix('.csv')}" if csv_fits else f"write {parquet} instead"
    return InputError(message, remedy=remedy, code=code)
