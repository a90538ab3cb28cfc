"""What people are sent about a change of what is served."""

from collections.abc import Iterator

from functions.shared.domain.message import RELEASE, Message, News, compose
from functions.shared.domain.release import Release, ServedChallenger, Withdrawal, doubtful_rollback
from functions.shared.foundation.counted import counted

_SERVED = "Batches that begin from now on are scored by it."
_RETIRED = "Batches that begin from now on fail, with the reason."


def release_message(release: Release, before: Release | None, *, stack: str) -> Message | None:
    """Compose the message about a release.

    It is None if the release only asks a person to approve a step: an alert says so.

    Args:
        release: what is served from now on.
        before: the release that it replaces; None for a model's first.
        stack: whose name stands in commands.
    """
    changes = [*_changes(release, before)] if before else [f"version {release.champion.version} answers every row, as the model's first"]
    if not changes:
        return None
    news = News(
        id=f"{RELEASE}-{release.seq}",
        model=release.model,
        kind=RELEASE,
        since=release.decided_at,
        happened=f"release {release.seq}: {'; '.join(changes)} ({release.reason})",
        meaning=f"Decided by {release.decided_by}. {_RETIRED if release.retired else _SERVED}",
        look_at="The releases and what labels say of their versions, in the status and the report",
        commands=tuple(_commands(release)),
        runbook="docs/runbook.md#release",
    )
    return compose(news, stack=stack)


def _changes(release: Release, before: Release) -> Iterator[str]:
    """Yield what differs from the release before for whoever gets scores."""
    ours, theirs = release.champion.version, before.champion.version
    if release.retired and not before.retired:
        yield f"the model is retired, and version {theirs} answers no more rows"
    elif before.retired and not release.retired:
        yield f"version {ours} answers every row again, as the model is retired no more"
    elif ours != theirs and release.rolled_back == theirs:
        yield f"version {theirs} is rolled back, and version {ours} answers every row"
    elif ours != theirs:
        yield f"version {ours} is the champion instead of version {theirs}"
    if release.withdrawn is not None:
        yield _ended(release.withdrawn)
    if release.challenger is not None and release.challenger != before.challenger:
        yield _share(release.challenger, before.challenger)
    if release.policy != before.policy:
        yield f"policy {release.policy.number} is in force, policy {before.policy.number} before"
    served_as_before = release.versions == before.versions
    if before.approval is not None and release.approval is None and served_as_before and release.challenger == before.challenger:
        yield f"version {before.approval.version} waits for approval no more"


def _ended(ended: Withdrawal) -> str:
    rows = counted(ended.rows, "rows") if ended.complete else f"at least {ended.rows:,} rows"
    return f"the rollout of version {ended.version} ended at {ended.share:.0%}; it had answered {rows}"


def _share(now: ServedChallenger, before: ServedChallenger | None) -> str:
    if now.mode == "shadow":
        return f"version {now.version} scores all rows in shadow and answers none"
    grown = f", {before.share:.0%} before" if before is not None and before.version == now.version else ""
    return f"version {now.version} answers {now.share:.0%} of the rows{grown}"


def _commands(release: Release) -> Iterator[str]:
    model = release.model
    yield f"everscore status {model}"
    if release.retired:
        yield f'everscore promote {model} {release.champion.version} --reason "…"'
    elif release.challenger is not None or (release.previous is not None and doubtful_rollback(release) is None):
        yield f'everscore rollback {model} --reason "…"'
