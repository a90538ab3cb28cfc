"""Help in the reader's language."""

from collections.abc import Iterator

import typer
import typer.main
from typer import rich_utils
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from infra.words import _

type Explained = TyperCommand | TyperGroup | TyperArgument | TyperOption


def in_readers_language(app: typer.Typer) -> TyperGroup:
    """Return a command whose whole help is in the reader's language.

    That includes its options and subcommands.
    """
    rich_utils.ARGUMENTS_PANEL_TITLE = _("Arguments")
    rich_utils.OPTIONS_PANEL_TITLE = _("Options")
    rich_utils.COMMANDS_PANEL_TITLE = _("Commands")
    rich_utils.DEFAULT_STRING = _("[default: {}]")
    rich_utils.ENVVAR_STRING = _("[env var: {}]")
    rich_utils.REQUIRED_LONG_STRING = _("[required]")
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    command.epilog = _(command.epilog) if command.epilog else None
    for part in explained(command):
        part.help = _(part.help) if part.help else part.help
    return command


def explained(command: TyperCommand | TyperGroup) -> Iterator[Explained]:
    """Yield each part of a command with a help text: itself, options, subcommands."""
    yield command
    context = typer.Context(command)
    yield from (part for part in command.get_params(context) if isinstance(part, TyperArgument | TyperOption))
    if isinstance(command, TyperGroup):
        for subcommand in command.commands.values():
            assert isinstance(subcommand, TyperCommand | TyperGroup)
            yield from explained(subcommand)
