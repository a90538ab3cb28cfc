"""Turn releases into events that describe their changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType

from functions.shared.domain.policy import Policy
from functions.shared.domain.release import Release
from functions.shared.domain.thresholds import changed_thresholds
from infra.report.wording import share
from infra.words import _, counted, listed, plural


class Change(StrEnum):
    """A release's change: `approval` is a question, `policy` only the policy."""

    CHAMPION = "champion"
    CANARY = "canary"
    WITHDRAWAL = "withdrawal"
    APPROVAL = "approval"
    POLICY = "policy"
    RETIREMENT = "retirement"


@dataclass(frozen=True, slots=True)
class Event:
    """One release, and its change in words."""

    change: Change
    title: str
    release: Release


def events(releases: Sequence[Release], policies: Mapping[int, Policy] = MappingProxyType({})) -> tuple[Event, ...]:
    """Compare each release with the one before.

    Args:
        releases: oldest first.
        policies: by number, to name what a change of policy changed.
    """
    first = (
        Event(Change.CHAMPION, _("Version {version} is served", version=release.champion.version), release) for release in releases[:1]
    )
    return (*first, *(_event(before, after, policies) for before, after in pairwise(releases)))


def served_since(releases: Sequence[Release]) -> Release | None:
    """Return the release that made the current champion; None if there is no release."""
    return next((event.release for event in reversed(events(releases)) if event.change is Change.CHAMPION), None)


def _event(before: Release, after: Release, policies: Mapping[int, Policy]) -> Event:
    if event := _of_champion(before, after):
        return event
    new, old = after.challenger, before.challenger
    if new is not None and (old is None or (old.version, old.share, old.mode) != (new.version, new.share, new.mode)):
        title = _(
            "Version {version} scores along, unseen" if new.mode == "shadow" else "Version {version} answers {share}",
            version=new.version,
            share=share(new.share),
        )
        return Event(Change.CANARY, title, after)
    if old is not None and new is None:
        return Event(Change.WITHDRAWAL, _("Version {version} is withdrawn", version=old.version) + _answered(after), after)
    if after.approval is not None and after.approval != before.approval:
        return Event(Change.APPROVAL, _("Version {version} waits for approval", version=after.approval.version), after)
    if before.approval is not None and after.approval is None:
        return Event(Change.APPROVAL, _("Version {version} waits no more", version=before.approval.version), after)
    return Event(Change.POLICY, _policy_change(before.policy.number, after.policy.number, policies), after)


def _of_champion(before: Release, after: Release) -> Event | None:
    """Return that a champion came, came back, or went with the model."""
    if after.retired and not before.retired:
        return Event(Change.RETIREMENT, _("The model is retired"), after)
    is_other = after.champion.version != before.champion.version
    if not is_other and before.retired == after.retired:
        return None
    returns = not is_other or (before.previous is not None and before.previous.version == after.champion.version)
    title = _("Version {version} is served again" if returns else "Version {version} becomes champion", version=after.champion.version)
    return Event(Change.CHAMPION, title, after)


def _policy_change(before: int, after: int, policies: Mapping[int, Policy]) -> str:
    """Name the thresholds that differ, if both policies are known."""
    old, new = policies.get(before), policies.get(after)
    if old and new and (names := changed_thresholds(old, new)):
        return _("Policy {number} changes {names}", number=after, names=listed(names))
    return _("Policy {number} is in force", number=after)


def _answered(release: Release) -> str:
    """Return how many rows a withdrawn challenger answered."""
    withdrawn = release.withdrawn
    if withdrawn is None or not withdrawn.rows:
        return ""
    return plural(
        ", having answered {rows} of {number} batch",
        ", having answered {rows} of {number} batches",
        len(withdrawn.answered),
        rows=counted(withdrawn.rows, "rows"),
    )
