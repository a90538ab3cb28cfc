"""How the `everscore` command ends: its exit code, and what an error shows."""

import errno
import json
import sys
from io import UnsupportedOperation

import typer
from typer.core import TyperGroup

from functions.shared.domain.errors import EverscoreError, InputError
from infra.cli.options import say
from infra.cli.screens.prose import Prose
from infra.words import _, headed, stored


def exit_code_of(command: TyperGroup) -> int:
    """Run the command that was typed, and return its exit code.

    2 is for what the user can fix, 1 for what failed; both show what is wrong and what to do.
    """
    try:
        code: int | None = command(standalone_mode=False)
    except typer.TyperException as misused:
        if not (message := misused.format_message()):  # help was asked for, and is shown
            return 2
        error: EverscoreError = _misuse(message)
    except typer.Abort:
        say(_("Aborted."))
        return 1
    except EverscoreError as raised:
        error = raised
    except Exception as lost:
        if (known := _known(lost)) is None:
            raise
        error = known
    else:
        return code or 0
    _show_error(error)
    return 2 if isinstance(error, InputError) else 1


def _misuse(message: str) -> InputError:
    """Return what the command's parser refused, in plain words."""
    message = message.replace(": Value error, ", ": ").replace("Input should be", "it must be")  # pydantic's words
    piped = "standard input is not read: write it to a file, and name that"
    remedy = piped if "'-'" in message else "add --help to see arguments and options"
    return InputError(message, remedy=remedy, code="usage")


def _show_error(error: EverscoreError) -> None:
    """Show what is wrong and what to do; with --json as an object too."""
    head = _("error:") if isinstance(error, InputError) else _("failed:")
    remedy = f"\n{headed(_('remedy:'), stored(error.remedy))}" if error.remedy else ""
    shown = Prose(headed(head, stored(error.message) + remedy))
    shown.stylize("red", 0, len(head))
    say(shown)
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps({"error": error.message, "code": error.code, "remedy": error.remedy}) + "\n")


def _known(lost: Exception) -> EverscoreError | None:
    """Return an error with its remedy for known failures, None for others.

    AWS, a pipe, a terminal or a full disk may have failed.
    """
    if type(lost).__module__.startswith("botocore."):  # boto3 is imported by the commands that need it
        from infra.cli.aws_errors import as_shown

        return as_shown(lost)
    match lost:
        case UnsupportedOperation():
            return InputError(f"the file cannot be read twice: {lost}", remedy="write what comes from a pipe to a file, and name that")
        case UnicodeEncodeError():
            message = f"the terminal's encoding, {lost.encoding}, lacks {lost.object[lost.start]!a}"
            return InputError(message, remedy="set PYTHONIOENCODING=utf-8")
        case OSError(errno=errno.EACCES | errno.EPERM | errno.EROFS, filename=str(place)):
            remedy = "write elsewhere, or get the permission; local stacks lie in EVERSCORE_HOME"
            return InputError(f"{place} cannot be opened: there is no permission, or the disk is read-only", remedy=remedy)
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return InputError(f"there is no space left to write to: {lost}", remedy="make room, or write elsewhere")
        case _:
            return None
