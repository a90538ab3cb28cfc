"""The `everscore` command."""

import json
import sys
from getpass import getuser
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from functions.shared.domain.errors import EverscoreError, InputError
from infra.cli import local

app = typer.Typer(
    help="Batch scoring for scikit-learn models on AWS Lambda: versioned, monitored, retrained, rolled back.", no_args_is_help=True
)
app.add_typer(local.app, name="local")
console = Console(stderr=True)

Model = Annotated[str, typer.Argument(help="Name of the model.")]
File = Annotated[Path, typer.Argument(help="CSV, JSON lines (either may be gzipped) or Parquet.", exists=True, dir_okay=False)]
StackName = Annotated[str | None, typer.Option("--stack", help="A stack on AWS; by default the running local one.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]


def _show(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
    else:
        Console().print_json(data=answer)


@app.command()
def train(
    model: Model,
    file: File,
    target: Annotated[str, typer.Option(help="Column to predict.")],
    id_column: Annotated[str, typer.Option("--id", help="Column that names a row.")],
    time_column: Annotated[str | None, typer.Option("--time", help="Column of event time.")] = None,
    timezone: Annotated[str, typer.Option(help="Of times that name no offset.")] = "UTC",
    estimator: Annotated[str | None, typer.Option(help="Dotted path of a scikit-learn estimator.")] = None,
    param: Annotated[list[str] | None, typer.Option("--param", help="k=v of the estimator, repeatable.")] = None,
    metric: Annotated[str | None, typer.Option(help="Shown first; the gate compares losses.")] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Train a model's first version from a file and serve it."""
    from functions.shared.domain.spec import checked_model_name
    from functions.shared.repositories.releases import Releases
    from infra.cli.operator import connect, wait_for

    operator = connect(stack)
    checked_model_name(model)
    with console.status(f"uploading {file.name}"):
        uploaded = operator.upload(f"training/{model}/{file.name}", file.read_bytes())
    request = {
        "action": "train",
        "model": model,
        "key": uploaded.key,
        "version_id": uploaded.version_id,
        "target": target,
        "id_column": id_column,
        "time_column": time_column,
        "timezone": timezone,
        "estimator": estimator,
        "parameters": _parameters(param or []),
        "metric": metric,
    }
    with console.status("training in the retraining function"):
        decision = operator.ask("Retraining", request)["decision"]
    with console.status("waiting for the release"):
        wait_for(lambda: Releases(operator.store).current(model), 60, f"release of {model}")
    _show(decision, as_json=as_json)


def _parameters(pairs: list[str]) -> dict[str, object]:
    """`k=v` pairs; a value is read as JSON where it is any, else as text."""
    parameters: dict[str, object] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign:
            message = f"--param {pair}: write NAME=VALUE"
            raise InputError(message)
        try:
            parameters[name] = json.loads(text)
        except json.JSONDecodeError:
            parameters[name] = text
    return parameters


@app.command()
def score(
    model: Model,
    file: File,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the manifest and show it.")] = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Upload a batch to be scored."""
    from infra.cli.operator import connect

    operator = connect(stack)
    uploaded = operator.upload(f"batches/{model}/{file.name}", file.read_bytes())
    if not wait:
        _show({"key": uploaded.key, "version_id": uploaded.version_id}, as_json=as_json)
        return
    with console.status("scoring"):
        manifest = operator.await_manifest(uploaded)
    _show(manifest.model_dump(mode="json", exclude={"profiles", "agreement"}), as_json=as_json)


@app.command()
def labels(model: Model, file: File, stack: StackName = None, as_json: AsJson = False) -> None:
    """Upload labels: a file with the id column and the target."""
    from infra.cli.operator import connect

    uploaded = connect(stack).upload(f"labels/{model}/{file.name}", file.read_bytes())
    _show({"key": uploaded.key, "version_id": uploaded.version_id}, as_json=as_json)


@app.command()
def status(model: Model, stack: StackName = None, as_json: AsJson = False) -> None:
    """Versions, what is served, drift and performance."""
    from infra.cli.operator import connect
    from infra.cli.state import model_status

    _show(model_status(model, connect(stack).store), as_json=as_json)


@app.command()
def retrain(model: Model, stack: StackName = None, as_json: AsJson = False) -> None:
    """Make a challenger from what was learnt since, and judge it."""
    from infra.cli.operator import connect

    with console.status("retraining"):
        result = connect(stack).ask("Retraining", {"action": "retrain", "model": model, "trigger": "person"})
    _show(result["decision"] or {"model": model, "decision": None, "skipped": result["skipped"]}, as_json=as_json)


@app.command()
def tick(model: Model, stack: StackName = None, as_json: AsJson = False) -> None:
    """Take one step of the release, as the schedule would."""
    from infra.cli.operator import connect

    _show(connect(stack).ask("Release", {"action": "tick", "model": model, "who": getuser()}), as_json=as_json)


@app.command()
def promote(
    model: Model,
    version: Annotated[str, typer.Argument(help="Version to serve.")],
    reason: Reason = "",
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Serve a version at once."""
    from infra.cli.operator import connect

    request = {"action": "promote", "model": model, "version": version, "reason": reason, "who": getuser()}
    _show(connect(stack).ask("Release", request), as_json=as_json)


@app.command()
def rollback(model: Model, reason: Reason = "", stack: StackName = None, as_json: AsJson = False) -> None:
    """End a running canary, or else serve the previous champion again."""
    from infra.cli.operator import connect

    request = {"action": "rollback", "model": model, "reason": reason, "who": getuser()}
    _show(connect(stack).ask("Release", request), as_json=as_json)


@app.command()
def demo(
    fast: Annotated[bool, typer.Option("--fast", help="Fewer weeks.")] = False,
    as_json: AsJson = False,
) -> None:
    """Play the whole loop on the flights of 2013, on an embedded AWS of its own."""
    from rich.progress import Progress

    from infra.cli.operator import embedded
    from infra.demo.story import Story
    from infra.local.embedded import embedded_aws

    with console.status("") as starting, embedded_aws("demo", progress=starting.update, parameters={"ScheduleState": "DISABLED"}) as stack:
        starting.stop()
        with Progress(console=console, transient=True) as progress:
            totals = Story(embedded(stack), progress, console, fast=fast).play()
    if as_json:
        sys.stdout.write(json.dumps(totals) + "\n")
    else:
        shown = {name: totals[name] for name in ("elapsed_s", "batches", "rows_in", "rows_scored", "rows_quarantined", "versions")}
        console.print(f"every row accounted for: {shown}", highlight=False)


def run() -> None:
    """The command's last line: errors say what and what to do; 2 for the user's mistakes, 1 for ours."""
    try:
        app()
    except InputError as error:
        console.print(f"[red]error:[/] {error}", highlight=False)
        sys.exit(2)
    except EverscoreError as error:
        console.print(f"[red]failed:[/] {error}", highlight=False)
        sys.exit(1)
