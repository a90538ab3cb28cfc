"""One sheet of an Excel workbook as JSON lines.

Numbers stay numbers, dates are ISO 8601, empty cells are missing.

Each row keeps its number: line 7 of the text is row 7 of the sheet, so that messages lead back to it.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from functions.shared.domain.errors import InputError
from functions.shared.domain.rejections import FileCode
from functions.shared.reading.file_formats import WORKBOOK

_HEAD_BYTES = 16
_EXACT = 2.0**53
"""Whole numbers beyond it are not all kept by a cell."""

type _Cells = Sequence[Any]


def is_workbook(file: Path) -> bool:
    """Return whether a file is a workbook, whatever it is called."""
    with file.open("rb") as stored:
        return WORKBOOK.begins(stored.read(_HEAD_BYTES))


def write_lines(file: Path, sheet: str | None, target: Path) -> None:
    """Write the rows of a workbook's sheet to `target`, one JSON object per line.

    The text begins with the mark of UTF-8, so that no model's own encoding is taken for it.

    Args:
        sheet: its name; by default the only visible one that holds anything.

    Raises:
        InputError: if the workbook cannot be read, or it is not clear which sheet is meant, or a column's name stands there twice.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with closing(CalamineWorkbook.from_path(file)) as book:
            rows: list[_Cells] = list(book.get_sheet_by_name(_chosen(book, file, sheet)).iter_rows())
    except CalamineError as error:
        message = f"{file} cannot be read as a workbook: {error}"
        raise InputError(message, remedy="open it in Excel and save it as .xlsx without a password, or as CSV") from error
    with target.open("w", encoding="utf-8-sig") as lines:
        lines.writelines(line + "\n" for line in _lines(file, rows))


def _chosen(book: Any, file: Path, sheet: str | None) -> str:
    """Return the name of the sheet that is meant."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    names: list[str] = [found.name for found in book.sheets_metadata if found.typ is SheetTypeEnum.WorkSheet]
    if sheet is not None:
        if sheet not in names:
            message = f"{file} has no sheet {sheet!r}; it has {', '.join(map(repr, names))}"
            raise InputError(message, code="unknown_sheet")
        return sheet
    shown = {found.name for found in book.sheets_metadata if found.visible is SheetVisibleEnum.Visible}
    filled = [name for name in names if name in shown and book.get_sheet_by_name(name).start is not None]
    if len(filled) > 1:
        message = f"{file} holds rows in {len(filled)} sheets: {', '.join(map(repr, filled))}"
        raise InputError(message, remedy=f"name one: --sheet {filled[0]!r}", code="several_sheets")
    if not filled:
        raise _nothing_in(file)
    return filled[0]


def _lines(file: Path, rows: Sequence[_Cells]) -> Iterator[str]:
    """Yield a text per row; the header and rows without values yield an empty one."""
    head = next((number for number, cells in enumerate(rows) if _is_filled(cells)), None)
    if head is None:
        raise _nothing_in(file)
    names = _names(file, rows, head)
    for number, cells in enumerate(rows):
        is_row = number > head and _is_filled(cells)
        yield json.dumps({name: _value(cells[place]) for place, name in names.items()}, ensure_ascii=False) if is_row else ""


def _names(file: Path, rows: Sequence[_Cells], head: int) -> dict[int, str]:
    """Return the columns' names by their places.

    One without a name is called by its place, and left out where it has no value either.
    """
    below = rows[head + 1 :]
    filled = [place for place, cell in enumerate(rows[head]) if cell != "" or any(cells[place] != "" for cells in below)]
    names = {place: str(_value(rows[head][place]) or f"column_{place + 1}").strip() for place in filled}
    for name, times in Counter(names.values()).items():
        if times > 1:
            message = f"{file} has {times} columns {name!r} in row {head + 1}"
            raise InputError(message, remedy="rename or remove all but one", code=FileCode.DUPLICATE_COLUMN)
    return names


def _nothing_in(file: Path) -> InputError:
    remedy = "write the columns' names into the first row, and the rows below it"
    return InputError(f"{file} holds nothing in the sheet that is read", remedy=remedy, code=FileCode.EMPTY_FILE)


def _is_filled(cells: _Cells) -> bool:
    return any(cell != "" for cell in cells)


def _value(cell: Any) -> str | float | int | bool | None:
    """Return a cell as JSON has it: a duration in seconds, dates and times as text."""
    match cell:
        case "":
            return None
        case bool() | str():
            return cell
        case timedelta():
            return _value(cell.total_seconds())
        case datetime() | date() | time():
            return cell.isoformat()
        case float() if cell.is_integer() and abs(cell) <= _EXACT:
            return int(cell)
        case _:
            return float(cell)
