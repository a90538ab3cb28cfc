"""The screen of what an erasure removed."""

from collections import Counter
from typing import Any

from rich.console import RenderableType
from rich.text import Text


def erasure_screen(answer: dict[str, Any]) -> RenderableType:
    """What went, and what is to be asked for again."""
    rows, versions = Counter[str](), Counter[str]()
    for erasure in answer["erasures"]:
        rows.update(erasure["rows"])
        versions.update(erasure["versions"])
    uploads = sum(len(erasure["uploads"]) for erasure in answer["erasures"])
    objects = sum(erasure["objects"] for erasure in answer["erasures"])
    until = {key: moment for erasure in answer["erasures"] for key, moment in erasure["left_until"].items()}
    told = ", ".join(f"{count:,} {kind}" for kind, count in rows.items()) or "none"
    lines = [
        f"{answer['model']}: rows of {answer['people']:,} ids {'that would go' if answer['dry_run'] else 'removed'}: {told}"
        + ("" if answer["dry_run"] else f"; {objects:,} versions of objects removed for good"),
        *(f"  version {version} was trained on {count:,} of them: retrain, then it can go" for version, count in versions.items()),
        *([f"  {uploads:,} uploads that showed them {'would go' if answer['dry_run'] else 'were removed'} whole"] if uploads else []),
        *(f"  left until {_moment(until.get(key))}, so ask again then: {key}" for key in answer["left"]),
        *(f"  record: erasures/{answer['model']}/{erasure['erasure']}.json" for erasure in answer["erasures"] if not answer["dry_run"]),
    ]
    return Text("\n".join(lines))


def _moment(until: str | None) -> str:
    """When a file may go: a time in UTC, or once it is worked off."""
    return f"{until[:16].replace('T', ' ')} UTC" if until else "it is worked off"
