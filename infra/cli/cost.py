"""`everscore cost`: what it will cost, before anything is deployed."""

from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from functions.shared.domain.errors import InputError
from infra.cli.options import AsJson, show
from infra.cost.deployed import deployed
from infra.cost.estimate import Basis, Bill, Load, bytes_in, idle_month, scoring_bill, watching_bill
from infra.cost.prices import listed_prices
from infra.cost.quotas import listed_quotas
from infra.cost.scale import forecast, partitions_of, template_settings
from infra.cost.series import all_series, series_of_a_model, series_of_a_stack
from infra.cost.speed import measured

app = typer.Typer()
MILLION = 1_000_000


def whole_number(text: str) -> int:
    """A whole number from 1 on, which may be written like 1e9.

    >>> whole_number("1e9"), whole_number("30")
    (1000000000, 30)
    """
    try:
        value = float(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no number") from error
    if not 1 <= value <= 1e15 or value != int(value):
        raise typer.BadParameter(f"{text} is no whole number from 1 to 1e15")
    return int(value)


@app.command()
def cost(
    rows: Annotated[int, typer.Option(parser=whole_number, help="Rows scored in a month, over all models, e.g. 1e9.")],
    columns: Annotated[int, typer.Option(min=1, help="Columns of a row.")] = 14,
    models: Annotated[int, typer.Option(min=0, help="Models that are watched.")] = 1,
    files: Annotated[int, typer.Option(parser=whole_number, help="Files in which the rows come.")] = 30,
    engine: Annotated[str, typer.Option(help="Whose speed to reckon with: logistic or boosting.")] = "boosting",
    at_once: Annotated[int | None, typer.Option(min=1, help="Functions at once, instead of the template's default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Reckon what a month costs on AWS, by measured speed and listed prices: idle, and a million rows."""
    basis = Basis(measured(), listed_prices(), deployed())
    if engine not in basis.measured.stages.seconds:
        message = f"no speed was measured for {engine!r}, only for {', '.join(basis.measured.stages.seconds)}"
        raise InputError(message)
    idle = idle_month(basis, models)
    load = Load(rows, columns, files, engine, models)
    scoring = scoring_bill(load, basis, partitions=partitions_of(load, basis, template_settings()))
    watching = watching_bill(load, basis.prices)
    stages, prices = basis.measured.stages, basis.prices
    listed = f"prices of {prices.as_of}, {prices.region}"
    show(
        {
            "rows": rows,
            "files": files,
            "models": models,
            "dollars_a_million_rows": scoring.dollars / rows * MILLION,
            "dollars_for_the_rows": scoring.dollars,
            "dollars_for_their_metrics": watching.dollars,
            "dollars_an_idle_month": idle.dollars,
            "dollars_an_idle_month_beyond_free": idle.dollars_beyond_free,
            "metric_series": all_series(models, columns),
            "prometheus_series": series_of_a_stack().prometheus + models * series_of_a_model(columns).prometheus,
            "alarms": basis.deployed.alarms,
            "idle": _items(idle),
            "scoring": _items(scoring),
            "watching": _items(watching),
            "time": _time(load, basis, at_once),
            "basis": f"{listed}; {engine} as measured on {stages.date}, {stages.machine}",
        },
        _screen,
        as_json=as_json,
    )


def _items(bill: Bill) -> list[dict[str, Any]]:
    return [
        {"what": line.what, "amount": line.amount, "each": line.price.dollars, "dollars": line.dollars, "source": line.price.source}
        for line in bill.lines
    ]


def _time(load: Load, basis: Basis, at_once: int | None) -> dict[str, Any]:
    quotas = listed_quotas()
    file_gb = bytes_in(load, basis.measured) / load.files / 1e9
    if file_gb > quotas.object_gb.amount:
        message = f"a file would have {file_gb:,.0f} GB, and S3 keeps no more than {quotas.object_gb.amount:,} in one: say more --files"
        raise InputError(message)
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
    for heading in ("", "amount", "each, $", "$"):
        table.add_column(heading, justify="right" if heading else "left")
    for title, part, total in (
        ("an idle month", "idle", "dollars_an_idle_month"),
        (f"scoring {answer['rows']:,} rows in {answer['files']:,} files", "scoring", "dollars_for_the_rows"),
        ("watching it", "watching", "dollars_for_their_metrics"),
    ):
        table.add_row(Text(title, style="bold"), "", "", Text(f"{answer[total]:,.2f}", style="bold"))
        for item in answer[part]:
            table.add_row(f"  {item['what']}", f"{item['amount']:,.6g}", f"{item['each']:.10f}".rstrip("0"), f"{item['dollars']:,.4f}")
    time = answer["time"]
    narrowest = time["limits"][0]
    soon = Text(
        f"{time['units']:,} {time['unit']}, {time['seconds_a_unit']:.2f} s each: {time['seconds']:,.0f} s from upload to manifest. "
        f"What saturates first: {narrowest['what']}, {narrowest['units_a_second']:.3g} a second; what moves it: {narrowest['moved_by']}"
    )
    million = Text(f"{answer['dollars_a_million_rows']:.4f} dollars a million rows", style="bold")
    free = Text(
        f"An account that uses nothing else pays {answer['dollars_an_idle_month_beyond_free']:.2f} dollars for an idle month: "
        "AWS gives every account some alarms, metrics, requests and seconds for nothing. The amounts above leave that out of account."
    )
    series = f"{answer['metric_series']} metrics in CloudWatch, {answer['prometheus_series']} series in Prometheus"
    watched = f"{answer['models']} models: about {series}, {answer['alarms']} alarms"
    return Group(table, Text(), million, free, soon, Text(watched), Text(answer["basis"], style="dim"))
