"""`everscore local`: the embedded AWS, to try things and work on Everscore."""

import json
import os
import shlex
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from functions.shared.domain.errors import EmbeddedAwsError, InputError
from infra.cli.options import say
from infra.cli.screens.status import FIRST
from infra.local.embedded import detached_aws, embedded_aws, logs_of, stop_stack
from infra.local.folders import checked_stack_name, is_ours, other_names, stacks_home
from infra.local.stacks import CHOICE, Stack, read_keeper, remove_stack, running_stack, running_stacks, stopped_stacks
from infra.places import own_project
from infra.words import _, stored

WATCH_S = 0.5
MOST_NAMED = 5
DEFAULT_NAME = "everscore"
CLOCKS = {"MetricEmissionSchedule": "rate(5 minutes)"}
"""The tick comes more often than by the template's default, so that Prometheus soon shows the state of a new model."""

app = typer.Typer(help="Run Everscore on this machine, on an embedded AWS.", no_args_is_help=True)

Name = Annotated[str | None, typer.Option("--stack", envvar=CHOICE, help="Name of the stack (default: the one that is running).")]


@app.command()
def up(
    stack: Annotated[str, typer.Option("--stack", help="Name of the stack.")] = DEFAULT_NAME,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the local AWS endpoint (default: any free port).")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when the stack is up, and let it run until `local down`.")] = False,
    containers: Annotated[
        bool, typer.Option("--containers", help="Run the functions in containers of the built image, restricted as on Lambda.")
    ] = False,
) -> None:
    """Start a local stack: an embedded AWS with Everscore deployed to it.

    A stopped stack starts again with its data.
    """
    console = Console(stderr=True)
    _refuse_taken(stack)
    _name_others(console)
    with ExitStack() as lifetime:
        with console.status("") as status:

            def progress(step: str) -> None:
                if console.is_terminal:
                    status.update(stored(step))
                else:
                    say(stored(step), to=console)

            start = time.monotonic()
            options: dict[str, Any] = {
                "port": port,
                "progress": progress,
                "parameters": CLOCKS,
                "root": own_project(),
                "containers": containers,
            }
            running = detached_aws(stack, **options) if detach else lifetime.enter_context(embedded_aws(stack, kept=True, **options))
        say(_("{stack} is up after {seconds:.1f} s", stack=running.name, seconds=time.monotonic() - start), to=console)
        _show(running, console)
        say(_("Next: {command}", command=FIRST["train"]), to=console)
        if detach:
            say(_until(running), to=console)
        else:
            with suppress(KeyboardInterrupt):
                say(_("Ctrl-C stops it and keeps its data."), to=console)
                _watch(running)


@app.command()
def env(
    stack: Name = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of shell exports.")] = False,
) -> None:
    """Print the environment of a local stack: eval "$(everscore local env)".

    This command and other tools then use that stack.
    """
    variables = running_stack(stack).env()
    if as_json:
        typer.echo(json.dumps(variables, indent=1))
    else:
        for name, value in variables.items():
            typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def down(
    stack: Name = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the data, so that `local up` can start the stack again.")] = False,
) -> None:
    """Stop a local stack and remove its data."""
    folder = _folder_of(stack)
    console = Console(stderr=True)
    if keep:
        stop_stack(folder)
        say(_("{stack} has stopped; `everscore local up --stack {stack}` starts it again", stack=folder.name), to=console)
        return
    remove_stack(folder)
    say(_("{stack} is down, and its data is removed", stack=folder.name), to=console)
    _name_others(console)


def _refuse_taken(name: str) -> None:
    """Check that a new stack can have this name."""
    folder = stacks_home() / checked_stack_name(name)
    if any(running.name == name for running in running_stacks()):
        remedy = f"`everscore local down --stack {name}` ends it; `everscore local up --stack OTHER` starts another"
        raise InputError(f"stack {name} is running already", remedy=remedy, code="stack_runs")
    if os.path.lexists(folder) and not is_ours(folder):
        raise InputError(f"{folder} exists and is no stack", remedy="choose another name with --stack", code="exists")


def _folder_of(name: str | None) -> Path:
    """Return a stack's folder: the running one or, by name only, a stopped one."""
    stopped = {folder.name: folder for folder in stopped_stacks()}
    return stopped[name] if name in stopped else running_stack(name).folder


def _name_others(console: Console) -> None:
    """Name the files among the stacks that are no stack; they stay."""
    if others := other_names():
        rest = _(" and {number} more", number=len(others) - MOST_NAMED) if len(others) > MOST_NAMED else ""
        parts = {"names": ", ".join(others[:MOST_NAMED]), "rest": rest, "folder": stacks_home()}
        say(_("left as they are, for they are no stacks: {names}{rest} in {folder}", **parts), "dim", to=console)


def _show(running: Stack, console: Console) -> None:
    for what, where in {
        _("inbox"): f"s3://{running.inbox}",
        _("store"): f"s3://{running.store}",
        "AWS": running.endpoint,
        "MLflow": running.mlflow_uri,
        _("metrics"): running.metrics_url,
        "Prometheus": running.env()["EVERSCORE_PROMETHEUS_CONFIG"],
        _("logs"): str(running.folder),
    }.items():
        say(f"  {what:<10} {where}", to=console)
    say(f'  shell      eval "$(everscore local env --stack {running.name})"', to=console)


def _until(running: Stack) -> str:
    down = f"everscore local down --stack {running.name}"
    return _("It runs until `{down}`, which removes its data;\n`{down} --keep` keeps it.", down=down)


def _watch(running: Stack) -> None:
    from functions.shared.repositories.messages import Messages
    from infra.cli.operator import embedded
    from infra.cli.screens.messages import message_shown

    keeper, console = read_keeper(running.folder), Console(stderr=True)
    messages = Messages(embedded(running).store)
    known = set(messages.newest())
    while keeper is not None and keeper.lives():
        time.sleep(WATCH_S)
        new = [key for key in messages.newest() if key not in known]
        known.update(new)
        for sent, composed in messages.named(new, stack=running.name):
            say(message_shown(composed.text, sent.begun_at.isoformat()), to=console)
    message = f"the embedded AWS ended unexpectedly\n{logs_of(running.folder)}"
    raise EmbeddedAwsError(message)
