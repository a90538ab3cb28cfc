"""`everscore report`: a model's story as one page."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from functions.shared.domain.errors import InputError
from infra.cli.names import looked_up
from infra.cli.options import AsJson, Model, StackName, console

app = typer.Typer()


@app.command()
def report(
    model: Model,
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML file to write.", dir_okay=False)],
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Write one self-contained page: releases, versions, performance, drift, quarantine, batches and alerts in plots."""
    from infra.cli.operator import connect
    from infra.report.report import make_report

    operator = connect(stack)
    looked_up(model, operator.store)
    with console.status(f"reading what is stored of {model}"):
        page = make_report(model, operator.store, datetime.now(UTC))
    try:
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        message = f"{output} can't be written: {error.strerror}"
        raise InputError(message) from error
    if as_json:
        sys.stdout.write(json.dumps({"model": model, "report": str(output)}) + "\n")
    else:
        console.print(f"{output}: open it in a browser", highlight=False, soft_wrap=True, markup=False)
