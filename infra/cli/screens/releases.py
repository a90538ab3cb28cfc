"""Screens of what is served, and who decided it."""

from typing import Any

from rich.console import RenderableType
from rich.text import Text

from infra.cli.screens.drawing import table_of
from infra.words import plural


def release_screen(release: dict[str, Any]) -> RenderableType:
    """Show what is served now, and why."""
    serving = "retired" if release["retired"] else f"version {release['champion']['version']} serves"
    lines = [f"{release['model']}: {serving} (release {release['seq']}: {release['reason']})", *withdrawn_lines(release)]
    return Text("\n".join(lines))


def step_screen(step: dict[str, Any]) -> RenderableType:
    """Show one step of a rollout."""
    reasons = "; ".join(reason["message"] for reason in step["reasons"])
    return Text(f"{step['model']}: {step['action']}, challenger's share {step['share']:.0%} ({reasons})")


def history_screen(found: dict[str, Any]) -> RenderableType:
    """Show releases, the newest last."""
    table = table_of("release", "since (UTC)", "champion", "challenger", "by", "why", title=f"Releases of {found['model']}")
    for release in found["releases"]:
        champion = release["champion"]["version"] if release["champion"] else "retired"
        since = release["decided_at"][:16].replace("T", " ")
        table.add_row(str(release["seq"]), since, champion, challenger_served(release), release["decided_by"], release["reason"])
    return table


def challenger_served(served: dict[str, Any]) -> str:
    """Return which challenger is tried, and on what share of the rows."""
    challenger = served["challenger"]
    if challenger is None:
        return "none"
    return (
        f"{challenger['version']} as a shadow"
        if challenger["mode"] == "shadow"
        else f"{challenger['version']} on {challenger['share']:.0%}"
    )


def withdrawn_lines(release: dict[str, Any]) -> list[str]:
    """Return lines on the canary that a release ended."""
    if (withdrawn := release["withdrawn"]) is None:
        return []
    answered = withdrawn["answered"]
    rows = sum(batch["rows"] for batch in answered)
    ended = f"  ended the canary of version {withdrawn['version']} at {withdrawn['share']:.0%}"
    batches = plural("{number:,} batch", "{number:,} batches", len(answered))
    least = "" if withdrawn.get("complete", True) else "at least "
    lines = [f"{ended}, which answered {least}{plural('{number:,} row', '{number:,} rows', rows)} of {batches}"]
    if answered:
        champion = release["champion"]["version"]
        lines.append(f"  to score these with version {champion}: everscore rescore {release['model']} --withdrawn")
    return lines
