"""`everscore local`: the embedded AWS, for trying things out and for working on Everscore."""

import json
import shlex
import time
from contextlib import ExitStack, suppress
from typing import Annotated, Any

import typer
from rich.console import Console

from functions.shared.domain.errors import EmbeddedAwsError, InputError
from infra.local.embedded import detached_aws, embedded_aws, logs_of
from infra.local.stacks import Stack, read_keeper, remains_of, remove_stack, running_stack, running_stacks

WATCH_S = 0.5
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
    """Start the embedded AWS with Everscore deployed to it; Ctrl-C ends it."""
    console = Console(stderr=True)
    if any(running.name == stack for running in running_stacks()):
        message = f"{stack} is running already: `everscore local down --stack {stack}` ends it, `--stack NAME` starts another"
        raise InputError(message)
    if (folder := remains_of(stack)) is not None:
        message = (
            f"{stack} died and left its models and data in {folder}, where they can be looked at but not revived; "
            f"`everscore local down --stack {stack}` removes them"
        )
        raise InputError(message)
    with ExitStack() as lifetime:
        with console.status("") as status:

            def progress(step: str) -> None:
                if console.is_terminal:
                    status.update(step)
                else:
                    console.print(step)

            start = time.monotonic()
            options: dict[str, Any] = {"port": port, "progress": progress, "parameters": CLOCKS, "containers": containers}
            running = detached_aws(stack, **options) if detach else lifetime.enter_context(embedded_aws(stack, **options))
        console.print(f"{running.name} is up after {time.monotonic() - start:.1f} s")
        _show(running, console)
        if detach:
            console.print(f"It stays until `everscore local down --stack {running.name}`.")
        else:
            with suppress(KeyboardInterrupt):
                console.print("Ctrl-C ends it.")
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
def down(stack: Name = None) -> None:
    """End the running embedded AWS and remove everything in it, or what one that died left."""
    remains = remains_of(stack or DEFAULT_NAME)
    folder = remains if remains is not None else running_stack(stack).folder
    remove_stack(folder)
    Console(stderr=True).print(f"{folder.name} is down")


def _show(running: Stack, console: Console) -> None:
    for what, where in {
        "inbox": f"s3://{running.inbox}",
        "store": f"s3://{running.store}",
        "AWS": running.endpoint,
        "MLflow": running.mlflow_uri,
        "metrics": running.metrics_url,
        "logs": str(running.folder),
    }.items():
        console.print(f"  {what:<7} {where}", soft_wrap=True, highlight=False)
    console.print(f'  shell   eval "$(everscore local env --stack {running.name})"', highlight=False)


def _watch(running: Stack) -> None:
    keeper = read_keeper(running.folder)
    while keeper is not None and keeper.lives():
        time.sleep(WATCH_S)
    message = f"the embedded AWS ended by itself\n{logs_of(running.folder)}"
    raise EmbeddedAwsError(message)
