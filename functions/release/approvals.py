"""Let a step wait for a person: ask once, until an answer or a time limit."""

from collections.abc import Mapping
from datetime import timedelta

from functions.release.ports import Ports
from functions.release.publication import challenging, pin_policy, publish_next, servable, serving
from functions.release.rollout import GROWTH, decided_step, take_step
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.decision import Decision, Reason
from functions.shared.domain.errors import ReleaseRefusedError
from functions.shared.domain.release import Approval, Release, approval_window
from functions.shared.domain.rollout.canary import Action, Step
from functions.shared.foundation.counted import counted
from functions.shared.repositories.alerts import raise_once
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import StandingRelease


def wait_for_person(standing: StandingRelease, version: str, step: Step, ports: Ports) -> Step:
    """Let a step wait until a person approves it.

    When its time is over, it is rejected.

    Args:
        standing: what is served.
        version: what would answer `step.share` of the rows.
        step: what the gate or the labels allow.
        ports: where release reads and writes.
    """
    release, why = standing.release, "; ".join(reason.message for reason in step.reasons)
    share, asked, now = release.challenger.share if release.challenger else 0.0, release.approval, ports.now()
    waits = Step(Action.WAIT, share, (Reason(code="awaits_approval", message=f"version {version} waits for approval: {why}"),))
    if asked is None or (asked.version, asked.share) != (version, step.share):
        asked = Approval(version=version, share=step.share, since=now)
        publish_next(standing, ports, approval=asked, reason=waits.reasons[0].message, who="release")
        raise_once(_alert(release.model, asked, why, ports), ports.store)
        return waits
    days = Policies(ports.store).current(release.model).release.approval_days
    if days is not None and now - asked.since > timedelta(days=days):
        lapsed = Reason(code="lapsed", message=f"nobody approved version {version} within {counted(days, 'days')}")
        _end(standing, asked, reason=lapsed.message, who="release", ports=ports)
        return Step(Action.ROLLBACK if release.challenger else Action.NONE, 0.0, (lapsed,))
    raise_once(_alert(release.model, asked, why, ports), ports.store)
    return pin_policy(standing, ports) or waits


def approve(model: str, version: str, *, reason: str, who: str, ports: Ports) -> Release:
    """Take the step that waits for a person, by a person.

    Raises:
        ReleaseRefusedError: if the version waits for nothing, the evidence does not allow the step any more, or its bundle is not sound.
        ConflictError: if another decider was first; look again.
    """
    standing, asked = _waiting(model, version, ports)
    why = f"approved: {reason}"
    if standing.release.challenger is None:
        challenger = challenging(servable(model, version, ports), ports, model=model).model_copy(update={"share": asked.share})
        return publish_next(standing, ports, challenger=challenger, reason=why, who=who)
    step = decided_step(standing.release, ports)
    if step.action not in GROWTH or step.share != asked.share:
        found = "; ".join(reason.message for reason in step.reasons)
        message = f"version {version} of {model!r} may not answer {asked.share:.0%} of the rows any more: {found}"
        remedy = f"`everscore tick {model}` does what is due; `everscore promote {model} {version}` serves it all the same"
        raise ReleaseRefusedError(message, remedy=remedy)
    return take_step(standing, step, why=why, who=who, ports=ports)


def reject(model: str, version: str, *, reason: str, who: str, ports: Ports) -> Release:
    """Have the champion serve alone: the version that waits had its time.

    Raises:
        ReleaseRefusedError: if the version waits for nothing.
        ConflictError: if another decider was first; look again.
    """
    standing, asked = _waiting(model, version, ports)
    return _end(standing, asked, reason=f"rejected: {reason}", who=who, ports=ports)


def _waiting(model: str, version: str, ports: Ports) -> tuple[StandingRelease, Approval]:
    standing = serving(model, ports)
    asked = standing.release.approval
    if asked is None or asked.version != version:
        found = f"version {asked.version} does" if asked else "no version does"
        message = f"version {version} of {model!r} does not wait for approval, {found}"
        raise ReleaseRefusedError(message, remedy=f"`everscore status {model}` shows what waits")
    return standing, asked


def _end(standing: StandingRelease, asked: Approval, *, reason: str, who: str, ports: Ports) -> Release:
    """Publish that a version goes no further; roll it back if it answered rows."""
    ended = standing.release.challenger.version if standing.release.challenger else None
    return publish_next(standing, ports, challenger=None, tried=asked.version, rolled_back=ended, reason=reason, who=who)


def _alert(model: str, asked: Approval, why: str, ports: Ports) -> Alert:
    """Return what a person is to decide, with the gate's numbers."""
    decision = Decisions(ports.store).of(model, asked.version)
    if asked.share == 1:
        message = f"version {asked.version} waits for approval to become the champion: {why}"
    else:
        message = f"version {asked.version} waits for approval to answer {asked.share:.0%} of the rows: {why}"
    evidence = {"version": asked.version, "share": asked.share, **(_figures(decision) if decision else {})}
    if decision and None not in (figures := _sides(decision)):
        champion, challenger = figures
        message += f"; {decision.metric} {challenger:.4g}, the champion's {champion:.4g}, on {decision.rows:,} held-out rows"
    return Alert(
        model=model,
        kind=AlertKind.APPROVAL,
        window=approval_window(asked),
        message=message,
        evidence=evidence,
        version=asked.version,
        runbook=f"docs/runbook.md#{AlertKind.APPROVAL.value}",
        raised_at=asked.since,
    )


def _sides(decision: Decision) -> tuple[float | None, float | None]:
    """Return the gate's metric of the champion and of the challenger."""
    return decision.champion.get(decision.metric), decision.challenger.get(decision.metric)


def _figures(decision: Decision) -> Mapping[str, float | str]:
    """Return what the gate measured, as far as it did."""
    measured = {"difference": decision.difference, "ci_low": decision.ci_low, "ci_high": decision.ci_high, "rows": decision.rows}
    return {name: value for name, value in measured.items() if value is not None}
