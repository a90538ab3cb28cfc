"""Screens of what is served, and who decided it."""

from typing import Any

from rich.console import RenderableType

from infra.cli.screens.drawing import person, table_of
from infra.cli.screens.prose import Prose
from infra.words import _, coded, plural, stored


def release_screen(release: dict[str, Any]) -> RenderableType:
    """Show what is served now, and why."""
    message = _(
        "{model}: {serving} (release {seq}: {reason})", **release | {"serving": serving(release), "reason": stored(release["reason"])}
    )
    return Prose("\n".join([message, *approval_lines(release), *withdrawn_lines(release)]))


def approval_lines(release: dict[str, Any]) -> list[str]:
    """Return lines on the step that waits for a person, if one does."""
    if (asked := release["approval"]) is None:
        return []
    parts = {"version": asked["version"], "share": asked["share"], "since": asked["since"][:16].replace("T", " ")}
    if asked["share"] == 1:
        what = _("  version {version} waits since {since} UTC for approval to become the champion", **parts)
    else:
        what = _("  version {version} waits since {since} UTC for approval to answer {share:.0%} of the rows", **parts)
    named = f"{release['model']} {asked['version']} --reason WHY"
    decide = _("  to decide: {approve} or {reject}", approve=f"everscore approve {named}", reject=f"everscore reject {named}")
    return [what, decide]


def serving(release: dict[str, Any]) -> str:
    """Return which version serves, if any does."""
    return _("retired") if release["retired"] else _("version {version} serves", version=release["champion"]["version"])


def step_screen(step: dict[str, Any]) -> RenderableType:
    """Show one step of a rollout."""
    reasons = _("; ").join(stored(reason["message"]) for reason in step["reasons"])
    if step["action"] == "none":
        return Prose(f"{step['model']}{_(': ')}{reasons}")
    said = step | {"action": coded(step["action"]), "reasons": reasons}
    return Prose(_("{model}: {action}, challenger's share {share:.0%} ({reasons})", **said))


def history_screen(found: dict[str, Any]) -> RenderableType:
    """Show releases, the newest last."""
    columns = (_("release"), _("since (UTC)"), coded("champion"), coded("challenger"), _("by"), _("why"))
    table = table_of(*columns, title=_("Releases of {model}", model=found["model"]))
    for release in found["releases"]:
        champion = release["champion"]["version"] if release["champion"] else _("retired")
        since = release["decided_at"][:16].replace("T", " ")
        by, why = person(release["decided_by"]), stored(release["reason"])
        table.add_row(str(release["seq"]), since, champion, challenger_served(release), by, why)
    return table


def challenger_served(served: dict[str, Any]) -> str:
    """Return which challenger is tried, and on what share of the rows."""
    challenger = served["challenger"]
    if challenger is None:
        return _("none")
    return _("{version} as a shadow", **challenger) if challenger["mode"] == "shadow" else _("{version} on {share:.0%}", **challenger)


def withdrawn_lines(release: dict[str, Any]) -> list[str]:
    """Return lines on the canary that a release ended."""
    if (withdrawn := release["withdrawn"]) is None:
        return []
    answered = withdrawn["answered"]
    named = {"version": withdrawn["version"], "share": withdrawn["share"]}
    if not answered:
        return [_("  ended the canary of version {version} at {share:.0%}, which answered no batch", **named)]
    rows = sum(batch["rows"] for batch in answered)
    parts = named | {
        "least": "" if withdrawn.get("complete", True) else _("at least "),
        "rows": plural("{number:,} row", "{number:,} rows", rows),
        "batches": plural("{number:,} batch", "{number:,} batches", len(answered)),
    }
    lines = [_("  ended the canary of version {version} at {share:.0%}, which answered {least}{rows} of {batches}", **parts)]
    champion = release["champion"]["version"]
    command = f"everscore rescore {release['model']} --withdrawn"
    return [*lines, _("  to score these with version {version}: {command}", version=champion, command=command)]
