"""Commands that decide what is served, and show what was."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from functions.shared.domain.errors import InputError
from functions.shared.domain.release import Release, doubtful_rollback
from infra.cli.options import AsJson, Model, Reason, StackName, confirmed, show
from infra.cli.screens.releases import history_screen, release_screen, step_screen
from infra.words import _, stored

app = typer.Typer()

Decided = Annotated[str, typer.Option("--reason", help="Reason to record.")]


@app.command()
def tick(model: Model, stack: StackName = None, as_json: AsJson = False) -> None:
    """Take one step of a model's canary or release now, as the schedule does."""
    from infra.cli.operator import connect

    operator = connect(stack)
    operator.release_of(model)
    step = operator.ask("Release", {"action": "tick", "model": model, "who": operator.who})
    show(step, step_screen, as_json=as_json)


@app.command()
def promote(
    model: Model,
    version: Annotated[str, typer.Argument(help="Version to serve.")],
    force: Annotated[bool, typer.Option("--force", help="Promote even if the gate rejected it (requires --reason).")] = False,
    canary: Annotated[bool, typer.Option("--canary", help="Start a canary at its first share instead of serving all rows.")] = False,
    reason: Reason = "",
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Serve a version at once, or start a canary of it. A running canary ends."""
    if force and not reason:
        raise InputError("--force needs a reason, for the record", remedy="add --reason", code="usage")
    request = {"action": "promote", "model": model, "version": version, "force": force, "canary": canary, "reason": reason}
    _ask(request, stack, as_json=as_json)


@app.command()
def approve(
    model: Model,
    version: Annotated[str, typer.Argument(help="Version that waits for approval.")],
    reason: Decided,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Approve what waits: a challenger's canary begins, or takes its next step."""
    _ask({"action": "approve", "model": model, "version": version, "reason": reason}, stack, as_json=as_json)


@app.command()
def reject(
    model: Model,
    version: Annotated[str, typer.Argument(help="Version that waits for approval.")],
    reason: Decided,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Reject what waits for approval; the champion serves all rows.

    The version does not come back by itself.
    """
    _ask({"action": "reject", "model": model, "version": version, "reason": reason}, stack, as_json=as_json)


@app.command()
def rollback(
    model: Model,
    version: Annotated[str | None, typer.Argument(help="Earlier champion to serve (default: the previous one).")] = None,
    reason: Reason = "",
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """End a running canary, or else serve the previous champion again.

    With VERSION, serve that earlier champion.

    Right after another rollback it asks first; without a terminal it refuses unless VERSION is given.
    """
    from infra.cli.operator import connect

    release = connect(stack).release_of(model)
    if version is None and release.previous and (doubt := doubtful_rollback(release)):
        version = release.previous.version
        remedy = f"to serve that version all the same: `everscore rollback {model} {version}`"
        question = _("{doubt}. Serve version {version}?", doubt=stored(doubt), version=version)
        confirmed(question, InputError(doubt, remedy=remedy, code="rolled_back"))
    _ask({"action": "rollback", "model": model, "version": version, "reason": reason}, stack, as_json=as_json)


@app.command()
def retire(model: Model, reason: Reason = "", stack: StackName = None, as_json: AsJson = False) -> None:
    """Stop serving a model; later batches fail until a version is promoted.

    They fail with the reason.
    """
    _ask({"action": "retire", "model": model, "reason": reason}, stack, as_json=as_json)


def _ask(request: dict[str, Any], stack: str | None, *, as_json: bool) -> None:
    from infra.cli.operator import connect

    operator = connect(stack)
    operator.release_of(request["model"])
    show(operator.ask("Release", {**request, "who": operator.who}), release_screen, as_json=as_json)


@app.command()
def history(
    model: Model,
    at: Annotated[
        str | None,
        typer.Option("--at", help="Show only what was served at this time, e.g. 2024-06-01T05:15+02:00 (without an offset: UTC)."),
    ] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Show who was champion when, why, and who decided it."""
    from functions.shared.repositories.releases import Releases
    from infra.cli.operator import connect

    operator = connect(stack)
    operator.release_of(model)
    releases = Releases(operator.store).history(model)
    if at is not None:
        releases = [served_at(releases, _moment(at))]
    show({"model": model, "releases": [_entry(release) for release in releases]}, history_screen, as_json=as_json)


def served_at(releases: list[Release], moment: datetime) -> Release:
    """Return the release that was in force at a time.

    Args:
        releases: oldest first.

    Raises:
        InputError: if nothing was served yet.
    """
    decided = [release for release in releases if release.decided_at <= moment]
    if not decided:
        first = releases[0]
        message = f"{first.model!r} served nothing at {moment:%Y-%m-%d %H:%M} UTC"
        raise InputError(
            message, remedy=f"ask for a time from its first release on: {first.decided_at:%Y-%m-%d %H:%M} UTC", code="nothing_served"
        )
    return decided[-1]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        remedy = "write a time as in 2024-06-01 or 2024-06-01T05:15+02:00"
        raise InputError(f"--at {text} is not a time", remedy=remedy, code="usage") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _entry(release: Release) -> dict[str, Any]:
    challenger, withdrawn = release.challenger, release.withdrawn
    return {
        "seq": release.seq,
        "decided_at": release.decided_at.isoformat(),
        "decided_by": release.decided_by,
        "reason": release.reason,
        "retired": release.retired,
        "champion": None if release.retired else {"version": release.champion.version},
        "challenger": {"version": challenger.version, "share": challenger.share, "mode": challenger.mode} if challenger else None,
        "approval": release.approval.model_dump(mode="json") if release.approval else None,
        "withdrawn": withdrawn.model_dump(mode="json") if withdrawn else None,
    }
