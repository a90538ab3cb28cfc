"""The `everscore` command."""

import json
import sys

import typer
from rich.markup import escape

from functions.shared.domain.errors import EverscoreError, InputError, UnreachableError
from infra.cli import batches, cost, data, demo, erasure, fetch, init, local, policy, releases, report, status, versions
from infra.cli.help import in_readers_language
from infra.cli.options import console
from infra.words import _, stored

app = typer.Typer(
    help="Batch scoring for scikit-learn models on AWS Lambda: versioned, monitored, retrained, rolled back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(demo.app)
app.add_typer(init.app)
app.add_typer(local.app, name="local")
app.add_typer(versions.app)
app.add_typer(status.app)
app.add_typer(policy.app)
app.add_typer(releases.app)
app.add_typer(erasure.app)
app.add_typer(data.app, name="data")
app.add_typer(batches.app)
app.add_typer(fetch.app)
app.add_typer(report.app)
app.add_typer(cost.app)


def run() -> None:
    """Run a command and end the process: 2 for what the user can mend, 1 for what failed, each with what is wrong and what to do."""
    command = in_readers_language(app)
    try:
        sys.exit(command(standalone_mode=False))
    except typer.TyperException as misused:
        if not (message := misused.format_message()):  # help was asked for, and is shown
            sys.exit(2)
        error: EverscoreError = InputError(message, remedy="add --help to see arguments and options", code="usage")
    except typer.Abort:
        console.print(_("Aborted."))
        sys.exit(1)
    except EverscoreError as raised:
        error = raised
    except Exception as lost:  # boto3 is imported by the commands that need it, so its errors are known by their module
        if not type(lost).__module__.startswith("botocore."):
            raise
        error = UnreachableError(
            f"AWS did not answer as it should: {lost}",
            remedy="`everscore local up` starts an embedded stack that has stopped; on AWS look at the stack, the role and the network",
        )
    is_refusal = isinstance(error, InputError)
    head = _("error:") if is_refusal else _("failed:")
    remedy = f"\n{_('remedy:')} {stored(error.remedy)}" if error.remedy else ""
    console.print(f"[red]{head}[/] {escape(stored(error.message) + remedy)}", highlight=False, soft_wrap=True)
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps({"error": error.message, "code": error.code, "remedy": error.remedy}) + "\n")
    sys.exit(2 if is_refusal else 1)
