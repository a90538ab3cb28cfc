"""Options that several commands have in common."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from infra.cli.options import with_options


@dataclass(frozen=True)
class Paint:
    colour: Annotated[str, typer.Option(help="What colour.")]
    coats: Annotated[int, typer.Option("--times", help="How many coats.")] = 2


app = typer.Typer()


@app.command()
@with_options
def paint(wall: Annotated[str, typer.Argument()], how: Paint, brush: Annotated[str, typer.Option()] = "broad") -> None:
    """Paint a wall."""
    typer.echo((wall, how, brush))


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (["north", "--colour", "red"], ("north", Paint("red", 2), "broad")),
        (["--times", "3", "north", "--brush", "fine", "--colour", "blue"], ("north", Paint("blue", 3), "fine")),
    ],
)
def test_a_command_takes_the_fields_of_a_group_as_options(arguments: list[str], given: tuple[str, Paint, str]) -> None:
    ended = CliRunner().invoke(app, arguments)
    assert (ended.exit_code, ended.stdout.strip()) == (0, str(given))


def test_an_option_of_a_group_without_a_default_is_required() -> None:
    ended = CliRunner().invoke(app, ["north"])
    assert ended.exit_code == 2
    assert "--colour" in ended.stderr
