"""Screens of the versions' training sets."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.screens.drawing import erased, table_of
from infra.words import plural


def snapshots_screen(found: dict[str, Any]) -> RenderableType:
    """Show the training sets of a model's versions."""
    table = table_of("version", "made (UTC)", "by", "rows", "event days", "snapshot", title=f"Training sets of {found['model']}")
    for entry in found["snapshots"]:
        days = "" if entry["first_day"] is None else f"{entry['first_day']} to {entry['last_day']}"
        made = entry["made_at"][:16].replace("T", " ")
        table.add_row(entry["version"], made, entry["trigger"], f"{entry['rows']:,}{erased(entry)}", days, entry["md5"][:8])
    return table


def checkout_screen(written: dict[str, Any]) -> RenderableType:
    """Show where a training set was written."""
    name = f"{written['model']} version {written['version']}"
    return Text(f"{written['folder']}: {_rows_in_files(written)} of {name}")


def pointer_screen(written: dict[str, Any]) -> RenderableType:
    """Show where DVC's pointer was written, and what it fetches."""
    name = f"{written['model']} version {written['version']}"
    fetched = f"`dvc pull {written['pointer']}` fetches {_rows_in_files(written)} to {written['folder']}"
    return Text(f"{written['pointer']}: pointer to {name}; {fetched}")


def _rows_in_files(written: dict[str, Any]) -> str:
    rows = plural("{number:,} row", "{number:,} rows", written["rows"])
    return f"{rows} in {plural('{number:,} file', '{number:,} files', written['files'])}"


def diff_screen(found: dict[str, Any]) -> RenderableType:
    """Show the differences between two training sets."""
    rows = (f"{found[what]:,} {what}" for what in ("added", "removed", "relabelled", "changed"))
    before, after = found["rows"]
    lines = [
        f"{found['model']}: version {found['old']} has {before:,} training rows, version {found['new']} has {after:,}",
        f"rows: {', '.join(rows)}",
    ]
    lines += [f"columns {what}: {', '.join(found[f'columns_{what}'])}" for what in ("added", "removed") if found[f"columns_{what}"]]
    table = table_of("feature", "PSI")
    for feature in sorted(found["features"], key=lambda feature: -feature["psi"]):
        table.add_row(feature["feature"], f"{feature['psi']:.3f}")
    return Group(Text("\n".join(lines)), table)
