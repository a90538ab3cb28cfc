"""Make the registry and what is served agree, one decided step at a time.

It may run at any time, any number of times.
"""

from collections.abc import Iterable
from contextlib import suppress

from functions.release.approvals import wait_for_person
from functions.release.ports import Ports
from functions.release.publication import (
    challenging,
    champions,
    pin_policy,
    publish_first,
    publish_next,
    refuse_losers,
    servable,
    serving,
)
from functions.release.rollout import GROWTH, decided_step, take_step
from functions.release.wishes import grant_wish
from functions.shared.domain.decision import Decision, Reason, Verdict
from functions.shared.domain.errors import ConflictError, RegistryUnavailableError, ReleaseRefusedError
from functions.shared.domain.release import Release, doubtful_rollback
from functions.shared.domain.rollout.canary import Action, Step
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases, StandingRelease

_ROLLBACKS = 5
"""So often a rollback is tried that others come before, as the steps of a schedule do."""


def tick(model: str, ports: Ports) -> Step:
    """Finish what was begun, grant a person's wish, or take one step by the evidence.

    Raises:
        ReleaseRefusedError: if the version whose turn it is has no sound bundle.
        ConflictError: if another decider was first; look again.
    """
    standing = Releases(ports.store).finished(model)
    if standing is None:
        return _begin_serving(model, ports)
    try:
        if wished := grant_wish(standing, ports):
            return wished
    except RegistryUnavailableError as away:
        return _without_registry(standing, away, ports)
    return _next_step(standing, ports)


def _next_step(standing: StandingRelease, ports: Ports, *, begins: bool = True) -> Step:
    """Look at a running rollout, or pin a new policy, or begin a rollout."""
    if standing.release.retired:
        return _nothing(f"retired: {standing.release.reason}")
    if standing.release.challenger is not None:
        step = _rollout_step(standing, ports)
        return step if step.action is not Action.HOLD else pin_policy(standing, ports) or step
    return pin_policy(standing, ports) or (_begin_canary(standing, ports) if begins else _nothing("nothing new begins"))


def _without_registry(standing: StandingRelease, away: RegistryUnavailableError, ports: Ports) -> Step:
    """Begin nothing new, but end what has to end, and obey a new policy."""
    step = _next_step(standing, ports, begins=False)
    return Step(step.action, step.share, (*step.reasons, Reason(code="registry_unavailable", message=str(away))))


def promote(model: str, version: str, *, reason: str, who: str, force: bool, ports: Ports) -> Release:
    """Serve a version at once, by hand.

    A rollout ends with it, and the release says so.

    Raises:
        ReleaseRefusedError: if the model serves nothing or this version already, the version has no sound bundle, or the gate
            kept it out, unless it is forced or was the champion before.
        ConflictError: if another decider was first; look again.
    """
    return _serve(model, version, reason=reason, who=who, force=force, ports=ports)


def _serve(
    model: str, version: str, *, reason: str, who: str, ports: Ports, force: bool = False, rolled_back: str | None = None
) -> Release:
    standing = serving(model, ports)
    champion = standing.release.champion
    if version == champion.version and not standing.release.retired:
        message = f"version {version} of {model!r} serves already"
        raise ReleaseRefusedError(message)
    served = servable(model, version, ports)
    if not force:
        refuse_losers(model, version, ports)
    previous = standing.release.previous if version == champion.version else champion
    return publish_next(
        standing, ports, champion=served, challenger=None, previous=previous, reason=reason, who=who, rolled_back=rolled_back
    )


def try_out(model: str, version: str, *, reason: str, who: str, force: bool, ports: Ports) -> Release:
    """Begin a version's rollout by hand, at the policy's first step.

    A running one ends with it.

    Raises:
        ReleaseRefusedError: if the model serves nothing or is retired, this version serves or is on its way already, it has no
            sound bundle, or the gate kept it out, unless it is forced or was the champion before.
        ConflictError: if another decider was first; look again.
    """
    standing = serving(model, ports)
    release = standing.release
    if release.retired or version in {served.version for served in (release.champion, release.challenger) if served}:
        message = f"{model!r} is retired" if release.retired else f"{model!r} has version {version} in service already"
        raise ReleaseRefusedError(message)
    challenger = challenging(servable(model, version, ports), ports, model=model)
    if not force:
        refuse_losers(model, version, ports)
    return publish_next(standing, ports, challenger=challenger, reason=reason, who=who)


def restore(model: str, version: str, *, reason: str, who: str, ports: Ports) -> Release:
    """Serve a version again that was the champion at any time before.

    Raises:
        ReleaseRefusedError: if it never was, or as `promote`.
        ConflictError: if another decider was first; look again.
    """
    champion = serving(model, ports).release.champion.version
    if version not in (known := champions(model, ports)):
        listed = ", ".join(sorted(known, key=int))
        message = f"version {version} of {model!r} was never the champion; champions so far: {listed}"
        raise ReleaseRefusedError(message, remedy="`everscore promote` serves any version")
    return _serve(model, version, reason=reason, who=who, ports=ports, rolled_back=champion)


def rollback(model: str, *, reason: str, who: str, ports: Ports) -> Release:
    """End a running rollout, or else serve the previous champion again.

    Raises:
        ReleaseRefusedError: if there is neither, a rollback came just before, another decider put other versions in service at this
            moment, the model is retired, or the previous champion's bundle is not sound any more.
        ConflictError: if other deciders always were first; look again.
    """
    standing = serving(model, ports)
    meant = standing.release.versions
    for _ in range(_ROLLBACKS - 1):
        with suppress(ConflictError):
            return _roll_back(model, standing, reason=reason, who=who, ports=ports)
        standing = serving(model, ports)
        if (won := standing.release).versions != meant:
            message = f"release {won.seq} of {model!r} came first, by {won.decided_by}: {won.reason}"
            raise ReleaseRefusedError(message, remedy=f"look at `everscore status {model}`; if that is to go, ask again")
    return _roll_back(model, standing, reason=reason, who=who, ports=ports)


def _roll_back(model: str, standing: StandingRelease, *, reason: str, who: str, ports: Ports) -> Release:
    release = standing.release
    if release.retired:
        message = f"{model!r} is retired; `everscore promote {model} {release.champion.version}` brings the champion back that it had"
        raise ReleaseRefusedError(message)
    if release.challenger is not None:
        ended = release.challenger.version
        return publish_next(standing, ports, challenger=None, reason=reason, who=who, rolled_back=ended)
    if release.previous is None:
        message = f"{model!r} has no previous champion to return to; `everscore promote {model} VERSION` names one"
        raise ReleaseRefusedError(message)
    if doubt := doubtful_rollback(release):
        raise ReleaseRefusedError(doubt, remedy=f"name the version that is meant: `everscore rollback {model} VERSION`")
    previous, gone = servable(model, release.previous.version, ports), release.champion
    return publish_next(standing, ports, champion=previous, previous=gone, reason=reason, who=who, rolled_back=gone.version)


def retire(model: str, *, reason: str, who: str, ports: Ports) -> Release:
    """Stop serving a model: later batches fail with the reason.

    `promote` brings it back.

    Raises:
        ReleaseRefusedError: if the model serves nothing.
        ConflictError: if another decider was first; look again.
    """
    return publish_next(serving(model, ports), ports, challenger=None, retired=True, reason=reason, who=who)


def _nothing(why: str) -> Step:
    return Step(Action.NONE, 0.0, (Reason(code="nothing", message=why),))


def _begin_serving(model: str, ports: Ports) -> Step:
    winners = _winners(Decisions(ports.store).all(model))
    if not winners:
        return _nothing("no version was ever decided on")
    publish_first(winners[-1], ports)
    return Step(Action.PROMOTE, 1.0, winners[-1].reasons)


def _winners(decisions: Iterable[Decision]) -> list[Decision]:
    """Return those to promote, in their order."""
    return [decision for decision in decisions if decision.verdict is Verdict.PROMOTE]


def _begin_canary(standing: StandingRelease, ports: Ports) -> Step:
    """Roll out the newest version that won against this champion, or ask first.

    The version was never served or tried before. An imported one met no champion here, so it may begin against any.
    """
    release = standing.release
    untried = _winners(Decisions(ports.store).after(release.model, release.newest))
    winners = [decision for decision in untried if decision.origin is not None or decision.champion_version == release.champion.version]
    if not winners:
        return _nothing("no challenger is on its way")
    winner = winners[-1]
    challenger = challenging(servable(release.model, winner.challenger_version, ports), ports, model=release.model)
    step = Step(Action.EXPAND, challenger.share, winner.reasons)
    if Policies(ports.store).current(release.model).release.approval != "none":
        return wait_for_person(standing, winner.challenger_version, step, ports)
    publish_next(standing, ports, challenger=challenger, reason=f"canary: {winner.reasons[0].message}", who="release")
    return step


def _rollout_step(standing: StandingRelease, ports: Ports) -> Step:
    """Take the step that the evidence on a rollout allows, or ask a person first."""
    release = standing.release
    assert release.challenger is not None, "asked only during a rollout"
    step = decided_step(release, ports)
    if step.action in GROWTH and Policies(ports.store).current(release.model).release.approval == "every_step":
        return wait_for_person(standing, release.challenger.version, step, ports)
    if step.action is not Action.HOLD:
        why = f"canary {step.action.value}: " + "; ".join(reason.message for reason in step.reasons)
        take_step(standing, step, why=why, who="release", ports=ports)
    return step
