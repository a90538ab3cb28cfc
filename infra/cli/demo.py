"""`everscore demo`: the whole loop on real flights."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.cli.options import AsJson, OverwriteAny, console, say
from infra.cli.outputs import refuse_replacing
from infra.cli.screens.status import status_screen
from infra.words import _, counted, plural, stored

app = typer.Typer()


@app.command()
def demo(
    quick: Annotated[bool, typer.Option("--quick", help="Only a first model and two weeks of flights, without an update.")] = False,
    fast: Annotated[bool, typer.Option("--fast", help="Play the whole loop with fewer weeks.")] = False,
    report: Annotated[Path, typer.Option("-o", "--out", "--report", help="HTML file of the report; an earlier report is replaced.")] = Path(
        "everscore-demo.html"
    ),
    overwrite: OverwriteAny = False,
    as_json: AsJson = False,
) -> None:
    """Play the whole loop on the flights of 2013, on an embedded AWS of its own.

    The embedded AWS ends with the demo.
    """
    from rich.console import Group
    from rich.progress import Progress

    from infra.cli.operator import embedded
    from infra.demo.story import Length, Story
    from infra.local.embedded import embedded_aws
    from infra.report.report import OURS

    refuse_replacing(report, ours=OURS, overwrite=overwrite)
    length = Length.QUICK if quick else Length.FAST if fast else Length.FULL
    # Training begins while MLflow starts, and waits for it only to register what it made.
    options: dict[str, Any] = {"parameters": {"ScheduleState": "DISABLED"}, "await_mlflow": False}
    with console.status("") as starting, embedded_aws("demo", progress=lambda step: starting.update(stored(step)), **options) as stack:
        starting.stop()
        with Progress(console=console, transient=True) as progress:
            totals = Story(stack, embedded(stack), progress, console, length=length, report=report).play()
    if as_json:
        sys.stdout.write(json.dumps(totals) + "\n")
        return
    console.print()
    console.print(Group(status_screen(totals["final"])), highlight=False, markup=False, crop=False)
    console.print()
    batches = plural("{number:,} batch", "{number:,} batches", totals["batches"])
    sums = {name: totals[name] for name in ("rows_in", "rows_scored", "rows_quarantined", "elapsed_s")}
    equation = _("{rows} in = {rows_scored:,} scored + {rows_quarantined:,} quarantined", rows=counted(sums["rows_in"], "rows"), **sums)
    checked = _("{batches}: {equation}, checked batch by batch; {elapsed_s:.0f} s", batches=batches, equation=equation, **sums)
    say(checked)
    say(_("report: {file}", file=totals["report"]))
