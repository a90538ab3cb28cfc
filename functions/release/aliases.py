"""Compare the registry's aliases with what is served.

The registry's tag names the release that they are of.
"""

from functions.release.ports import Ports
from functions.shared.domain.release import Release
from functions.shared.repositories.alias_turns import AliasTurns
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.releases import Releases


def aliases_of(release: Release) -> dict[str, str | None]:
    """Return the aliases that what is served asks for; None for an absent one."""
    return {
        "champion": None if release.retired else release.champion.version,
        "challenger": release.challenger.version if release.challenger else None,
        "previous": release.previous.version if release.previous else None,
    }


def agree(model: str, ports: Ports) -> None:
    """Set the registry's aliases to what is served, and last the tag that says so.

    One decider at a time does: aliases of an earlier release that were set late, under a newer tag, would look like a person's
    wish. What another one publishes meanwhile is set as well, or else by the next tick. Without a registry nothing is set, nor
    before it knows the versions, which retraining makes sure of.

    Raises:
        RegistryUnavailableError: if the registry is away, or it is another one's turn.
    """
    registry, releases, agreed = ports.registry, Releases(ports.store), 0
    if registry is None:
        return
    with AliasTurns(ports.store).taken(model, holder=ports.new_name(), now=ports.now):
        while (served := releases.current(model)) is not None and served.seq > agreed:
            if _unrecorded(served, ports):
                return
            registry.set_aliases(model, aliases_of(served))
            registry.set_sequence(model, served.seq)
            agreed = served.seq


def _unrecorded(served: Release, ports: Ports) -> bool:
    """Return whether a version was never recorded in the registry.

    One that a person deleted there was recorded.
    """
    decisions = (Decisions(ports.store).of(served.model, version) for version in aliases_of(served).values() if version)
    return any(decision is not None and decision.run_id is None for decision in decisions)
