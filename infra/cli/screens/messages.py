"""Screens of messages that people were sent."""

from typing import Any

from rich.console import Group, RenderableType

from infra.cli.screens.prose import Prose
from infra.words import _, stored

_COMMAND = "  "
"""How a line begins that is a command to type."""


def messages_screen(found: dict[str, Any]) -> RenderableType:
    """Show messages as they were sent, the newest last."""
    if not found["messages"]:
        return Prose(_("No message was sent yet."))
    return Group(*(message_shown(message["text"], message["begun_at"]) for message in found["messages"]))


def message_shown(text: str, begun_at: str) -> Prose:
    """Show one message below the time when it was sent."""
    head = _("message of {moment} UTC", moment=begun_at[:16].replace("T", " "))
    lines = (line if line.startswith(_COMMAND) else stored(line) for line in text.splitlines())
    shown = Prose("\n".join([head, *lines, ""]))
    shown.stylize("bold", 0, len(head))
    return shown
