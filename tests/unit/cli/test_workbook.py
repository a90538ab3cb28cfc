"""Sheets of Excel as the functions read them. Workbooks are written by xlsxwriter, which shares no code with what reads them."""

import codecs
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from functions.shared.domain.errors import InputError
from functions.shared.domain.formats import Formats
from functions.shared.reading.files import infer_columns, read_table
from functions.shared.reading.readable import LocalFile
from functions.shared.reading.rules import ColumnKind
from infra.cli import operator
from infra.cli.converted import converted
from infra.cli.erasure import ids_in
from tests.fakes.documents import serve
from tests.fakes.versions import MODEL, make_version
from tests.unit.cli.stack import Stack
from tests.unit.cli.terminal import ended

type Sheets = Mapping[str, Sequence[Sequence[Any]]]
type Write = Callable[[Sheets], Path]

ROWS = [["id", "fee"], [1, 2.5], [2, 3]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(sheets: Sheets, *, hidden: str = "") -> Path:
        file = tmp_path / "june.xlsx"
        with xlsxwriter.Workbook(file, {"default_date_format": "yyyy-mm-dd hh:mm:ss"}) as book:
            elapsed = book.add_format({"num_format": "[h]:mm"})
            for name, rows in sheets.items():
                sheet = book.add_worksheet(name)
                sheet.add_write_handler(timedelta, lambda sheet, row, place, took, _: sheet.write_datetime(row, place, took, elapsed))
                for place, row in enumerate(rows):
                    sheet.write_row(place, 0, row)
                if name == hidden:
                    sheet.hide()
        return file

    return written


def lines_of(file: Path, sheet: str | None = None) -> list[Any]:
    """Each line of what is sent: an object, or None where it is blank."""
    with converted(file, sheet=sheet) as sent:
        assert sent.name == "june.xlsx.jsonl"
        return [json.loads(line) if line else None for line in sent.read_text("utf-8-sig").split("\n")[:-1]]


@pytest.mark.parametrize("named", ["cp1252", "gb18030"])
def test_a_sheet_is_never_read_in_the_encoding_of_the_models_own_files(named: str, write: Write) -> None:
    with converted(write({"rows": [["id", "city"], ["Müller-1", "Zürich"]]})) as sent:
        columns = {"id": ColumnKind.ID, "city": ColumnKind.CATEGORY}
        assert sent.read_bytes().startswith(codecs.BOM_UTF8)
        found = read_table(LocalFile(sent), key=sent.name, columns=columns, formats=Formats(encoding=named))
    assert found.table.to_pylist() == [{"id": "Müller-1", "city": "Zürich"}]


def test_a_sheet_is_sent_with_its_values_and_its_row_numbers(write: Write) -> None:
    header = ["id", " fee ", "on", "at", "took", "paid", "word"]
    first = [20240501123, 0.1, date(2024, 5, 1), datetime(2024, 5, 1, 5, 15, 30), timedelta(hours=30), True, 'say "hi"\n北京']
    assert lines_of(write({"rows": [[], header, first, [], ["007"]]})) == [
        None,
        None,
        {"id": 20240501123, "fee": 0.1, "on": "2024-05-01", "at": "2024-05-01T05:15:30", "took": 108000, "paid": True, "word": first[-1]},
        None,
        dict.fromkeys(["fee", "on", "at", "took", "paid", "word"]) | {"id": "007"},
    ]


def test_what_is_sent_is_read_as_the_sheet_shows_it(write: Write) -> None:
    moment = datetime(2024, 5, 1, 5, 15, 30)
    file = write({"rows": [["id", "n", "at", "ok", "word"], [12345678901, 1.5, moment, True, "x"], ["a", "n/a", "", False, 7]]})
    with converted(file) as sent:
        source = LocalFile(sent)
        kinds = infer_columns(source, key=sent.name)
        read = read_table(source, key=sent.name, columns={"id": ColumnKind.ID, "n": ColumnKind.NUMBER}, carry=True)
    assert kinds == {"id": "category", "n": "number", "at": "time", "ok": "boolean", "word": "category"}
    assert read.table.select(["id", "n"]).to_pylist() == [{"id": "12345678901", "n": 1.5}, {"id": "a", "n": None}]


def test_numbers_of_a_sheet_mean_the_same_where_texts_have_a_decimal_comma(write: Write) -> None:
    german = Formats(decimal=",", thousands=".")
    with converted(write({"rows": [["id", "n"], ["a", 1.234], ["b", "1.234,5"]]})) as sent:
        read = read_table(LocalFile(sent), key=sent.name, columns={"id": ColumnKind.ID, "n": ColumnKind.NUMBER}, formats=german)
    assert read.table["n"].to_pylist() == [1.234, 1234.5]


def test_an_error_of_a_formula_is_a_missing_value(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "june.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["id", "n"])
        sheet.write_number(1, 0, 1)
        sheet.write_formula(1, 1, "=1/0", None, "#DIV/0!")
    assert lines_of(tmp_path / "june.xlsx") == [None, {"id": 1, "n": None}]


def test_a_column_without_a_name_is_called_by_its_place_if_it_holds_anything(write: Write) -> None:
    assert lines_of(write({"rows": [["id", "", "", "n"], [1, "", "x", 2]]}))[1] == {"id": 1, "column_3": "x", "n": 2}


def test_the_only_sheet_that_shows_anything_is_taken(write: Any) -> None:
    assert lines_of(write({"notes": [], "rows": ROWS, "lists": ROWS}, hidden="lists"))[1:] == [{"id": 1, "fee": 2.5}, {"id": 2, "fee": 3}]


def test_of_several_sheets_one_must_be_named(write: Write) -> None:
    file = write({"may": ROWS, "june": [["id"], [9]]})
    with pytest.raises(InputError, match="holds rows in 2 sheets: 'may', 'june'") as refused:
        lines_of(file)
    assert refused.value.remedy == "name one: --sheet 'may'"
    assert lines_of(file, "june") == [None, {"id": 9}]


@pytest.mark.parametrize(
    ("sheets", "sheet", "said"),
    [
        ({"may": ROWS}, "june", "has no sheet 'june'; it has 'may'"),
        ({"may": []}, None, "holds nothing"),
        ({"may": []}, "may", "holds nothing"),
        ({"may": [["id", "id "], [1, 2]]}, None, "has 2 columns 'id' in row 1"),
    ],
)
def test_a_workbook_that_leaves_a_doubt_is_refused(write: Write, sheets: Sheets, sheet: str | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        lines_of(write(sheets), sheet)


@pytest.mark.parametrize("body", [b"PK\x03\x04 no archive", b"\xd0\xcf\x11\xe0" + bytes(600)])
def test_a_damaged_workbook_is_refused_with_the_remedy(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "june.xlsx").write_bytes(body)
    with pytest.raises(InputError, match="cannot be read as a workbook") as refused:
        lines_of(tmp_path / "june.xlsx")
    assert "save it as .xlsx without a password" in str(refused.value.remedy)


def test_what_is_no_workbook_has_no_sheet(tmp_path: Path) -> None:
    (tmp_path / "june.csv").write_text("id\n1\n")
    with pytest.raises(InputError, match="no workbook"):
        lines_of(tmp_path / "june.csv", "rows")


def test_ids_to_erase_may_stand_in_a_sheet(write: Write) -> None:
    with converted(write({"rows": [["id"], [7], ["8"], [7]]})) as sent:
        assert ids_in(sent, make_version().spec) == ["7", "8"]


@pytest.mark.parametrize("command", ["score", "labels"])
def test_commands_send_the_rows_of_a_sheet(command: str, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    serve(stack.store, make_version())
    monkeypatch.setattr(operator, "connect", lambda _: stack)
    monkeypatch.setattr(stack, "upload_file", lambda key, file, _: stack.inbox.write(key, file.read_bytes()))
    spec = make_version().spec
    file = write(
        {"may": [[spec.id_column, spec.target], [7, spec.classes[0]]], "june": [[spec.id_column, spec.target], [8, spec.classes[0]]]}
    )
    assert ended(f"{command} {MODEL} {file} --sheet june", monkeypatch) == 0
    (sent,) = [stack.inbox.read(info.key) for info in stack.inbox.list("")]
    assert json.loads(sent) == {spec.id_column: 8, spec.target: spec.classes[0]}
