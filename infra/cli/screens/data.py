"""Screens of what versions learnt from."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.screens.drawing import erased, table_of


def snapshots_screen(found: dict[str, Any]) -> RenderableType:
    """The training sets of a model's versions."""
    table = table_of("version", "made", "by", "rows", "days", "files", "snapshot", title=f"Training sets of {found['model']}")
    for entry in found["snapshots"]:
        days = f"{entry['first_day']} to {entry['last_day']}"
        made = entry["made_at"][:16].replace("T", " ")
        table.add_row(
            entry["version"], made, entry["trigger"], f"{entry['rows']:,}{erased(entry)}", days, str(entry["files"]), entry["md5"]
        )
    return table


def checkout_screen(written: dict[str, Any]) -> RenderableType:
    """Where a training set was written."""
    name = f"{written['model']} version {written['version']}"
    return Text(f"{name}: {written['rows']:,} rows in {written['files']} files under {written['folder']}")


def pointer_screen(written: dict[str, Any]) -> RenderableType:
    """Where DVC's pointer was written, and what it fetches."""
    name = f"{written['model']} version {written['version']}"
    fetched = f"`dvc pull {written['pointer']}` fetches {written['rows']:,} rows in {written['files']} files to {written['folder']}"
    return Text(f"{name}: {fetched}")


def diff_screen(found: dict[str, Any]) -> RenderableType:
    """What differs between two training sets."""
    rows = (f"{found[what]:,} {what}" for what in ("added", "removed", "relabelled", "changed"))
    before, after = found["rows"]
    lines = [
        f"{found['model']}: version {found['old']} learnt from {before:,} rows, version {found['new']} from {after:,}",
        ", ".join(rows),
    ]
    lines += [f"columns {what}: {', '.join(found[f'columns_{what}'])}" for what in ("added", "removed") if found[f"columns_{what}"]]
    table = table_of("feature", "PSI")
    for feature in sorted(found["features"], key=lambda feature: -feature["psi"]):
        table.add_row(feature["feature"], f"{feature['psi']:.3f}")
    return Group(Text("\n".join(lines)), table)
