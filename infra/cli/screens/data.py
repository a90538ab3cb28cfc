"""Screens of the versions' training sets."""

from typing import Any

from rich.console import Group, RenderableType

from infra.cli.screens.drawing import erased, table_of
from infra.cli.screens.prose import Prose
from infra.words import _, coded, counted, listed, plural


def snapshots_screen(found: dict[str, Any]) -> RenderableType:
    """Show the training sets of a model's versions."""
    columns = (_("version"), _("made (UTC)"), _("by"), _("rows"), _("event days"), _("snapshot"))
    table = table_of(*columns, title=_("Training sets of {model}", model=found["model"]))
    for entry in found["snapshots"]:
        days = "" if entry["first_day"] is None else _("{first_day} to {last_day}", **entry)
        made = entry["made_at"][:16].replace("T", " ")
        table.add_row(entry["version"], made, coded(entry["trigger"]), f"{entry['rows']:,}{erased(entry)}", days, entry["md5"][:8])
    return table


def checkout_screen(written: dict[str, Any]) -> RenderableType:
    """Show where a training set was written."""
    return Prose(_("{folder}: {rows_in_files} of {model} version {version}", **written, rows_in_files=_rows_in_files(written)))


def pointer_screen(written: dict[str, Any]) -> RenderableType:
    """Show where DVC's pointer was written, and what it fetches."""
    message = _(
        "{pointer}: pointer to {model} version {version}; `dvc pull {pointer}` fetches {rows_in_files} to {folder}",
        **written,
        rows_in_files=_rows_in_files(written),
    )
    return Prose(message)


def _rows_in_files(written: dict[str, Any]) -> str:
    rows = plural("{number:,} row", "{number:,} rows", written["rows"])
    return _("{rows} in {files}", rows=rows, files=plural("{number:,} file", "{number:,} files", written["files"]))


def diff_screen(found: dict[str, Any]) -> RenderableType:
    """Show the differences between two training sets."""
    before, after = found["rows"]
    sizes = {"rows": counted(before, "rows"), "after": after}
    versions = _("{model}: version {old} was trained on {rows}, version {new} on {after:,}", **found | sizes)
    lines = [versions, _("rows: {added:,} added, {removed:,} removed, {relabelled:,} relabelled, {changed:,} changed", **found)]
    lines += [_("columns added: {columns}", columns=listed(found["columns_added"]))] if found["columns_added"] else []
    lines += [_("columns removed: {columns}", columns=listed(found["columns_removed"]))] if found["columns_removed"] else []
    table = table_of(_("feature"), "PSI")
    for feature in sorted(found["features"], key=lambda feature: -feature["psi"]):
        table.add_row(feature["feature"], f"{feature['psi']:.3f}")
    return Group(Prose("\n".join(lines)), table)
