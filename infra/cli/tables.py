"""`everscore query`, `everscore rows` and `everscore table`: rows as tables."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from functions.shared.domain.errors import InputError
from infra.cli.options import AsJson, Model, Overwrite, StackName, console, show
from infra.cli.outputs import ending_of, refuse_existing, refuse_long, refuse_unwritable, whole_file
from infra.cli.screens.tables import answer_screen, brought_screen, written_screen
from infra.words import _

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from functions.cataloguing.ports import Ports
    from functions.cataloguing.service import Outcome
    from infra.cli.operator import Operator

app = typer.Typer()
table_app = typer.Typer(help="Tables of what was scored.", no_args_is_help=True)

_DAY = ["%Y-%m-%d"]
Out = Annotated[Path, typer.Option("-o", "--out", help="File to write: .parquet, .csv or .xlsx.", dir_okay=False)]


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="SQL of DuckDB over MODEL_scored, MODEL_batches, MODEL_labelled and MODEL_performance.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File to write: .parquet, .csv or .xlsx.", dir_okay=False)] = None,
    overwrite: Overwrite = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Answer SQL over everything that was scored, each row once.

    In tables' names, a `-` of the model's name is a `_`.
    """
    from infra.cli.operator import connect
    from infra.cli.sql import ask, plain

    if out is not None:
        _refuse(out, overwrite=overwrite)
    answer = ask(sql, connect(stack))
    if out is not None:
        _write(answer, out)
        show({"rows": answer.num_rows, "file": str(out)}, written_screen, as_json=as_json)
        return
    columns = [[plain(value) for value in column.to_pylist()] for column in answer.columns]
    rows = [[*row] for row in zip(*columns, strict=True)]
    show({"columns": answer.column_names, "rows": rows}, answer_screen, as_json=as_json)


@app.command()
def rows(
    model: Model,
    out: Out,
    first_day: Annotated[datetime | None, typer.Option("--from", formats=_DAY, help="First event day of the rows.")] = None,
    last_day: Annotated[datetime | None, typer.Option("--to", formats=_DAY, help="Last event day of the rows.")] = None,
    version: Annotated[str | None, typer.Option("--version", help="Only rows that this version answered.")] = None,
    overwrite: Overwrite = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Write a model's scored rows of some days to a file, out of its table.

    As `everscore fetch` with days, but also by version. It needs DuckDB, and a table (`everscore table update`).
    """
    from infra.cli.operator import connect
    from infra.cli.sql import ask

    _refuse(out, overwrite=overwrite)
    operator = connect(stack)
    sql, arguments = _rows_wanted(model, first_day, last_day, version, operator)
    answer = ask(sql, operator, *arguments)
    if not answer.num_rows:
        message = f"the table of {model!r} has no such row"
        raise InputError(message, remedy="choose other days, or a version that answered on these", code="no_rows")
    _write(answer, out)
    show({"model": model, "rows": answer.num_rows, "file": str(out)}, written_screen, as_json=as_json)


@table_app.command("update")
def update(model: Model, stack: StackName = None, as_json: AsJson = False) -> None:
    """Bring a model's tables to what is stored of it now, or make them."""
    from functions.cataloguing.service import catalogue_all

    _brought(catalogue_all, model, stack, as_json=as_json)


@table_app.command("rebuild")
def rebuild(model: Model, stack: StackName = None, as_json: AsJson = False) -> None:
    """Make a model's tables again from what is stored of it.

    Columns that were left out get another chance.
    """
    from functions.cataloguing.service import rebuild

    _brought(rebuild, model, stack, as_json=as_json)


def _brought(bring: "Callable[[str, Ports], Outcome]", model: str, stack: str | None, *, as_json: bool) -> None:
    """Change a model's tables, and show what became of them."""
    from infra.cli.operator import connect
    from infra.cli.sql import tables_of

    operator = connect(stack)
    operator.release_of(model)
    with console.status(_("reading what is stored of {model}", model=model)):
        outcome = bring(model, tables_of(operator))
    columns = outcome.columns
    left_out = {name: list(kinds) for name, kinds in columns.left_out.items()}
    answer = {"model": model, "added": outcome.added, "removed": outcome.removed, "left_out": left_out, "renamed": columns.renamed}
    show(answer, brought_screen, as_json=as_json)


def _refuse(out: Path, *, overwrite: bool) -> None:
    """Refuse a file that cannot be written before anything is asked."""
    ending_of(out)
    refuse_unwritable(out)
    refuse_existing(out, overwrite=overwrite)


def _write(answer: "pa.Table", out: Path) -> None:
    """Write an answer to a file that appears when it is whole."""
    from infra.cli.row_files import begun

    refuse_long(answer.num_rows, out)
    with whole_file(out) as whole, closing(begun(whole, answer.schema, named=out)) as file:
        for part in answer.to_batches():
            file.write(part)


def _rows_wanted(
    model: str, first: datetime | None, last: datetime | None, version: str | None, operator: "Operator"
) -> tuple[str, list[object]]:
    """Return the query for a model's rows of some days, and its arguments.

    Days begin at midnight of the model's zone. Of a model without a time column they are days of arrival.
    """
    from functions.cataloguing.columns import DAY
    from functions.cataloguing.names import table_name
    from functions.cataloguing.service import SCORED
    from infra.cli.sql import tables_of

    spec = operator.spec_of(model, operator.release_of(model).champion.version)
    moment, zone = f'"{DAY}"', ZoneInfo("UTC")
    if spec.time_column:
        column = tables_of(operator).tables.open(model, SCORED).columns.standing.get(spec.time_column)
        if column is None:
            message = f"the table of {model!r} has no column for {spec.time_column!r}"
            raise InputError(message, remedy=f"`everscore table update {model}` shows why", code="no_column")
        moment, zone = f'"{column.name}"', ZoneInfo(spec.day_zone)
    conditions = [
        (f"{moment} >= ?", _midnight(first, zone) if first else None),
        (f"{moment} < ?", _midnight(last, zone, days_later=1) if last else None),
        ('"model_version" = ?', version),
    ]
    asked = [(condition, value) for condition, value in conditions if value is not None]
    where = f" WHERE {' AND '.join(condition for condition, _ in asked)}" if asked else ""
    return f'SELECT * FROM "{table_name(model, SCORED)}"{where}', [value for _, value in asked]  # noqa: S608 - values are arguments


def _midnight(day: datetime, zone: ZoneInfo, *, days_later: int = 0) -> datetime:
    """Return when a day of a zone begins, or the calendar's end if that is beyond."""
    try:
        return (day + timedelta(days=days_later)).replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if day.year == 1 else datetime.max.replace(tzinfo=UTC)
