"""`everscore cost`: the monthly bill, before anything is deployed."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from functions.shared.domain.errors import InputError
from infra.cli.options import AsJson, show
from infra.cli.screens.prose import Prose
from infra.cost.deployed import deployed
from infra.cost.estimate import Basis, Bill, Load, additions, bytes_in, idle_month, labels_bill, scoring_bill, tables_bill, watching_bill
from infra.cost.prices import listed_prices
from infra.cost.quotas import listed_quotas
from infra.cost.scale import forecast, partitions_of, template_settings
from infra.cost.series import all_series, series_of_a_model, series_of_a_stack
from infra.cost.speed import MODELS, measured
from infra.words import _, coded, plural, stored

app = typer.Typer()
MILLION = 1_000_000


def whole_number(text: str) -> int:
    """Return a whole number from 1 on, which may be written like 1e9.

    >>> whole_number("1e9"), whole_number("30")
    (1000000000, 30)
    """
    try:
        value = float(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a number") from error
    if not 1 <= value <= 1e15 or value != int(value):
        raise typer.BadParameter(f"{text} is not a whole number from 1 to 1e15")
    return int(value)


@app.command()
def cost(
    rows: Annotated[int, typer.Option(parser=whole_number, help="Rows scored per month, over all models, e.g. 1e9.")],
    columns: Annotated[int, typer.Option(min=1, help="Columns per row.")] = 14,
    models: Annotated[int, typer.Option(min=0, help="Number of models.")] = 1,
    files: Annotated[int, typer.Option(parser=whole_number, help="Number of files that hold the rows.")] = 30,
    label_files: Annotated[
        int | None, typer.Option(min=0, help="Number of files of labels, each for rows of one file and day (default: as many as --files).")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="How the model is scored: bitvector (boosted trees, as XGBoost's and LightGBM's) or linear (linear models).")
    ] = "bitvector",
    at_once: Annotated[int | None, typer.Option(min=1, help="Scoring functions that may run at once (default: the template's).")] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate the monthly AWS bill: idle, per million rows, and in total.

    It uses measured speed and listed prices.
    """
    basis = Basis(measured(), listed_prices(), deployed())
    model = MODELS.get(engine, engine)  # earlier commands named the benchmark's model
    if model not in basis.measured.stages.seconds:
        remedy = f"choose from: {', '.join(MODELS)}"
        raise InputError(f"no speed was measured for --engine {engine}", remedy=remedy, code="usage")
    load = Load(rows, columns, files, model, models, files if label_files is None else label_files)
    show(_answer(load, basis, engine, at_once), _screen, as_json=as_json)


def _answer(load: Load, basis: Basis, engine: str, at_once: int | None) -> dict[str, Any]:
    """Return the bills of a load, its time, and what they rest on."""
    idle = idle_month(basis, load.models)
    scoring = scoring_bill(load, basis, partitions=partitions_of(load, basis, template_settings()))
    labels, tables, watching = labels_bill(load, basis), tables_bill(load, basis), watching_bill(load, basis.prices)
    stages, prices = basis.measured.stages, basis.prices
    listed = f"prices of {prices.as_of}, {prices.region}"
    return {
        "rows": load.rows,
        "files": load.files,
        "label_files": load.label_files,
        "models": load.models,
        "dollars_a_million_rows": scoring.dollars / load.rows * MILLION,
        "dollars_for_the_rows": scoring.dollars,
        "dollars_for_their_labels": labels.dollars,
        "dollars_for_their_tables": tables.dollars,
        "dollars_for_their_metrics": watching.dollars,
        "dollars_total": sum(bill.dollars for bill in (idle, scoring, labels, tables, watching)),
        "dollars_an_idle_month": idle.dollars,
        "dollars_an_idle_month_beyond_free": idle.dollars_beyond_free,
        "metric_series": all_series(load.models, load.columns),
        "prometheus_series": series_of_a_stack().prometheus + load.models * series_of_a_model(load.columns).prometheus,
        "alarms": basis.deployed.alarms,
        "idle": _items(idle),
        "scoring": _items(scoring),
        "labels": _items(labels),
        "tables": _items(tables),
        "watching": _items(watching),
        "additions": _items(additions(basis.prices)),
        "time": _time(load, basis, at_once),
        "basis": f"{listed}; {engine} as measured on {stages.date}, {stages.machine}",
    }


def _items(bill: Bill) -> list[dict[str, Any]]:
    return [
        {"what": line.what, "amount": line.amount, "each": line.price.dollars, "dollars": line.dollars, "source": line.price.source}
        for line in bill.lines
    ]


def _time(load: Load, basis: Basis, at_once: int | None) -> dict[str, Any]:
    quotas = listed_quotas()
    file_gb = bytes_in(load, basis.measured) / load.files / 1e9
    if file_gb > quotas.object_gb.amount:
        message = f"each file would have {file_gb:,.0f} GB, and an S3 object holds at most {quotas.object_gb.amount:,} GB"
        raise InputError(message, remedy="raise --files", code="usage")
    foreseen, unit = forecast(load, basis, quotas, template_settings(at_once))
    return {
        "unit": unit,
        "units": foreseen.units,
        "seconds_a_unit": foreseen.seconds_a_unit,
        "seconds": foreseen.seconds,
        "units_an_hour": foreseen.units_an_hour,
        "limits": [{"what": limit.what, "units_a_second": limit.units_per_s, "moved_by": limit.moved_by} for limit in foreseen.limits],
        "quotas_of": quotas.as_of,
    }


def _screen(answer: dict[str, Any]) -> Group:
    table = Table(box=None, pad_edge=False)
    for heading in ("", _("amount"), _("each, $"), _("$ per month")):
        table.add_column(heading, justify="right" if heading else "left")
    rows = plural("{number:,} row", "{number:,} rows", answer["rows"])
    files = plural("{number:,} file", "{number:,} files", answer["files"])
    label_files = plural("{number:,} file", "{number:,} files", answer["label_files"])
    for title, part, total in (
        (_("An idle month"), "idle", "dollars_an_idle_month"),
        (_("Scoring {rows} in {files}", rows=rows, files=files), "scoring", "dollars_for_the_rows"),
        (_("Labels of these rows, in {files}", files=label_files), "labels", "dollars_for_their_labels"),
        (_("Tables of these rows, unless Tables=off"), "tables", "dollars_for_their_tables"),
        (_("Metrics of these batches"), "watching", "dollars_for_their_metrics"),
    ):
        table.add_row(Text(title, style="bold"), "", "", Text(f"{answer[total]:,.2f}", style="bold"))
        for item in answer[part]:
            table.add_row(*_cells(item))
    table.add_row(Text(_("Total"), style="bold"), "", "", Text(f"{answer['dollars_total']:,.2f}", style="bold"))
    table.add_row(Text(_("Not in it: what a deployment may have in addition"), style="bold"), "", "", "")
    for item in answer["additions"]:
        table.add_row(*_cells(item))
    return Group(table, Text(), *map(Prose, _sentences(answer)), Prose(stored(answer["basis"]), style="dim"))


def _sentences(answer: dict[str, Any]) -> Iterator[str]:
    """Yield what the figures amount to, in words."""
    time = answer["time"]
    narrowest = time["limits"][0]
    duration = {
        "seconds": amount(time["seconds"]),
        "units": time["units"],
        "unit": _named(time["unit"]),
        "each": amount(time["seconds_a_unit"]),
    }
    limit = {"what": _named(narrowest["what"]), "rate": amount(narrowest["units_a_second"]), "moved_by": _named(narrowest["moved_by"])}
    models = plural("{number:,} model", "{number:,} models", answer["models"])
    yield _("Scoring costs {dollars_a_million_rows:.4f} dollars per million rows.", **answer)
    yield _("AWS gives every account some alarms, metrics, requests and seconds for free, which the table leaves out.")
    yield _("With those, an idle month costs {dollars_an_idle_month_beyond_free:.2f} dollars if the account runs nothing else.", **answer)
    if time["units"] == 1:
        yield _("From upload to manifest: {seconds} s.", **duration)
    else:
        yield _("From upload to manifest: {seconds} s ({units:,} {unit}, {each} s each).", **duration)
    yield _("The first limit: {what}, {rate} per second; to move it: {moved_by}.", **limit)
    yield _(
        "{models}: about {metric_series:,} metrics in CloudWatch, {prometheus_series:,} series in Prometheus, {alarms:,} alarms.",
        **answer | {"models": models},
    )


def _cells(item: dict[str, Any]) -> tuple[str, ...]:
    return f"  {_named(item['what'])}", amount(item["amount"]), f"{item['each']:.10f}".rstrip("0").rstrip("."), f"{item['dollars']:,.4f}"


def _named(what: str) -> str:
    """Return what is paid or counted, perhaps one word, in the reader's language."""
    return coded(stored(what))


def amount(value: float) -> str:
    """Return a number to three digits or, from 1,000 on, to the whole.

    >>> [amount(value) for value in (1314000.0, 13783.6, 92.17, 2.008, 0.00742, 0.000012345, 9.999, 0)]
    ['1,314,000', '13,784', '92.2', '2.01', '0.00742', '0.0000123', '10', '0']
    """
    rounded = float(f"{value:.3g}") if abs(value) < 1000 else round(value)
    return f"{rounded:,.12f}".rstrip("0").rstrip(".")
