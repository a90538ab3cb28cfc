"""Grant or refuse wishes: aliases that a person moved on the registry's own page.

A refused wish is undone, and the reason is shown.
"""

from collections.abc import Mapping

from functions.release.aliases import agree, aliases_of
from functions.release.ports import Ports
from functions.release.publication import challenging, champions, publish_next, refuse_losers, servable
from functions.shared.domain.decision import Reason
from functions.shared.domain.errors import ReleaseRefusedError
from functions.shared.domain.release import Refusal, Release
from functions.shared.domain.rollout.canary import Action, Step
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases, StandingRelease

_WHO = "a person in the registry"


def grant_wish(standing: StandingRelease, ports: Ports) -> Step | None:
    """Do what moved aliases ask for.

    The registry's tag distinguishes a person's wish from our own unfinished work, which sets aliases first.

    Returns:
        The step taken, or None if the aliases ask for nothing: they say what is served, are set to say it again, or there are none.
    """
    registry, release = ports.registry, standing.release
    if registry is None:
        return None
    agreed = registry.sequence(release.model)
    if _is_unfinished(release, agreed, ports):
        agree(release.model, ports)
        return None
    aliases = registry.aliases(release.model)
    try:
        if wished := _champion_wish(standing, aliases, ports) or _challenger_wish(standing, aliases, ports):
            return wished
    except ReleaseRefusedError as refused:
        refusal = _refuse(release.model, release.seq, str(refused), ports)
        agree(release.model, ports)
        return Step(Action.NONE, _share(release), (refusal,))
    if agreed < release.seq or any(aliases.get(alias) != version for alias, version in aliases_of(release).items()):
        agree(release.model, ports)
    return None


def _is_unfinished(release: Release, agreed: int, ports: Ports) -> bool:
    """Return whether aliases may have been set halfway since an agreed release.

    A release that only brought a new policy asks for the same aliases, so others are a wish.
    """
    if not agreed:
        return True
    since = (Releases(ports.store).at(release.model, seq) for seq in reversed(range(agreed, release.seq)))
    return any(aliases_of(before) != aliases_of(release) for before in since)


def _refuse(model: str, seq: int, reason: str, ports: Ports) -> Reason:
    """Record a refused wish for `everscore status`, and show it in the registry."""
    refusal = Refusal(model=model, seq=seq, reason=reason, refused_at=ports.now())
    Releases(ports.store).refuse(refusal)
    if ports.registry is not None:
        ports.registry.record_refusal(model, f"{refusal.refused_at:%Y-%m-%d %H:%M} UTC: {reason}")
    return Reason(code="refused", message=reason)


def _refuse_unapproved(model: str, version: str, ports: Ports) -> None:
    """Pass if no approval is needed, an alias gives it, or the version served before."""
    policy = Policies(ports.store).current(model).release
    if policy.approval == "none" or policy.approval_by_alias or version in champions(model, ports):
        return
    message = (
        f"version {version} needs a person's approval, and an alias gives none (release.approval_by_alias): "
        f"`everscore approve {model} {version} --reason WHY`, or `everscore promote` if it does not wait"
    )
    raise ReleaseRefusedError(message)


def _share(release: Release) -> float:
    return release.challenger.share if release.challenger else 0.0


def _champion_wish(standing: StandingRelease, aliases: Mapping[str, str], ports: Ports) -> Step | None:
    release, wanted = standing.release, aliases.get("champion")
    if wanted is None or (wanted == release.champion.version and not release.retired):
        return None
    served = servable(release.model, wanted, ports)
    refuse_losers(release.model, wanted, ports)
    _refuse_unapproved(release.model, wanted, ports)
    why = f"the alias champion was set to version {wanted}"
    previous = release.previous if wanted == release.champion.version else release.champion
    other = _other_wish(release, wanted, aliases, ports)
    publish_next(standing, ports, champion=served, challenger=None, previous=previous, reason=why, who=_WHO)
    return Step(Action.PROMOTE, 1.0, (Reason(code="wish", message=why), *other))


def _other_wish(release: Release, champion: str, aliases: Mapping[str, str], ports: Ports) -> tuple[Reason, ...]:
    """Return the refusal of a challenger wished for together with a champion.

    The champion has to serve before a challenger begins.
    """
    other = aliases.get("challenger")
    if other in {None, champion, release.challenger.version if release.challenger else None}:
        return ()
    message = f"the aliases champion and challenger were set at once: version {champion} serves, set challenger to version {other} again"
    return (_refuse(release.model, release.seq + 1, message, ports),)


def _challenger_wish(standing: StandingRelease, aliases: Mapping[str, str], ports: Ports) -> Step | None:
    release, wanted = standing.release, aliases.get("challenger")
    if wanted == (release.challenger.version if release.challenger else None):
        return None
    if wanted is None:
        why = "the alias challenger was removed"
        ended = release.challenger.version if release.challenger else None
        publish_next(standing, ports, challenger=None, reason=why, who=_WHO, rolled_back=ended)
        return Step(Action.ROLLBACK, 0.0, (Reason(code="wish", message=why),))
    if release.retired:
        message = f"{release.model!r} is retired: set the alias champion to bring it back"
        raise ReleaseRefusedError(message)
    if wanted == release.champion.version:
        message = f"version {wanted} is the champion already"
        raise ReleaseRefusedError(message)
    refuse_losers(release.model, wanted, ports)
    _refuse_unapproved(release.model, wanted, ports)
    challenger = challenging(servable(release.model, wanted, ports), ports, model=release.model)
    why = f"the alias challenger was set to version {wanted}"
    publish_next(standing, ports, challenger=challenger, reason=why, who=_WHO)
    return Step(Action.EXPAND, challenger.share, (Reason(code="wish", message=why),))
