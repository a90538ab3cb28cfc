"""Screens of messages that people were sent."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from infra.words import _


def messages_screen(found: dict[str, Any]) -> RenderableType:
    """Show messages as they were sent, the newest last."""
    if not found["messages"]:
        return Text(_("No message was sent yet."))
    return Group(*(message_shown(message["text"], message["begun_at"]) for message in found["messages"]))


def message_shown(text: str, begun_at: str) -> Text:
    """Show one message below the time when it was sent."""
    moment = begun_at[:16].replace("T", " ")
    return Text.assemble((_("message of {moment} UTC", moment=moment), "bold"), f"\n{text}\n")
