"""Files that commands write rows to: what can be refused before any work is done."""

import os
from pathlib import Path

from functions.shared.domain.errors import InputError

ENDINGS = (".parquet", ".csv", ".xlsx")
"""Of files that scored rows can be written to."""

SHEET_ROWS, SHEET_COLUMNS, CELL_CHARACTERS = 1_048_575, 16_384, 32_767
"""What a sheet of Excel holds: rows below the header, columns, and characters of a cell."""


def ending_of(out: Path) -> str:
    """The ending of a file of scored rows, which says its format.

    Raises:
        InputError: if it says none.
    """
    if (ending := out.suffix.lower()) not in ENDINGS:
        message = f"{out}: rows are written as Parquet, CSV or Excel's own format"
        raise InputError(message, remedy=f"end its name in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}", code="unknown_ending")
    return ending


def refuse_unwritable(out: Path) -> None:
    """Pass if a file can be written where it is to be."""
    if not os.access(out.absolute().parent, os.W_OK):
        message = f"{out}: its folder does not exist or cannot be written to"
        raise InputError(message, code="unwritable")


def refuse_long(rows: int, out: Path) -> None:
    """Pass if a file can hold so many rows."""
    if ending_of(out) == ".xlsx" and rows > SHEET_ROWS:
        message = f"{rows:,} rows do not fit into {out.name}: a sheet of Excel holds {SHEET_ROWS:,} below its header"
        raise InputError(message, remedy=f"write {out.stem}.parquet or {out.stem}.csv", code="too_many_rows")
