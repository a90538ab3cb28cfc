"""What the commands share: arguments, and how an answer is shown."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType

console = Console(stderr=True)
"""For people: progress, screens and errors. Standard output is for what `--json` prints."""

PIPED_WIDTH = 240
"""Columns where nobody looks at a terminal: wide enough that no key is broken in two."""

Model = Annotated[str, typer.Argument(help="Name of the model.")]
File = Annotated[Path, typer.Argument(help="CSV, JSON lines (either may be gzipped) or Parquet.", exists=True, dir_okay=False)]
StackName = Annotated[str | None, typer.Option("--stack", help="A running local stack, or one on AWS; by default the running local one.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
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
