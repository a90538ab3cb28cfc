"""The screen of an erasure."""

from collections import Counter
from typing import Any

from rich.console import RenderableType

from functions.shared.domain import layout
from infra.cli.screens.prose import Prose
from infra.words import _, coded, listed, plural

_UPLOADS = 5


def erasure_screen(answer: dict[str, Any]) -> RenderableType:
    """Show what was removed, and what must be erased later."""
    rows, versions = Counter[str](), Counter[str]()
    for erasure in answer["erasures"]:
        rows.update(erasure["rows"])
        versions.update(erasure["versions"])
    whole = [*dict.fromkeys(key for erasure in answer["erasures"] for key in erasure["uploads"])]
    uploads = len(whole)
    objects = plural("{number:,} object version", "{number:,} object versions", sum(erasure["objects"] for erasure in answer["erasures"]))
    until = {key: moment for erasure in answer["erasures"] for key, moment in erasure["left_until"].items()}
    parts = {
        "model": answer["model"],
        "ids": plural("{number:,} id", "{number:,} ids", answer["people"]),
        "found": listed(f"{_kind(kind)} {count:,}" for kind, count in rows.items()) or _("none"),
        "objects": objects,
    }
    would_be = plural(
        "  {number:,} upload with such rows would be removed whole", "  {number:,} uploads with such rows would be removed whole", uploads
    )
    were = plural("  {number:,} upload with such rows was removed whole", "  {number:,} uploads with such rows were removed whole", uploads)
    kept = plural(
        "  other people's rows in it stay scored, but cannot be scored again",
        "  other people's rows in them stay scored, but cannot be scored again",
        uploads,
    )
    lines = [
        _("{model}: rows of {ids} that would be removed: {found}", **parts)
        if answer["dry_run"]
        else _("{model}: rows of {ids} removed: {found}; {objects} removed for good", **parts),
        *(
            _("  version {version} was trained on {rows:,} of them: retrain, then erase again", version=version, rows=count)
            for version, count in versions.items()
        ),
        *([would_be if answer["dry_run"] else were] if uploads else []),
        *([kept] if any(map(_is_batch, whole)) else []),
        *(f"    {key}" for key in whole[:_UPLOADS]),
        *([f"    {_('and {number:,} more: --json has them', number=uploads - _UPLOADS)}"] if uploads > _UPLOADS else []),
        *(_("  kept until {moment}, so erase again then: {file}", moment=_moment(until.get(key)), file=key) for key in answer["left"]),
        *(
            _("  record: {file}", file=layout.erasure_key(answer["model"], erasure["erasure"]))
            for erasure in answer["erasures"]
            if not answer["dry_run"]
        ),
        *([] if answer["dry_run"] or answer["left"] or versions else [_("  nothing is left to erase")]),
    ]
    return Prose("\n".join(lines))


def _kind(kind: str) -> str:
    """Return what rows of a folder of the store are called."""
    return {"waiting": _("waiting for labels"), "identities": _("in lists of ids")}.get(kind) or coded(kind)


def _is_batch(key: str) -> bool:
    return key.startswith(f"{layout.BATCHES}/")


def _moment(until: str | None) -> str:
    """Return when a file may be removed: a time in UTC, or once it is processed."""
    return f"{until[:16].replace('T', ' ')} UTC" if until else _("it is processed")
