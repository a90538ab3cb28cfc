"""Screens of versions on their way between stacks."""

from typing import Any

from rich.console import Group, RenderableType

from infra.cli.screens.prose import Prose
from infra.cli.screens.versions import decision_screen
from infra.words import _, stored


def exported_screen(exported: dict[str, Any]) -> RenderableType:
    """Show where a version was written, and how to import it."""
    lines = (
        _("{file} holds version {version} of {model}", file=exported["file"], version=exported["version"], model=exported["model"]),
        _("  sha256 {sha256}", sha256=exported["sha256"]),
        _("  `everscore import {file} --stack STACK` serves it there", file=exported["file"]),
    )
    return Prose("\n".join(lines))


def imported_screen(decision: dict[str, Any]) -> RenderableType:
    """Show what became of an imported version, and whether its signature was checked."""
    doubts = [
        Prose(_("warning: {message}", message=stored(reason["message"])), "yellow") for reason in decision["reasons"] if reason["warning"]
    ]
    if decision["signed_by"] is None:
        signed = _("The file bears no signature.")
    elif decision["signature_checked"]:
        signed = _("The file was signed by {key}.", key=decision["signed_by"])
    else:
        signed = _("The file names the signature of {key}, which was not checked (--signed-by does).", key=decision["signed_by"])
    return Group(decision_screen(decision), *doubts, Prose(signed, "dim"))
