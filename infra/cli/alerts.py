"""Commands about alerts: list them, take them up, silence them for a time."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from functions.shared.domain import layout
from infra.cli.options import AsJson, Model, StackName, show
from infra.cli.screens.alerts import alerts_screen

if TYPE_CHECKING:
    from functions.shared.domain.cause import Causes, Said
    from infra.cli.operator import Operator

app = typer.Typer()

Why = Annotated[str, typer.Option("--reason", help="Reason to record.")]


@app.command()
def alerts(
    model: Model,
    every: Annotated[bool, typer.Option("--all", help="Also those that were closed in the last 30 days.")] = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Show a model's open alerts: since when, how often, and people's notes.

    Alerts about files that name no model are under `_unnamed`.
    """
    from functions.shared.repositories.causes import causes_of
    from infra.cli.operator import connect

    operator = connect(stack)
    _refuse_unknown(model, operator)
    show(_shown(causes_of(model, operator.store), every=every), alerts_screen, as_json=as_json)


@app.command()
def ack(
    model: Model,
    alert: Annotated[str, typer.Argument(help="Name of the open alert, as `everscore alerts` lists it.")],
    reason: Why,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Acknowledge an open alert: record that you look after it."""
    from functions.shared.domain.cause import Said
    from functions.shared.repositories.causes import change_causes, checked_cause
    from infra.cli.operator import connect

    operator = connect(stack)
    _refuse_unknown(model, operator)
    said = Said(who=operator.who, reason=reason, at=datetime.now(UTC))
    causes = change_causes(model, operator.store, lambda causes: causes.acknowledged(checked_cause(alert, causes), said))
    show(_shown(causes, every=False), alerts_screen, as_json=as_json)


@app.command()
def silence(
    model: Model,
    alert: Annotated[str, typer.Argument(help="Name of the open alert, or a kind such as drift, for all of its alerts.")],
    reason: Why,
    days: Annotated[float, typer.Option("--days", min=0, max=366, help="Days without messages about it; 0 ends a silence.")] = 7,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Send no messages about an alert for a time. It stays open, and still retrains."""
    from functions.shared.domain.cause import Silence
    from functions.shared.repositories.causes import change_causes, checked_cause
    from infra.cli.operator import connect

    operator = connect(stack)
    _refuse_unknown(model, operator)
    now = datetime.now(UTC)
    wanted = Silence(who=operator.who, reason=reason, at=now, until=now + timedelta(days=days))
    causes = change_causes(model, operator.store, lambda causes: causes.silenced(checked_cause(alert, causes, or_kind=True), wanted))
    show(_shown(causes, every=False), alerts_screen, as_json=as_json)


def _refuse_unknown(model: str, operator: "Operator") -> None:
    """Refuse the name of no model, except the one that stands for files without."""
    if model != layout.UNNAMED_MODEL:
        operator.release_of(model)


def _shown(causes: "Causes", *, every: bool) -> dict[str, Any]:
    from functions.shared.domain.cause import state_of

    now = datetime.now(UTC)
    listed = [
        {
            "name": name,
            "kind": cause.kind.value,
            "state": state_of(causes, name, now).value,
            "since": cause.opened_at.isoformat(),
            "seen_at": cause.seen_at.isoformat(),
            "seen": cause.seen,
            "message": cause.message,
            "acknowledged": _said(cause.acknowledged),
            "closed_at": cause.closed_at.isoformat() if cause.closed_at else None,
            "closed_by": cause.closed_by,
        }
        for name, cause in sorted(causes.causes.items(), key=lambda item: item[1].opened_at)
        if every or cause.is_open
    ]
    silences = [
        {"name": name, **(_said(silence) or {}), "until": silence.until.isoformat()}
        for name, silence in causes.silences.items()
        if now < silence.until
    ]
    return {"model": causes.model, "alerts": listed, "silences": silences}


def _said(said: "Said | None") -> dict[str, Any] | None:
    return {"who": said.who, "reason": said.reason, "at": said.at.isoformat()} if said else None
