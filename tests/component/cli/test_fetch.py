"""Scored rows are had later: of a batch or of days, in three formats."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import python_calamine

from functions.scoring.again import rescore_batch
from functions.scoring.ports import Ports
from functions.shared.domain.errors import InputError
from functions.shared.domain.manifest import Manifest, StoredFile
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.manifests import Manifests
from infra.cli import operator, outputs
from infra.cli.options import console
from infra.cli.scored_rows import ALL_DAYS, Days, write_scored
from tests.component.scoring.world import World, as_csv, as_parquet, good_rows
from tests.fakes.documents import NOW, make_manifest, serve
from tests.fakes.versions import MODEL, make_version
from tests.unit.cli.stack import Stack
from tests.unit.cli.terminal import ended

SOMEBODY = UUID("b9f1ada0-2b81-476a-86a1-a5942c8732c8")
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture
def world() -> World:
    made = World()
    serve(made.store, make_version())
    return made


@pytest.fixture
def stack(world: World, monkeypatch: pytest.MonkeyPatch) -> Stack:
    made = Stack(inbox=world.inbox, store=world.store)
    monkeypatch.setattr(operator, "connect", lambda _: made)
    return made


def scored(world: World, name: str, rows: list[dict[str, Any]]) -> Manifest:
    return world.score(world.upload(as_csv(rows), f"batches/{MODEL}/{name}.csv"))


def dated(*days: str) -> list[dict[str, Any]]:
    """Rows of these days, whose ids say which."""
    return [{**row, "id": day, "at": f"{day}T10:00:00Z"} for row, day in zip(good_rows(40), days, strict=False)]


def rescored(world: World, batch: Manifest, *, hours: int) -> Manifest:
    ports = Ports(world.inbox, world.store, Bundles(world.store), lambda: "again", lambda: NOW + timedelta(hours=hours))
    return rescore_batch(MODEL, batch.batch_id, ports)


def read_sheet(file: Path) -> list[list[Any]]:
    """The cells of a workbook's only sheet, as its XML has them: texts as they are, numbers as floats, None where there is none."""
    with zipfile.ZipFile(file) as book:
        root = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))
    rows = []
    for row in root.iter(f"{SHEET}row"):
        cells: dict[int, Any] = {}
        for cell in row:
            letters = "".join(letter for letter in cell.attrib["r"] if letter.isalpha())
            place = sum((ord(letter) - 64) * 26**power for power, letter in enumerate(reversed(letters))) - 1
            assert cell.find(f"{SHEET}f") is None, "no cell is a formula"
            kind, value = cell.attrib.get("t"), cell.find(f"{SHEET}v")
            text = "".join(part.text or "" for part in cell.iter(f"{SHEET}t"))
            cells[place] = text if kind == "inlineStr" else (value.text == "1") if kind == "b" else float(str(value.text))
        rows.append([cells.get(place) for place in range(max(cells) + 1)])
    return rows


def test_a_batch_is_had_later_byte_by_byte(stack: Stack, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = scored(world, "april", list(good_rows()))
    out = tmp_path / "rows.parquet"
    assert ended(f"fetch {MODEL} {batch.batch_id[:8]} -o {out}", monkeypatch) == 0
    assert out.read_bytes() == world.store.read(batch.outputs[0].key)


def test_the_answer_names_rows_batches_and_file(
    stack: Stack, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = scored(world, "april", list(good_rows()))
    out = tmp_path / "rows.parquet"
    assert ended(f"fetch {MODEL} --last -o {out} --json", monkeypatch) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"model": MODEL, "rows": 40, "batches": [batch.batch_id], "file": str(out), "day_zone": "UTC"}


def test_days_are_event_days_of_all_batches_row_by_row(stack: Stack, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scored(world, "a", dated("2013-04-01", "2013-04-02", "2013-04-03"))
    scored(world, "b", dated("2013-04-02", "2013-04-04"))
    scored(world, "c", dated("2013-05-01"))
    for days, expected in {
        "--from 2013-04-02 --to 2013-04-03": ["2013-04-02", "2013-04-03", "2013-04-02"],
        "--to 2013-04-01": ["2013-04-01"],
        "--from 2013-04-04": ["2013-04-04", "2013-05-01"],
        "--from 2013-04-01 --to 2013-04-30": ["2013-04-01", "2013-04-02", "2013-04-03", "2013-04-02", "2013-04-04"],
    }.items():
        assert ended(f"fetch {MODEL} {days} -o {tmp_path / 'rows.parquet'} --overwrite", monkeypatch) == 0
        assert pq.read_table(tmp_path / "rows.parquet")["id"].to_pylist() == expected


@pytest.mark.parametrize("ending", ["parquet", "csv", "xlsx"])
def test_days_and_times_are_those_of_the_models_zone(ending: str, world: World, stack: Stack, tmp_path: Path) -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    serve(world.store, make_version(timezone=shanghai.key, day_zone=shanghai.key))
    clocks = ["2013-04-01 23:59:59", "2013-04-02 00:00:00", "2013-04-02 23:59:59", "2013-04-03 00:00:00"]
    batch = scored(world, "a", [{**row, "id": clock, "at": clock} for row, clock in zip(good_rows(), clocks, strict=False)])
    out, second, spec = tmp_path / f"rows.{ending}", date(2013, 4, 2), make_version(timezone=shanghai.key, day_zone=shanghai.key).spec
    for days, expected in ((ALL_DAYS, clocks), (Days(second, second), clocks[1:3])):
        write_scored([batch], out, download=stack.download, console=console, spec=spec, days=days)
        assert clocks_in(out) == [(clock, datetime.fromisoformat(clock).replace(tzinfo=shanghai)) for clock in expected]


def clocks_in(file: Path) -> list[tuple[str, datetime]]:
    """Ids and times as a person reads them; a sheet's times have no zone, so Shanghai's is put in."""
    if file.suffix == ".parquet":
        rows = pq.read_table(file).to_pylist()
        assert all(str(row["at"].tzinfo) == "Asia/Shanghai" for row in rows)
        return [(row["id"], row["at"]) for row in rows]
    if file.suffix == ".csv":
        with file.open(newline="", encoding="utf-8") as text:
            found = list(csv.DictReader(text))
        assert all(row["at"].startswith(row["id"]) for row in found)
        return [(row["id"], datetime.fromisoformat(row["at"])) for row in found]
    _, *cells = read_sheet(file)
    begin = datetime(1899, 12, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
    return [(row[0], (begin + timedelta(seconds=round(row[1] * 86400)))) for row in cells]


def test_of_a_batch_that_was_scored_again_days_hold_the_newest_answers_only(
    stack: Stack, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = scored(world, "a", dated("2013-04-01", "2013-04-02"))
    serve(world.store, make_version("2", seed=9))
    rescored(world, batch, hours=1)
    serve(world.store, make_version("3", seed=5))
    newest = rescored(world, batch, hours=2)
    out = tmp_path / "rows.parquet"
    assert ended(f"fetch {MODEL} --from 2013-04-01 -o {out}", monkeypatch) == 0
    assert pq.read_table(out)["model_version"].to_pylist() == ["3", "3"]
    capsys.readouterr()
    assert ended(f"fetch {MODEL} {batch.batch_id} -o {out} --overwrite", monkeypatch) == 0
    assert f"batch {newest.batch_id[:8]} has the newest scores" in capsys.readouterr().err
    assert ended(f"fetch {MODEL} {newest.batch_id} -o {out} --overwrite", monkeypatch) == 0
    assert "note:" not in capsys.readouterr().err


ODD: list[dict[str, Any]] = [
    {**good_rows(5)[0], "id": "007", "note": '=HYPERLINK("http://x","y")', "shop": "a,b"},
    {**good_rows(5)[1], "id": "1e5", "note": 'two\nlines, "quoted"', "shop": "+1"},
    {**good_rows(5)[2], "id": "-", "note": "上海 \U0001f600 _x0041_", "shop": "@x"},
    {**good_rows(5)[3], "id": "9007199254740993", "note": "", "shop": " padded "},
]


def test_csv_is_read_back_by_pythons_own_reader_cell_by_cell(
    stack: Stack, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = scored(world, "odd", ODD)
    out = tmp_path / "rows.csv"
    assert ended(f"fetch {MODEL} {batch.batch_id} -o {out}", monkeypatch) == 0
    table = world.table(batch)
    with out.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == table.column_names
    read = [dict(zip(header, row, strict=True)) for row in rows]
    for row, expected in zip(read, table.to_pylist(), strict=True):
        for name in ("id", "note", "shop", "model_version"):
            assert row[name] == (expected[name] or "")
        assert float(row["score"]) == expected["score"]
        assert datetime.fromisoformat(row["at"]) == expected["at"]
        assert row["price"] == "" if expected["price"] is None else float(row["price"]) == expected["price"]


def test_a_missing_text_and_an_empty_one_stay_apart_in_csv(tmp_path: Path, stack: Stack, world: World) -> None:
    manifest = stored(world, pa.table({"id": ["a", "b"], "note": pa.array(["", None])}))
    write_scored([manifest], tmp_path / "x.csv", download=stack.download, console=console)
    read = pyarrow.csv.read_csv(
        tmp_path / "x.csv", convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    )
    assert read["note"].to_pylist() == ["", None]


def test_excels_format_holds_texts_numbers_and_times_and_no_formula(
    stack: Stack, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = scored(world, "odd", ODD)
    out = tmp_path / "rows.xlsx"
    assert ended(f"fetch {MODEL} {batch.batch_id} -o {out}", monkeypatch) == 0
    table = world.table(batch)
    header, *rows = read_sheet(out)
    assert header == table.column_names
    for cells, expected in zip(rows, table.to_pylist(), strict=True):
        row = dict(zip(header, cells, strict=True))
        assert row["id"] == expected["id"]
        assert row["note"].replace("_x005F_", "_") == expected["note"] if expected["note"] else not row["note"]
        assert (row["shop"], row["member"]) == (expected["shop"], expected["member"])
        assert row["score"] == pytest.approx(expected["score"], rel=1e-15), "a sheet holds 16 digits"
        assert row["price"] == expected["price"]
        at = datetime(1899, 12, 30, tzinfo=UTC) + timedelta(seconds=round(row["at"] * 24 * 60 * 60, 3))
        assert at == expected["at"]


def stored(world: World, *tables: pa.Table, days: dict[date, int] | None = None) -> Manifest:
    """A batch whose files hold these rows."""
    name = f"{len(world.store.keys())}.csv"
    manifest, files = make_manifest(name), []
    for number, table in enumerate(tables):
        body = io.BytesIO()
        pq.write_table(table, body)
        key = f"scored/{MODEL}/{manifest.batch_id}/a/{number}"
        world.store.write(key, body.getvalue())
        files.append(StoredFile(key=key, rows=table.num_rows, bytes=len(body.getvalue()), sha256=""))
    rows = sum(table.num_rows for table in tables)
    days = days or {date(2013, 4, 1): rows}
    return Manifests(world.store).commit(manifest.model_copy(update={"outputs": tuple(files), "rows_scored": rows, "event_days": days}))


def joined(world: World, stack: Stack, tmp_path: Path, *tables: pa.Table, ending: str = ".parquet") -> Path:
    out = tmp_path / f"rows{ending}"
    batches = [stored(world, table) for table in tables]
    assert write_scored(batches, out, download=stack.download, console=console) == sum(table.num_rows for table in tables)
    return out


def test_columns_that_only_some_batches_have_are_missing_in_the_others(world: World, stack: Stack, tmp_path: Path) -> None:
    role = pa.array(["champion"]).dictionary_encode()
    alone = pa.table({"id": ["a"], "score": [0.25], "role": role})
    both = pa.table({"id": ["b"], "score": [0.5], "role": role, "champion_score": [0.5], "challenger_score": [0.75]})
    whole = pq.read_table(joined(world, stack, tmp_path, alone, both, alone))
    assert whole.column_names == both.column_names
    assert whole["id"].to_pylist() == ["a", "b", "a"]
    assert whole["challenger_score"].to_pylist() == [None, 0.75, None]


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (pa.array([1], pa.int32()), pa.array([2**53 + 1], pa.int64()), [1, 2**53 + 1]),
        (pa.array([0.5], pa.float32()), pa.array([0.1], pa.float64()), [0.5, 0.1]),
        (pa.array([2**53 + 1]), pa.array(["x"]), ["9007199254740993", "x"]),
        (pa.array([2**53 + 1]), pa.array([0.5]), ["9007199254740993", "0.5"]),
        (pa.array([True]), pa.array(["x"]), ["true", "x"]),
        (pa.array(["x"]).dictionary_encode(), pa.array(["y"]), ["x", "y"]),
        (pa.array([None], pa.null()), pa.array([7]), [None, 7]),
        (pa.array([SOMEBODY.bytes], pa.uuid()), pa.array(["x"]), [str(SOMEBODY), "x"]),
    ],
)
def test_a_column_of_two_types_loses_nothing(
    one: pa.Array, other: pa.Array, together: list[object], world: World, stack: Stack, tmp_path: Path
) -> None:
    out = joined(world, stack, tmp_path, pa.table({"carried": one}), pa.table({"carried": other}))
    assert pq.read_table(out)["carried"].to_pylist() == together


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_a_uuid_leaves_as_the_text_that_people_write(ending: str, world: World, stack: Stack, tmp_path: Path) -> None:
    out = joined(world, stack, tmp_path, pa.table({"id": pa.array([SOMEBODY.bytes, None], pa.uuid()), "n": [1, 2]}), ending=ending)
    rows = (
        list(csv.reader(out.read_text().splitlines()))
        if ending == ".csv"
        else python_calamine.CalamineWorkbook.from_path(out).get_sheet_by_index(0).to_python()
    )
    assert [row[0] for row in rows] == ["id", str(SOMEBODY), ""]


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32()])
def test_whole_numbers_leave_in_csv_with_all_their_digits(kind: pa.DataType, world: World, stack: Stack, tmp_path: Path) -> None:
    numbers = [17179869184.0, 1e10, -34359738368.0, 7.0, None, 0.5]
    for values in (numbers, numbers[:5]):
        out = joined(world, stack, tmp_path, pa.table({"id": pa.array(values, kind), "note": ["x"] * len(values)}), ending=".csv")
        with out.open(newline="") as file:
            read = [row["id"] for row in csv.DictReader(file)]
        assert read == ["" if value is None else f"{value:.15g}" for value in values]


def test_floats_that_are_not_whole_keep_every_digit_in_csv(world: World, stack: Stack, tmp_path: Path) -> None:
    values = [0.1, 1e300, 2.0**53 + 2, 12345678901.25, 10.0**15]
    out = joined(world, stack, tmp_path, pa.table({"carried": values}), ending=".csv")
    with out.open(newline="") as file:
        assert [float(row["carried"]) for row in csv.DictReader(file)] == values


@pytest.mark.parametrize("value", [19999007021.0, 199990070210, 199990070210.0, 10**15, 1e15, 2.0**53])
def test_whole_numbers_leave_in_a_sheet_with_all_their_digits(value: float, world: World, stack: Stack, tmp_path: Path) -> None:
    out = joined(world, stack, tmp_path, pa.table({"id": [value]}), ending=".xlsx")
    read = python_calamine.load_workbook(out).get_sheet_by_index(0).to_python()[1][0]
    assert (str(int(read)) if isinstance(read, float) else read) == str(int(value))


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_what_a_format_cannot_hold_is_refused_with_one_that_can(ending: str, world: World, stack: Stack, tmp_path: Path) -> None:
    nested = pa.table({"id": ["a"], "tags": pa.array([["x"]])})
    said = rf"column 'tags' holds lists, records or bytes \(list.*\), which {ending} cannot hold\nremedy: write {tmp_path}/rows.parquet instead$"
    with pytest.raises(InputError, match=said):
        joined(world, stack, tmp_path, nested, ending=ending)
    assert [*tmp_path.iterdir()] == []


def test_a_text_beyond_a_cell_is_refused_and_leaves_no_file(world: World, stack: Stack, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="row 2, column 'note': a text of 32,768 characters; a cell of Excel holds 32,767"):
        joined(world, stack, tmp_path, pa.table({"note": ["x" * 32767, "y" * 32768]}), ending=".xlsx")
    assert [*tmp_path.iterdir()] == []


def test_where_a_file_cannot_hold_the_rows_the_batch_is_scored_and_another_file_takes_them(
    stack: Stack, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = scored(world, "april", [{**row, "note": "x" * 32_768} for row in good_rows(2)])
    (tmp_path / "april.csv").write_text("id\n")
    monkeypatch.setattr(stack, "upload_file", lambda key, *_: world.inbox.info(batch.source.key))
    monkeypatch.setattr(stack, "await_manifest", lambda *_, **__: batch)
    assert ended(f"score {MODEL} {tmp_path / 'april.csv'} -o {tmp_path / 'rows.xlsx'} --json", monkeypatch) == 2
    answer = json.loads(capsys.readouterr().out)
    fetch = f"fetch {MODEL} {batch.batch_id[:8]} -o {tmp_path / 'rows.parquet'}"
    assert (answer["code"], answer["remedy"]) == ("unfit_file", f"the batch is scored: `everscore {fetch}` writes its rows")
    assert ended(fetch, monkeypatch) == 0
    assert pq.read_table(tmp_path / "rows.parquet")["note"].to_pylist() == ["x" * 32_768] * 2


@pytest.mark.parametrize(
    "asked", ["score {model} new.csv -o {out}", "score {model} new.csv -o {out} --offline", "replay {model} {batch} new.csv -o {out}"]
)
def test_a_file_that_is_there_is_kept_before_anything_is_sent(
    asked: str, stack: Stack, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = scored(world, "april", good_rows(2))
    monkeypatch.chdir(tmp_path)
    Path("new.csv").write_bytes(as_csv(good_rows(2)))
    Path("mine.csv").write_text("mine")
    uploads = len([*world.inbox.list("")])
    assert ended(f"{asked.format(model=MODEL, batch=batch.batch_id, out='mine.csv')} --json", monkeypatch) == 2
    answer = json.loads(capsys.readouterr().out)
    assert (answer["code"], answer["error"]) == ("exists", "mine.csv exists already")
    assert (Path("mine.csv").read_text(), len([*world.inbox.list("")])) == ("mine", uploads)


def test_a_file_is_replaced_when_asked_for_but_never_the_rows_to_score(
    stack: Stack, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = scored(world, "april", good_rows(2))
    monkeypatch.chdir(tmp_path)
    Path("april.csv").write_bytes(as_csv(good_rows(2)))
    Path("rows.csv").write_text("earlier")
    monkeypatch.setattr(stack, "upload_file", lambda key, *_: world.inbox.info(batch.source.key))
    monkeypatch.setattr(stack, "await_manifest", lambda *_, **__: batch)
    assert ended(f"score {MODEL} april.csv -o rows.csv --overwrite", monkeypatch) == 0
    assert len([*csv.DictReader(io.StringIO(Path("rows.csv").read_text()))]) == 2
    assert ended(f"score {MODEL} april.csv -o april.csv --overwrite", monkeypatch) == 2
    assert "holds the rows to score" in capsys.readouterr().err
    assert Path("april.csv").read_bytes() == as_csv(good_rows(2))


def test_more_rows_than_a_sheet_has_are_refused_before_anything_is_fetched(
    stack: Stack, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(world, pa.table({"id": ["a"]}), days={date(2013, 4, 1): 1_048_576})
    monkeypatch.setattr(stack, "download", pytest.fail)
    assert ended(f"fetch {MODEL} --from 2013-04-01 -o {tmp_path / 'rows.xlsx'} --json", monkeypatch) == 2
    answer = json.loads(capsys.readouterr().out)
    assert (answer["code"], answer["remedy"]) == ("too_many_rows", f"write {tmp_path}/rows.parquet or {tmp_path}/rows.csv")


def test_rows_beyond_a_sheet_that_no_manifest_counted_are_refused_too(
    world: World, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "SHEET_ROWS", 3)
    with pytest.raises(InputError, match="4 rows do not fit"):
        joined(world, stack, tmp_path, pa.table({"id": ["a", "b"]}), pa.table({"id": ["c", "d"]}), ending=".xlsx")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("-o rows.parquet", "it is not clear which rows are wanted"),
        ("0123 --last -o rows.parquet", "it is not clear which rows are wanted"),
        ("--last --to 2013-04-01 -o rows.parquet", "it is not clear which rows are wanted"),
        ("--from 2013-04-02 --to 2013-04-01 -o rows.parquet", "is after"),
        ("--from yesterday -o rows.parquet", "yesterday"),
        ("--last -o rows.feather", "end the file's name in .parquet, .csv or .xlsx"),
        ("--last -o /no/such/folder/rows.csv", "/no/such/folder"),
        ("--last -o here.csv", "exists already"),
        ("--from 2014-01-01 -o rows.csv", "choose days from 2013-04-01 to 2013-04-02 (UTC)"),
        ("ffff -o rows.csv", "fits no batch of 'sales'"),
    ],
)
def test_what_cannot_be_fetched_is_refused(
    arguments: str,
    said: str,
    stack: Stack,
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scored(world, "a", dated("2013-04-01", "2013-04-02"))
    monkeypatch.chdir(tmp_path)
    Path("here.csv").write_text("mine")
    assert ended(f"fetch {MODEL} {arguments}", monkeypatch) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["here.csv"]
    assert Path("here.csv").read_text() == "mine"


def test_a_last_batch_that_failed_is_not_passed_over(
    stack: Stack, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scored(world, "a", dated("2013-04-01"))
    world.score(world.upload(b"", f"batches/{MODEL}/empty.csv"))
    monkeypatch.setattr("tests.component.scoring.world.NOW", NOW + timedelta(hours=1))
    world.score(world.upload(b"", f"batches/{MODEL}/empty2.csv"))
    assert ended(f"fetch {MODEL} --last -o {tmp_path / 'rows.csv'}", monkeypatch) == 2
    assert "empty2.csv) has no scored row: the file has no bytes" in capsys.readouterr().err


def test_a_model_without_times_has_days_of_arrival() -> None:
    batch = make_manifest(day=date(2013, 4, 7), event_days={date(2013, 4, 7): 3})
    assert Days(first=date(2013, 4, 7)).rows(batch) == 3
    assert Days(last=date(2013, 4, 6)).rows(batch) == 0


@pytest.fixture(autouse=True)
def _nothing_stays_in_the_folder(tmp_path: Path) -> Iterator[None]:
    yield
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".everscore-")]


def test_ids_of_parquet_keep_their_type(stack: Stack, world: World, tmp_path: Path) -> None:
    rows = [{**row, "id": 2**53 + number} for number, row in enumerate(good_rows(3))]
    batch = world.score(world.upload(as_parquet(rows), f"batches/{MODEL}/p.parquet"))
    write_scored([batch], tmp_path / "rows.csv", download=stack.download, console=console)
    with (tmp_path / "rows.csv").open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [str(2**53 + number) for number in range(3)]


@pytest.mark.parametrize("rows", ["--last", "--from 2013-04-01"])
def test_rows_that_have_expired_are_refused_with_what_can_be_done(
    rows: str, stack: Stack, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scored(world, "a", dated("2013-04-01", "2013-04-02"))
    world.store.delete([info.key for info in world.store.list("scored/")])
    out = tmp_path / "rows.parquet"
    assert ended(f"fetch {MODEL} {rows} -o {out} --json", monkeypatch) == 2
    refusal = json.loads(capsys.readouterr().out)
    assert (refusal["code"], "expired in 1 of 1 batch," in refusal["error"]) == ("rows_expired", True)
    assert f"everscore rescore {MODEL}" in refusal["remedy"]
    assert list(tmp_path.iterdir()) == []
