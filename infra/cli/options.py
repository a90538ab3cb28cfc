"""What all commands share: arguments, and how an answer is shown."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from rich.console import Console, Group, RenderableType
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from functions.shared.domain.errors import InputError
from infra.cli.screens.prose import Prose
from infra.local.stacks import CHOICE

console = Console(stderr=True)
"""For people: progress, screens and errors. Standard output is for what `--json` prints."""

PIPED_WIDTH = 240
"""Columns of output that goes to no terminal, where COLUMNS is not set: wide enough for every table."""

Model = Annotated[str, typer.Argument(help="Name of the model.")]
File = Annotated[Path, typer.Argument(help="CSV or JSON lines (plain or gzipped), Parquet, or Excel's .xlsx.", exists=True, dir_okay=False)]
StackName = Annotated[
    str | None, typer.Option("--stack", envvar=CHOICE, help="Local stack, or stack on AWS (default: the local one that is running).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
New = Annotated[bool, typer.Option("--new", help="Accept a model name that serves nothing yet.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")]
OverwriteAny = Annotated[bool, typer.Option("--overwrite", help="Replace the file even if Everscore did not write it.")]
Reason = Annotated[str, typer.Option("--reason", help="Reason to record.")]


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show on a terminal, until the block ends, what is waited for and how long."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task(what, total=None)
        yield


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the fields of a dataclass argument as options of its own."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {name: kind for name, kind in hints.items() if isinstance(kind, type) and is_dataclass(kind)}

    @wraps(command)
    def spread(**given: Any) -> None:
        made = {name: group(**{one.name: given.pop(one.name) for one in fields(group)}) for name, group in groups.items()}
        command(**given, **made)

    parameters: list[Parameter] = []
    for parameter in signature(command).parameters.values():
        group = groups.get(parameter.name)
        taken = signature(group).parameters.values() if group else [parameter.replace(annotation=hints[parameter.name])]
        parameters += [one.replace(kind=Parameter.KEYWORD_ONLY) for one in taken]
    spread.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return spread


def show(answer: dict[str, Any], screen: Callable[[dict[str, Any]], RenderableType], *, as_json: bool) -> None:
    """Print an answer on standard output: as JSON, or as `screen` draws it."""
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
    else:
        out = Console(highlight=False, markup=False)  # names and reasons may hold brackets
        if not _has_width(out):
            out.width = PIPED_WIDTH
        out.print(Group(screen(answer)), crop=False)


def say(text: str | Prose, style: str = "", *, to: Console = console) -> None:
    """Print a text for people on standard error.

    Where no width is known, its lines keep their length.
    """
    prose = text if isinstance(text, Prose) else Prose(text, style)
    to.print(Group(prose), soft_wrap=not _has_width(to), crop=False)


def _has_width(out: Console) -> bool:
    return out.is_terminal or "COLUMNS" in os.environ


def confirmed(question: str, refusal: InputError) -> None:
    """Return if a person on the terminal says yes.

    Raises:
        InputError: `refusal`, if standard input or standard error is no terminal.
        typer.Abort: if the person says no.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise refusal
    typer.confirm(question, abort=True, err=True)


def pairs(texts: list[str] | None, *, example: str) -> dict[str, object]:
    """Return the values of a repeatable option by name."""
    return dict(pair_of(text, example=example) for text in texts or [])


def pair_of(text: str, *, example: str) -> tuple[str, object]:
    """Split `NAME=VALUE`; a value that is not JSON is text.

    >>> pair_of("max_iter=200", example="a=1"), pair_of("loss=log_loss", example="a=1")
    (('max_iter', 200), ('loss', 'log_loss'))
    """
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise InputError(f"{text!r} is no NAME=VALUE", remedy=f"write it as in {example}", code="usage")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):  # no JSON, or numbers of thousands of digits, or brackets as deep
        return name, value
