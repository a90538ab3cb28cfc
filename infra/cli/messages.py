"""`everscore messages`: what people were sent."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.options import AsJson, StackName, show
from infra.cli.screens.messages import messages_screen

if TYPE_CHECKING:
    from functions.shared.domain.message import Message
    from functions.shared.domain.sent import Sent

app = typer.Typer()

MOST_SHOWN = 20


@app.command()
def messages(
    model: Annotated[str | None, typer.Argument(help="Name of the model (default: all models).")] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Show the newest messages about alerts, decisions and releases, newest last."""
    from functions.shared.repositories.messages import Messages
    from infra.cli.operator import connect

    operator = connect(stack)
    if model is not None:
        operator.release_of(model)
    found = Messages(operator.store)
    newest = found.newest(model, most=MOST_SHOWN)
    show({"messages": [_as_sent(*pair) for pair in found.named(newest, stack=operator.name)]}, messages_screen, as_json=as_json)


def _as_sent(sent: "Sent", message: "Message") -> dict[str, Any]:
    return {
        "model": message.model,
        "kind": message.kind,
        "since": message.since.isoformat(),
        "begun_at": sent.begun_at.isoformat(),
        "sent": sorted(sent.sent),
        "subject": message.subject,
        "text": message.text,
    }
