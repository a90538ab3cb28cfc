"""Turn releases into events that describe their changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from functions.shared.domain.release import Release
from infra.report.wording import count, share
from infra.words import _, plural


class Change(StrEnum):
    """What a release changed; `approval`: what a person is asked, `policy`: only the rules a row must satisfy."""

    CHAMPION = "champion"
    CANARY = "canary"
    WITHDRAWAL = "withdrawal"
    APPROVAL = "approval"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Event:
    """One release, and its change in words."""

    change: Change
    title: str
    release: Release


def events(releases: Sequence[Release]) -> tuple[Event, ...]:
    """Compare each release with the one before, in the given order (oldest first)."""
    first = (
        Event(Change.CHAMPION, _("Version {version} is served", version=release.champion.version), release) for release in releases[:1]
    )
    return (*first, *(_event(before, after) for before, after in pairwise(releases)))


def served_since(releases: Sequence[Release]) -> Release | None:
    """Return the release that made the current champion; None if there is no release."""
    return next((event.release for event in reversed(events(releases)) if event.change is Change.CHAMPION), None)


def _event(before: Release, after: Release) -> Event:
    new, old = after.challenger, before.challenger
    if after.champion.version != before.champion.version:
        returns = before.previous is not None and before.previous.version == after.champion.version
        title = _("Version {version} is served again" if returns else "Version {version} becomes champion", version=after.champion.version)
        return Event(Change.CHAMPION, title, after)
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
    return Event(Change.POLICY, _("The rules for rows change"), after)


def _answered(release: Release) -> str:
    """Return how many rows a withdrawn challenger answered."""
    withdrawn = release.withdrawn
    if withdrawn is None or not withdrawn.rows:
        return ""
    return plural(
        ", having answered {rows} rows of {number} batch",
        ", having answered {rows} rows of {number} batches",
        len(withdrawn.answered),
        rows=count(withdrawn.rows),
    )
