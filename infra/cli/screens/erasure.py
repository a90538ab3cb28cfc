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
    told = ", ".join(f"{count:,} {kind}" for kind, count in rows.items()) or "none"
    lines = [
        f"{answer['model']}: rows of {answer['people']:,} ids removed: {told}; {objects:,} versions of objects removed for good",
        *(f"  version {version} was trained on {count:,} of them: retrain, then it can go" for version, count in versions.items()),
        *([f"  {uploads:,} uploads that showed them were removed whole"] if uploads else []),
        *(f"  left until it is worked off, so ask again then: {key}" for key in answer["left"]),
        *(f"  record: erasures/{answer['model']}/{erasure['erasure']}.json" for erasure in answer["erasures"]),
    ]
    return Text("\n".join(lines))
