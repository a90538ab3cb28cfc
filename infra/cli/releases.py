"""Commands that decide what is served, and tell what was."""

from datetime import UTC, datetime
from getpass import getuser
from typing import Annotated, Any

import typer

from functions.shared.domain.errors import InputError
from functions.shared.domain.release import Release, doubtful_rollback
from infra.cli.options import AsJson, Model, Reason, StackName, confirmed, show
from infra.cli.screens.releases import history_screen, release_screen, step_screen

app = typer.Typer()


@app.command()
def tick(model: Model, stack: StackName = None, as_json: AsJson = False) -> None:
    """Take one step of the release, as the schedule would."""
    from infra.cli.operator import connect

    operator = connect(stack)
    operator.release_of(model)
    step = operator.ask("Release", {"action": "tick", "model": model, "who": getuser()})
    show(step, step_screen, as_json=as_json)


@app.command()
def promote(
    model: Model,
    version: Annotated[str, typer.Argument(help="Version to serve.")],
    force: Annotated[bool, typer.Option("--force", help="Although the gate kept it out; needs a reason.")] = False,
    canary: Annotated[bool, typer.Option("--canary", help="To the first share of a canary, not to all.")] = False,
    reason: Reason = "",
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Serve a version at once, or try it out in a canary; a running one ends."""
    if force and not reason:
        message = "--force serves what the gate kept out: say why with --reason"
        raise InputError(message)
    request = {"action": "promote", "model": model, "version": version, "force": force, "canary": canary, "reason": reason}
    _ask(request, stack, as_json=as_json)


@app.command()
def rollback(
    model: Model,
    version: Annotated[str | None, typer.Argument(help="An earlier champion, instead of the previous one.")] = None,
    reason: Reason = "",
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """End a running canary, or else serve the previous champion again; with a version, serve that earlier champion.

    Asks, or without a terminal refuses, where a rollback came just before: another one is to name its version.
    """
    from infra.cli.operator import connect

    release = connect(stack).release_of(model)
    if version is None and release.previous and (doubt := doubtful_rollback(release)):
        version = release.previous.version
        remedy = f"name the version, if that is meant: `everscore rollback {model} {version}`"
        confirmed(f"{doubt}. Serve version {version}?", InputError(doubt, remedy=remedy, code="rolled_back"))
    _ask({"action": "rollback", "model": model, "version": version, "reason": reason}, stack, as_json=as_json)


@app.command()
def retire(model: Model, reason: Reason = "", stack: StackName = None, as_json: AsJson = False) -> None:
    """Serve a model no more: later batches fail with the reason, until a version is promoted."""
    _ask({"action": "retire", "model": model, "reason": reason}, stack, as_json=as_json)


def _ask(request: dict[str, Any], stack: str | None, *, as_json: bool) -> None:
    from infra.cli.operator import connect

    operator = connect(stack)
    operator.release_of(request["model"])
    show(operator.ask("Release", {**request, "who": getuser()}), release_screen, as_json=as_json)


@app.command()
def history(
    model: Model,
    at: Annotated[
        str | None, typer.Option("--at", help="A time, such as 2024-06-01T05:15+02:00; what was served then. Without an offset: UTC.")
    ] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Tell who was champion when, why, and who decided it."""
    from functions.shared.repositories.releases import Releases
    from infra.cli.operator import connect

    operator = connect(stack)
    operator.release_of(model)
    releases = Releases(operator.store).history(model)
    if at is not None:
        releases = [served_at(releases, _moment(at))]
    show({"model": model, "releases": [_entry(release) for release in releases]}, history_screen, as_json=as_json)


def served_at(releases: list[Release], moment: datetime) -> Release:
    """The release that was in force at a time.

    Args:
        releases: oldest first.

    Raises:
        InputError: if nothing was served yet.
    """
    decided = [release for release in releases if release.decided_at <= moment]
    if not decided:
        first = releases[0]
        message = (
            f"{first.model!r} served nothing at {moment:%Y-%m-%d %H:%M} UTC; its first release is of {first.decided_at:%Y-%m-%d %H:%M} UTC"
        )
        raise InputError(message)
    return decided[-1]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"--at {text}: write a time as in 2024-06-01 or 2024-06-01T05:15+02:00"
        raise InputError(message) from error
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
        "withdrawn": withdrawn.model_dump(mode="json") if withdrawn else None,
    }
