"""Screens of what is served, and of who decided it."""

from typing import Any

from rich.console import RenderableType
from rich.text import Text

from infra.cli.screens.drawing import table_of


def release_screen(release: dict[str, Any]) -> RenderableType:
    """What is served now, and why."""
    serving = "retired" if release["retired"] else f"version {release['champion']['version']} serves"
    lines = [f"{release['model']}: {serving} (release {release['seq']}: {release['reason']})", *withdrawn_lines(release)]
    return Text("\n".join(lines))


def step_screen(step: dict[str, Any]) -> RenderableType:
    """One step of a rollout."""
    reasons = "; ".join(reason["message"] for reason in step["reasons"])
    return Text(f"{step['model']}: {step['action']}, challenger's share {step['share']:.0%} ({reasons})")


def history_screen(found: dict[str, Any]) -> RenderableType:
    """Releases, the newest last."""
    table = table_of("release", "since (UTC)", "champion", "challenger", "by", "why", title=f"Releases of {found['model']}")
    for release in found["releases"]:
        champion = release["champion"]["version"] if release["champion"] else "retired"
        since = release["decided_at"][:16].replace("T", " ")
        table.add_row(str(release["seq"]), since, champion, challenger_served(release), release["decided_by"], release["reason"])
    return table


def challenger_served(served: dict[str, Any]) -> str:
    """Who is tried beside the champion, and on how much."""
    challenger = served["challenger"]
    if challenger is None:
        return "none"
    return (
        f"{challenger['version']} as a shadow"
        if challenger["mode"] == "shadow"
        else f"{challenger['version']} on {challenger['share']:.0%}"
    )


def withdrawn_lines(release: dict[str, Any]) -> list[str]:
    """What the rollout that a release ended leaves behind."""
    if (withdrawn := release["withdrawn"]) is None:
        return []
    answered = withdrawn["answered"]
    rows = sum(batch["rows"] for batch in answered)
    ended = f"  ends the canary of version {withdrawn['version']} at {withdrawn['share']:.0%}"
    batches = "1 batch" if len(answered) == 1 else f"{len(answered):,} batches"
    least = "" if withdrawn.get("complete", True) else "at least "
    lines = [f"{ended}, which answered {least}{rows:,} rows of {batches}"]
    if answered:
        lines.append(f"  `everscore rescore {release['model']} --withdrawn` scores them again by version {release['champion']['version']}")
    return lines
