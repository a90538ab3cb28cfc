"""Make the registry and what is served agree, one decided step at a time. Run it at any time, any number of times."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from functions.release.evidence import rollout_evidence
from functions.shared.domain import layout
from functions.shared.domain.canary import Action, Step, decide_step
from functions.shared.domain.decision import Decision, Reason, Verdict
from functions.shared.domain.errors import ReleaseRefusedError
from functions.shared.domain.performance import DayPerformance
from functions.shared.domain.release import PinnedPolicy, Release, ServedChallenger, ServedModel
from functions.shared.ports import ObjectStore, Registry
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.documents import read_documents
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases, StandingRelease


@dataclass(frozen=True, slots=True)
class Desk:
    """The ports of release, which go everywhere together."""

    store: ObjectStore
    registry: Registry
    new_salt: Callable[[], str]
    now: Callable[[], datetime]


def tick(model: str, desk: Desk) -> Step:
    """Finish what was begun, then take the one step that the evidence allows."""
    releases = Releases(desk.store)
    standing = releases.standing(model)
    if standing is not None:
        _agree(standing.release, desk)
    pending = _pending(model, standing, desk)
    if standing is None:
        if pending is None:
            return _nothing(model, "no version was ever decided on")
        return _first(pending, desk)
    release = standing.release
    if release.policy != _pinned_policy(model, desk):
        return _pin_policy(standing, desk)
    if release.challenger is not None:
        return _rollout_step(standing, desk)
    if pending is None:
        return _nothing(model, "no challenger is on its way")
    return _begin_canary(standing, pending, desk)


def promote(model: str, version: str, *, reason: str, who: str, desk: Desk) -> Release:
    """Serve a version at once, by hand.

    Raises:
        ReleaseRefusedError: if the model serves nothing, or the version has no decision and so no known bundle.
    """
    standing = _serving(model, desk)
    decision = Decisions(desk.store).of(model, version)
    if decision is None:
        message = f"version {version} of {model!r} has no decision, so its bundle is unknown"
        raise ReleaseRefusedError(message)
    return _publish(standing, desk, champion=_served(decision), challenger=None, previous=standing.release.champion, reason=reason, who=who)


def rollback(model: str, *, reason: str, who: str, desk: Desk) -> Release:
    """End a running rollout, or else serve the previous champion again.

    Raises:
        ReleaseRefusedError: if there is neither.
    """
    standing = _serving(model, desk)
    release = standing.release
    if release.challenger is not None:
        return _publish(standing, desk, challenger=None, reason=reason, who=who)
    if release.previous is None:
        message = f"{model!r} has no previous champion to return to; `everscore promote {model} VERSION` names one"
        raise ReleaseRefusedError(message)
    return _publish(standing, desk, champion=release.previous, challenger=None, previous=release.champion, reason=reason, who=who)


def _serving(model: str, desk: Desk) -> StandingRelease:
    standing = Releases(desk.store).standing(model)
    if standing is None:
        message = f"{model!r} serves nothing yet: `everscore train {model} …` first"
        raise ReleaseRefusedError(message)
    return standing


def _nothing(model: str, why: str) -> Step:
    return Step(Action.NONE, 0.0, (Reason(code="nothing", message=f"{model}: {why}"),))


def _pending(model: str, standing: StandingRelease | None, desk: Desk) -> Decision | None:
    """The newest decision to promote that is later than all that was served or tried, and was won against this champion."""
    decisions = [decision for decision in Decisions(desk.store).all(model) if decision.decision is Verdict.PROMOTE]
    if not decisions:
        return None
    newest = decisions[-1]
    if standing is None:
        return newest
    release = standing.release
    later = int(newest.challenger_version) > int(release.newest)
    return newest if later and newest.champion_version == release.champion.version else None


def _served(decision: Decision) -> ServedModel:
    version = decision.challenger_version
    return ServedModel(version=version, digest=decision.digest, prefix=layout.version_prefix(decision.model, version))


def _first(decision: Decision, desk: Desk) -> Step:
    served = _served(decision)
    reason = decision.reasons[0]
    release = Release(
        model=decision.model,
        seq=1,
        champion=served,
        newest=served.version,
        policy=_pinned_policy(decision.model, desk),
        reason=reason.message,
        decided_by="release",
        decided_at=desk.now(),
    )
    _agree(Releases(desk.store).publish(release, over=None), desk)
    return Step(Action.PROMOTE, 1.0, (reason,))


def _pin_policy(standing: StandingRelease, desk: Desk) -> Step:
    """Serve the same by the row contract that a person put in force."""
    policy, challenger = Policies(desk.store).current(standing.release.model), standing.release.challenger
    why = f"policy {policy.number} is in force" + (f": {policy.why}" if policy.why else "")
    _publish(standing, desk, reason=why, who=policy.who)
    return Step(Action.NONE, challenger.share if challenger else 0.0, (Reason(code="policy", message=why),))


def _begin_canary(standing: StandingRelease, decision: Decision, desk: Desk) -> Step:
    policy = Policies(desk.store).current(decision.model).canary
    served, reason = _served(decision), decision.reasons[0]
    challenger = ServedChallenger(
        version=served.version, digest=served.digest, prefix=served.prefix, share=policy.steps[0], salt=desk.new_salt(), mode=policy.mode
    )
    _publish(standing, desk, challenger=challenger, reason=f"canary: {reason.message}", who="release")
    return Step(Action.EXPAND, challenger.share, (reason,))


def _rollout_step(standing: StandingRelease, desk: Desk) -> Step:
    release = standing.release
    challenger = release.challenger
    assert challenger is not None, "asked only during a rollout"
    policy = Policies(desk.store).current(release.model)
    decision = Decisions(desk.store).of(release.model, challenger.version)
    manifests = list(Manifests(desk.store).newest(release.model))
    days = list(read_documents(desk.store, DayPerformance, f"performance/{release.model}/"))
    step = decide_step(challenger, policy.canary, rollout_evidence(release, decision, manifests, days, policy))
    why = f"canary {step.action.value}: " + "; ".join(reason.message for reason in step.reasons)
    match step.action:
        case Action.EXPAND:
            _publish(standing, desk, challenger=challenger.model_copy(update={"share": step.share}), reason=why, who="release")
        case Action.PROMOTE:
            champion = ServedModel(version=challenger.version, digest=challenger.digest, prefix=challenger.prefix)
            _publish(standing, desk, champion=champion, challenger=None, previous=release.champion, reason=why, who="release")
        case Action.ROLLBACK:
            _publish(standing, desk, challenger=None, reason=why, who="release")
        case _:
            pass
    return step


def _pinned_policy(model: str, desk: Desk) -> PinnedPolicy:
    policy = Policies(desk.store).current(model)
    return PinnedPolicy(number=policy.number, row_contract=policy.row_contract)


def _publish(standing: StandingRelease, desk: Desk, *, reason: str, who: str, **changed: ServedModel | ServedChallenger | None) -> Release:
    """Decide the next release: history first, then what is served, then the registry."""
    release = standing.release
    candidates = [int(release.newest), *(int(served.version) for served in changed.values() if served is not None)]
    following = release.model_copy(
        update={
            **changed,
            "seq": release.seq + 1,
            "newest": str(max(candidates)),
            "policy": _pinned_policy(release.model, desk),
            "reason": reason,
            "decided_by": who,
            "decided_at": desk.now(),
        }
    )
    published = Releases(desk.store).publish(following, over=standing)
    _agree(published, desk)
    return published


def _agree(release: Release, desk: Desk) -> None:
    """Set the registry's aliases to what is served, and last the tag that says so."""
    if desk.registry.sequence(release.model) >= release.seq:
        return
    desk.registry.set_aliases(
        release.model,
        {
            "champion": release.champion.version,
            "challenger": release.challenger.version if release.challenger else None,
            "previous": release.previous.version if release.previous else None,
        },
    )
    desk.registry.set_sequence(release.model, release.seq)
