"""Screens of tables and of answers to queries."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from infra.cli.screens.prose import Prose
from infra.words import _, counted, listed, plural

MOST_SHOWN = 200


def answer_screen(found: dict[str, Any]) -> RenderableType:
    """Show an answer's rows, at most a screen's."""
    table = Table(*found["columns"], box=None, pad_edge=False, header_style="dim")
    for row in found["rows"][:MOST_SHOWN]:
        table.add_row(*("" if value is None else str(value) for value in row))
    more = len(found["rows"]) - MOST_SHOWN
    return (
        Group(
            table, Prose(plural("and {number:,} more row; -o FILE writes all", "and {number:,} more rows; -o FILE writes all", more), "dim")
        )
        if more > 0
        else table
    )


def written_screen(found: dict[str, Any]) -> RenderableType:
    """Show how many rows were written where."""
    return Prose(_("{rows} written to {file}", rows=counted(found["rows"], "rows"), file=found["file"]))


def brought_screen(found: dict[str, Any]) -> RenderableType:
    """Show what became of a model's table, with what it lacks and calls otherwise."""
    files, removed = counted(found["added"], "files"), found["removed"]
    return Group(
        Prose(_("{model}: {files} came into the table, {removed:,} went out", model=found["model"], files=files, removed=removed)),
        *(
            Prose(_("left out: {column}, which is {kinds}", column=column, kinds=listed(kinds)), "yellow")
            for column, kinds in found["left_out"].items()
        ),
        *(Prose(_("{column} is called {name} in the table", column=column, name=name)) for column, name in found["renamed"].items()),
    )
