"""What the commands share: arguments, and how an answer is shown."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType

from functions.shared.domain.errors import InputError

console = Console(stderr=True)
"""For people: progress, screens and errors. Standard output is for what `--json` prints."""

PIPED_WIDTH = 240
"""Columns where nobody looks at a terminal: wide enough that no key is broken in two."""

Model = Annotated[str, typer.Argument(help="Name of the model.")]
File = Annotated[
    Path, typer.Argument(help="CSV, JSON lines (either may be gzipped), Parquet, or Excel's .xlsx.", exists=True, dir_okay=False)
]
StackName = Annotated[str | None, typer.Option("--stack", help="A running local stack, or one on AWS; by default the running local one.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
New = Annotated[bool, typer.Option("--new", help="Go on although no model of this name serves yet.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]


def show(answer: dict[str, Any], screen: Callable[[dict[str, Any]], RenderableType], *, as_json: bool) -> None:
    """Print an answer on standard output: as one JSON object, or as `screen` draws it."""
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
    else:
        out = Console(highlight=False, markup=False)  # names and reasons may hold brackets
        if not out.is_terminal:
            out.width = PIPED_WIDTH
        out.print(screen(answer))


def confirmed(question: str, refusal: InputError) -> None:
    """Pass if a person on the terminal says yes.

    Raises:
        InputError: the given one, where nobody can be asked: standard input or standard error is no terminal.
        typer.Abort: if the person says no.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise refusal
    typer.confirm(question, abort=True, err=True)


def pairs(texts: list[str] | None) -> dict[str, object]:
    """Values by name, of an option that may be repeated."""
    return dict(pair_of(text) for text in texts or [])


def pair_of(text: str) -> tuple[str, object]:
    """`NAME=VALUE`; the value is read as JSON where it is any, else as text.

    >>> pair_of("max_iter=200"), pair_of("loss=log_loss")
    (('max_iter', 200), ('loss', 'log_loss'))
    """
    name, sign, value = text.partition("=")
    if not sign or not name:
        message = f"{text!r}: write NAME=VALUE"
        raise InputError(message)
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):  # beside what is no JSON: numbers of thousands of digits, and brackets as deep
        return name, value
