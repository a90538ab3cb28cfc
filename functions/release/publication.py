"""Write a decided release.

First comes the history, then what is served, then the registry's aliases, and last its tag.
"""

import hashlib
from contextlib import suppress

from functions.release.aliases import agree
from functions.release.batches import newest_met
from functions.release.ports import Ports
from functions.shared.domain import layout
from functions.shared.domain.decision import Decision, Reason, Verdict
from functions.shared.domain.errors import ConflictError, NotFoundError, RegistryUnavailableError, ReleaseRefusedError
from functions.shared.domain.release import Answered, Approval, PinnedPolicy, Release, Role, ServedChallenger, ServedModel, Withdrawal
from functions.shared.domain.rollout.canary import Action, Step
from functions.shared.engines.bundle import INDEX
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases, StandingRelease

_MOST_LISTED = 1000
"""How many batches a withdrawal lists: ending a rollout must not wait until all of them are read."""


def publish_first(decision: Decision, ports: Ports) -> None:
    """Serve a model's first version."""
    served = servable(decision.model, decision.challenger_version, ports)
    release = Release(
        model=decision.model,
        seq=1,
        champion=served,
        newest=served.version,
        policy=policy_in_force(decision.model, ports),
        reason=decision.reasons[0].message,
        decided_by="release",
        decided_at=ports.now(),
    )
    _publish(release, ports, over=None)


def publish_next(
    standing: StandingRelease,
    ports: Ports,
    *,
    reason: str,
    who: str,
    retired: bool = False,
    approval: Approval | None = None,
    tried: str | None = None,
    rolled_back: str | None = None,
    **changed: ServedModel | ServedChallenger | None,
) -> Release:
    """Serve the standing release with other versions, or retire the model.

    Args:
        approval: the step that waits for a person from then on; whatever waited before waits no more.
        tried: a version that had its time, though it never served.
        rolled_back: the version that goes out of service by a rollback.

    Raises:
        ConflictError: if another decider was first; look again.
    """
    release = standing.release
    versions = [release.newest, tried or "0", *(served.version for served in changed.values() if served is not None)]
    following = release.model_copy(
        update={
            **changed,
            "seq": release.seq + 1,
            "newest": max(versions, key=int),
            "retired": retired,
            "approval": approval,
            "policy": policy_in_force(release.model, ports),
            "reason": reason,
            "decided_by": who,
            "decided_at": ports.now(),
        }
    )
    kept = release.rolled_back if following.champion.version == release.champion.version else None
    ended = {"withdrawn": _withdrawn(release, following, ports), "rolled_back": rolled_back or kept}
    return _publish(following.model_copy(update=ended), ports, over=standing)


def _withdrawn(before: Release, after: Release, ports: Ports) -> Withdrawal | None:
    """Return the challenger whose rollout ends without its becoming the champion."""
    challenger = before.challenger
    still = {after.champion.version, after.challenger.version if after.challenger else None}
    if challenger is None or challenger.version in still:
        return None
    first = Releases(ports.store).rollout(before)[0]
    batches, complete = newest_met(first, ports.store, most=_MOST_LISTED)
    answered = tuple(
        Answered(batch_id=manifest.batch_id, rows=rows) for manifest in batches if (rows := manifest.served.get(Role.CHALLENGER, 0))
    )
    return Withdrawal(version=challenger.version, share=challenger.share, answered=answered, complete=complete)


def _publish(release: Release, ports: Ports, *, over: StandingRelease | None) -> Release:
    """Serve a release without waiting for the registry.

    The registry's tag stays below `seq`, so the next tick finishes it.
    """
    published = Releases(ports.store).publish(release, over=over)
    with suppress(RegistryUnavailableError):
        agree(published.model, ports)
    if published != release:
        message = f"release {release.seq} of {release.model!r} was decided otherwise meanwhile ({published.reason}); look again"
        raise ConflictError(message)
    return published


def policy_in_force(model: str, ports: Ports) -> PinnedPolicy:
    """Return the part of the policy that scoring obeys."""
    policy = Policies(ports.store).current(model)
    return PinnedPolicy(number=policy.number, row_contract=policy.row_contract, decision=policy.decision)


def servable(model: str, version: str, ports: Ports) -> ServedModel:
    """Return a version as a release names it.

    Raises:
        ReleaseRefusedError: if it has no decision, or its bundle is gone or not the one that was decided on.
    """
    decision = Decisions(ports.store).of(model, version)
    if decision is None:
        message = f"model {model!r} has no version {version!r} that was decided on"
        raise ReleaseRefusedError(message, remedy=f"`everscore status {model}` lists its versions")
    prefix = layout.version_prefix(model, version)
    try:
        found = hashlib.sha256(ports.store.read(prefix + INDEX)).hexdigest()
    except NotFoundError as error:
        message = f"version {version} of {model!r} has no bundle at {prefix}"
        raise ReleaseRefusedError(message) from error
    if found != decision.digest:
        message = f"the bundle of version {version} of {model!r} is not the one that was decided on: its sha-256 is {found}"
        raise ReleaseRefusedError(message)
    return ServedModel(version=version, digest=decision.digest, prefix=prefix)


def serving(model: str, ports: Ports) -> StandingRelease:
    """Return what a model serves.

    Raises:
        ReleaseRefusedError: if that is nothing.
    """
    standing = Releases(ports.store).finished(model)
    if standing is None:
        message = f"{model!r} serves nothing yet: `everscore train {model} …` first"
        raise ReleaseRefusedError(message)
    return standing


def pin_policy(standing: StandingRelease, ports: Ports) -> Step | None:
    """Serve the same versions by a new row contract; None if it is in force already."""
    release = standing.release
    if release.policy == policy_in_force(release.model, ports):
        return None
    policy, challenger = Policies(ports.store).current(release.model), release.challenger
    why = f"policy {policy.number} is in force" + (f": {policy.why}" if policy.why else "")
    publish_next(standing, ports, approval=release.approval, reason=why, who=policy.who or "release")
    return Step(Action.NONE, challenger.share if challenger else 0.0, (Reason(code="policy", message=why),))


def champions(model: str, ports: Ports) -> set[str]:
    """Return versions that were ever served to all."""
    return {release.champion.version for release in Releases(ports.store).history(model)}


def challenging(served: ServedModel, ports: Ports, *, model: str) -> ServedChallenger:
    """Return a version at the first step of its rollout."""
    policy = Policies(ports.store).current(model).canary
    return ServedChallenger(
        version=served.version,
        digest=served.digest,
        prefix=served.prefix,
        share=policy.steps[0],
        salt=ports.new_name(),
        mode=policy.mode,
    )


def refuse_losers(model: str, version: str, ports: Ports) -> None:
    """Pass if a version was the champion before, or the gate did not keep it out.

    Raises:
        ReleaseRefusedError: with the gate's reasons, and how a person serves the version all the same.
    """
    decision = Decisions(ports.store).of(model, version)
    if decision is not None and decision.verdict is Verdict.KEEP and version not in champions(model, ports):
        why = "; ".join(reason.message for reason in decision.reasons)
        forced = f"everscore promote {model} {version} --force --reason WHY"
        message = f"the gate kept version {version} out ({why}); `{forced}` serves it all the same, with --canary to a share first"
        raise ReleaseRefusedError(message)
