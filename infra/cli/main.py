"""The `everscore` command."""

import sys

import typer
from rich.markup import escape

from functions.shared.domain.errors import EverscoreError, InputError
from infra.cli import batches, cost, data, demo, erasure, local, policy, releases, report, status, versions
from infra.cli.options import console

app = typer.Typer(
    help="Batch scoring for scikit-learn models on AWS Lambda: versioned, monitored, retrained, rolled back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(demo.app)
app.add_typer(local.app, name="local")
app.add_typer(versions.app)
app.add_typer(status.app)
app.add_typer(policy.app)
app.add_typer(releases.app)
app.add_typer(erasure.app)
app.add_typer(data.app, name="data")
app.add_typer(batches.app)
app.add_typer(report.app)
app.add_typer(cost.app)


def run() -> None:
    """The command's last line: errors say what and what to do; 2 for the user's mistakes, 1 for ours."""
    try:
        app()
    except InputError as error:
        console.print(f"[red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(2)
    except EverscoreError as error:
        console.print(f"[red]failed:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)
