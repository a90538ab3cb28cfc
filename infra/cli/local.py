"""`everscore local`: the embedded AWS, for trying things out and for working on Everscore."""

import json
import os
import shlex
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from functions.shared.domain.errors import EmbeddedAwsError, InputError
from infra.local.embedded import detached_aws, embedded_aws, logs_of, stop_stack
from infra.local.folders import checked_stack_name, is_ours, other_names, stacks_home
from infra.local.stacks import Stack, read_keeper, remove_stack, running_stack, running_stacks, stopped_stacks
from infra.places import own_project

WATCH_S = 0.5
MOST_NAMED = 5
DEFAULT_NAME = "everscore"
CLOCKS = {"MetricEmissionSchedule": "rate(5 minutes)"}
"""The tick comes sooner than by the template's default, so that who tries things out soon sees a model's state in Prometheus."""

app = typer.Typer(help="The embedded AWS on this machine.", no_args_is_help=True)

Name = Annotated[str | None, typer.Option("--stack", help="Which one, if several are running.")]


@app.command()
def up(
    stack: Annotated[str, typer.Option("--stack", help="Its name among the running ones.")] = DEFAULT_NAME,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Of the AWS endpoint; a free one by default.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when it is up; `local down` ends it.")] = False,
    containers: Annotated[
        bool, typer.Option("--containers", help="Run functions in containers of the built image, confined as on Lambda.")
    ] = False,
) -> None:
    """Start the embedded AWS with Everscore deployed to it, or one that has stopped, with all it held."""
    console = Console(stderr=True)
    _refuse_taken(stack)
    _name_others(console)
    with ExitStack() as lifetime:
        with console.status("") as status:

            def progress(step: str) -> None:
                if console.is_terminal:
                    status.update(step)
                else:
                    console.print(step)

            start = time.monotonic()
            options: dict[str, Any] = {
                "port": port,
                "progress": progress,
                "parameters": CLOCKS,
                "root": own_project(),
                "containers": containers,
            }
            running = detached_aws(stack, **options) if detach else lifetime.enter_context(embedded_aws(stack, kept=True, **options))
        console.print(f"{running.name} is up after {time.monotonic() - start:.1f} s")
        _show(running, console)
        if detach:
            console.print(f"It runs until `everscore local down --stack {running.name}`, which removes what it holds, unless with --keep.")
        else:
            with suppress(KeyboardInterrupt):
                console.print("Ctrl-C stops it and keeps what it holds.")
                _watch(running)


@app.command()
def env(
    stack: Name = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of shell exports.")] = False,
) -> None:
    """Print what a shell needs to work with the running embedded AWS: eval "$(everscore local env)"."""
    variables = running_stack(stack).env()
    if as_json:
        typer.echo(json.dumps(variables, indent=1))
    else:
        for name, value in variables.items():
            typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def down(
    stack: Name = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep what it holds: `local up` starts it again with all of that.")] = False,
) -> None:
    """End the embedded AWS and remove everything in it."""
    folder = _folder_of(stack)
    console = Console(stderr=True)
    if keep:
        stop_stack(folder)
        console.print(f"{folder.name} has stopped; `everscore local up --stack {folder.name}` starts it again")
        return
    remove_stack(folder)
    console.print(f"{folder.name} is down")
    _name_others(console)


def _refuse_taken(name: str) -> None:
    """Pass if a new stack can have this name."""
    folder = stacks_home() / checked_stack_name(name)
    if any(running.name == name for running in running_stacks()):
        message = f"{name} is running already: `everscore local down --stack {name}` ends it, `--stack NAME` starts another"
        raise InputError(message)
    if os.path.lexists(folder) and not is_ours(folder):
        message = f"{folder} is no stack and stays as it is: name the stack otherwise, by --stack NAME"
        raise InputError(message)


def _folder_of(name: str | None) -> Path:
    """The folder of a stack: of the one that runs or, by its name only, one that has stopped."""
    stopped = {folder.name: folder for folder in stopped_stacks()}
    return stopped[name] if name in stopped else running_stack(name).folder


def _name_others(console: Console) -> None:
    """Say what lies among the stacks and is none, since it is left alone."""
    if others := other_names():
        rest = f" and {len(others) - MOST_NAMED:,} more" if len(others) > MOST_NAMED else ""
        named = Text(f"{stacks_home()} also holds what is no stack and stays: {', '.join(others[:MOST_NAMED])}{rest}", "dim")
        console.print(named, soft_wrap=True)


def _show(running: Stack, console: Console) -> None:
    for what, where in {
        "inbox": f"s3://{running.inbox}",
        "store": f"s3://{running.store}",
        "AWS": running.endpoint,
        "MLflow": running.mlflow_uri,
        "metrics": running.metrics_url,
        "Prometheus": running.env()["EVERSCORE_PROMETHEUS_CONFIG"],
        "logs": str(running.folder),
    }.items():
        console.print(f"  {what:<10} {where}", soft_wrap=True, highlight=False)
    console.print(f'  shell      eval "$(everscore local env --stack {running.name})"', highlight=False)


def _watch(running: Stack) -> None:
    keeper = read_keeper(running.folder)
    while keeper is not None and keeper.lives():
        time.sleep(WATCH_S)
    message = f"the embedded AWS ended by itself\n{logs_of(running.folder)}"
    raise EmbeddedAwsError(message)
