"""The `everscore` command's parts."""

from importlib.metadata import version
from typing import Annotated

import typer

from infra.cli import (
    alerts,
    batches,
    cost,
    data,
    demo,
    deploy,
    erasure,
    fetch,
    init,
    local,
    messages,
    policy,
    releases,
    report,
    status,
    tables,
    transfer,
    versions,
)

ENDING = (
    "Exit codes: 0 is done. 1: Everscore failed, a check found a difference, or an erasure left files. "
    "2: what was asked cannot be done as it is. 3: a batch is scored but suspect, or none of its rows could be scored. "
    "With --json, 1 and 2 print an object too: error, code, remedy.\n\n"
    "EVERSCORE_HOME is the folder of the embedded stacks; other files in it are left alone. "
    "With EVERSCORE_KERNELS=off NumPy scores trees and Arrow reads CSV, even where compiled kernels are installed."
)

app = typer.Typer(
    help="Batch scoring for scikit-learn, XGBoost and LightGBM models on AWS Lambda: versioned, monitored, retrained, rolled back.",
    epilog=ENDING,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(demo.app)
app.add_typer(init.app)
app.add_typer(local.app, name="local")
app.add_typer(deploy.app)
app.add_typer(versions.app)
app.add_typer(status.app)
app.add_typer(messages.app)
app.add_typer(alerts.app)
app.add_typer(policy.app)
app.add_typer(releases.app)
app.add_typer(transfer.app)
app.add_typer(erasure.app)
app.add_typer(data.app, name="data")
app.add_typer(batches.app)
app.add_typer(fetch.app)
app.add_typer(tables.app)
app.add_typer(tables.table_app, name="table")
app.add_typer(report.app)
app.add_typer(cost.app)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it
    if wanted:
        typer.echo(f"everscore {version('everscore')}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version of Everscore and exit.")
    ] = False,
) -> None:
    """Take the options that come before any command."""
