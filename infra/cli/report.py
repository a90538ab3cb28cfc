"""`everscore report`: a model's history as one page."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.names import looked_up
from infra.cli.options import AsJson, Model, OverwriteAny, StackName, console, say
from infra.cli.outputs import refuse_replacing, whole_file
from infra.words import _

app = typer.Typer()


@app.command()
def report(
    model: Model,
    output: Annotated[Path, typer.Option("-o", "--out", "--output", help="HTML file to write; an earlier report is replaced.")],
    overwrite: OverwriteAny = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Write one self-contained HTML page about a model.

    It shows releases, versions, performance, drift, quarantine, batches and alerts.
    """
    from infra.cli.operator import connect
    from infra.report.report import OURS, make_report

    refuse_replacing(output, ours=OURS, overwrite=overwrite)
    operator = connect(stack)
    looked_up(model, operator.store)
    with console.status(_("reading what is stored of {model}", model=model)):
        page = make_report(model, operator.store, datetime.now(UTC))
    with whole_file(output) as whole:
        whole.write_text(page, encoding="utf-8")
    if as_json:
        sys.stdout.write(json.dumps({"model": model, "report": str(output)}) + "\n")
    else:
        say(_("report: {file} (open it in a browser)", file=output))
