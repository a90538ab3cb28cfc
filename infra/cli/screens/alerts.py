"""The screen of a model's alerts."""

from typing import Any

from rich.console import Group, RenderableType

from functions.shared.domain.cause import State
from infra.cli.screens.drawing import person, table_of
from infra.cli.screens.prose import Prose
from infra.words import _, coded, stored


def alerts_screen(found: dict[str, Any]) -> RenderableType:
    """Show a model's alerts, each in a line, with what people said of them."""
    if not found["alerts"]:
        return Group(Prose(_("{model}: no alert is open.", model=found["model"])), *_silences(found["silences"]))
    table = table_of(_("alert"), _("state"), _("since (UTC)"), _("last seen (UTC)"), _("times seen"), _("message"))
    for alert in found["alerts"]:
        times = (_minute(alert["since"]), _minute(alert["seen_at"]))
        table.add_row(alert["name"], coded(alert["state"]), *times, str(alert["seen"]), _what(alert))
    taken = [
        Prose(_("{alert} is looked after by {who}: {reason}", alert=alert["name"], **_words(alert["acknowledged"])), "dim")
        for alert in found["alerts"]
        if alert["acknowledged"]
    ]
    todo = _("what to do: `everscore messages {model}`; to take one up: `everscore ack {model} ALERT --reason WHY`", model=found["model"])
    stand = any(alert["state"] != State.CLOSED for alert in found["alerts"])
    return Group(table, *taken, *_silences(found["silences"]), *([Prose(todo, "dim")] if stand else []))


def _what(alert: dict[str, Any]) -> str:
    """Return what an alert says, and why it is over.

    Of a failure, only the status quotes the file.
    """
    message = stored(alert["message"]) if alert["message"] else _("see everscore status")
    return f"{message}{_('; ')}{stored(alert['closed_by'])}" if alert["closed_by"] else message


def _silences(silences: list[dict[str, Any]]) -> list[Prose]:
    parts = ({"alert": each["name"], "moment": _minute(each["until"]), **_words(each)} for each in silences)
    return [Prose(_("no messages about {alert} until {moment} UTC, by {who}: {reason}", **part), "dim") for part in parts]


def _words(said: dict[str, Any]) -> dict[str, str]:
    return {"who": person(said["who"]), "reason": said["reason"]}


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
