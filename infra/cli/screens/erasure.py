"""The screen of an erasure."""

from collections import Counter
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from infra.words import plural


def erasure_screen(answer: dict[str, Any]) -> RenderableType:
    """Show what was removed, and what must be erased later."""
    rows, versions = Counter[str](), Counter[str]()
    for erasure in answer["erasures"]:
        rows.update(erasure["rows"])
        versions.update(erasure["versions"])
    uploads = sum(len(erasure["uploads"]) for erasure in answer["erasures"])
    objects = plural("{number:,} object version", "{number:,} object versions", sum(erasure["objects"] for erasure in answer["erasures"]))
    would = "would be" if answer["dry_run"] else "were"
    until = {key: moment for erasure in answer["erasures"] for key, moment in erasure["left_until"].items()}
    found = ", ".join(f"{count:,} {kind}" for kind, count in rows.items()) or "none"
    ids = plural("{number:,} id", "{number:,} ids", answer["people"])
    lines = [
        f"{answer['model']}: rows of {ids} {'that would be removed' if answer['dry_run'] else 'removed'}: {found}"
        + ("" if answer["dry_run"] else f"; {objects} removed for good"),
        *(f"  version {version} was trained on {count:,} of them: retrain, then erase again" for version, count in versions.items()),
        *([f"  {plural('{number:,} upload', '{number:,} uploads', uploads)} with such rows {would} removed whole"] if uploads else []),
        *(f"  kept until {_moment(until.get(key))}, so erase again then: {key}" for key in answer["left"]),
        *(f"  record: erasures/{answer['model']}/{erasure['erasure']}.json" for erasure in answer["erasures"] if not answer["dry_run"]),
    ]
    return Text("\n".join(lines))


def _moment(until: str | None) -> str:
    """Return when a file may be removed: a time in UTC, or once it is processed."""
    return f"{until[:16].replace('T', ' ')} UTC" if until else "it is processed"
