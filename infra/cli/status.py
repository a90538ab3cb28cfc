"""`everscore status`: how models are doing."""

from typing import Annotated

import typer

from infra.cli.options import AsJson, StackName, show
from infra.cli.screens.status import fleet_screen, status_screen

app = typer.Typer()


@app.command()
def status(
    model: Annotated[str | None, typer.Argument(help="Name of the model (default: all models).")] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Show what is served, versions, performance, drift, batches and alerts."""
    from infra.cli.operator import connect
    from infra.cli.state import fleet_status, model_status

    operator = connect(stack)
    if model is None:
        show(fleet_status(operator.store), fleet_screen, as_json=as_json)
    else:
        show(model_status(operator.release_of(model), operator.store), status_screen, as_json=as_json)
