"""Screens of how a version is made, judged and rebuilt."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.screens.drawing import figure, meaning, table_of
from infra.words import plural

_CLASSES, _COLUMNS = 20, 40
_SAME_SCORE = 1e-9
"""Outside the image and architecture of the first build, two builds of a version agree to this."""


def requested_screen(requested: dict[str, Any]) -> RenderableType:
    """Show a retraining that nobody waits for."""
    return Text(f"{requested['model']}: retraining has started; `everscore status {requested['model']}` will show the decision")


def first_version_screen(made: dict[str, Any]) -> RenderableType:
    """Show the decision on a first version, and how its file was read."""
    classes = ", ".join(f"{label} {rows:,}" for label, rows in list(made["classes"].items())[:_CLASSES])
    more = f" and {len(made['classes']) - _CLASSES} more" if len(made["classes"]) > _CLASSES else ""
    lines = [meaning(made), *([f"rows by class: {classes}{more}"] if classes else [])]
    warnings = [Text(f"warning: {reason['message']}", "yellow") for reason in made["reasons"] if reason["warning"]]
    return Group(decision_screen(made), Text("\n".join(lines)), _columns(made["columns"]), *warnings)


def _columns(columns: list[dict[str, Any]]) -> RenderableType:
    """Return a table of how each column of the file was read."""
    title = (
        plural("{number:,} column", "{number:,} columns", len(columns))
        if len(columns) <= _COLUMNS
        else f"The first {_COLUMNS} of {len(columns):,} columns (--json has all)"
    )
    table = table_of("column", "kind", "missing", "distinct", "example", title=title)
    for column in columns[:_COLUMNS]:
        counts = ("" if column[name] is None else f"{column[name]:,}" for name in ("missing", "distinct"))
        table.add_row(column["name"], column["kind"], *counts, column["example"] or "")
    table.columns[2].justify = table.columns[3].justify = "right"
    return table


def decision_screen(decision: dict[str, Any]) -> RenderableType:
    """Show the gate's decision, or why there is none."""
    if decision["decision"] is None:
        return Text(f"{decision['model']}: no challenger. {decision['skipped']}")
    first = decision["champion_version"] is None
    verdict = "serves" if first else {"promote": "starts a canary", "keep": "was rejected by the gate"}[decision["decision"]]
    table = table_of("metric", "on held-out rows") if first else table_of("metric", "champion", "challenger")
    for name, value in decision["challenger"].items():
        sides = (value,) if first else (decision["champion"].get(name), value)
        table.add_row(name, *map(figure, sides))
    for fold in decision["cross_validation"]:
        earlier = (fold[side].get(decision["metric"]) for side in ("champion", "challenger"))
        table.add_row(f"{decision['metric']}, {fold['first_day']} to {fold['last_day']}", *map(figure, earlier))
    head = f"{decision['model']}: version {decision['challenger_version']} {verdict}\n" + "\n".join(
        f"  {reason['message']}" for reason in decision["reasons"] if not reason["warning"]
    )
    made_by = f"{decision['library']}, engine" if decision["library"] else "engine"
    rows = f"trained on {decision['trained_rows']:,} rows, measured on {decision['rows']:,} held-out rows"
    learnt = f"  {rows}; {made_by} {decision['engine']}"
    note = [Text("The last lines measure models that knew only the days before.", "dim")] if decision["cross_validation"] else []
    return Group(Text(head), Text(f"{learnt} ({decision['engine_reason']})" if decision["engine"] == "native" else learnt), table, *note)


def reproduction_screen(rebuilt: dict[str, Any]) -> RenderableType:
    """Show whether a version came out the same."""
    name = f"{rebuilt['model']} version {rebuilt['version']}"
    rows = plural("{number:,} row", "{number:,} rows", rebuilt["rows"])
    if rebuilt["identical"]:
        return Text(f"{name}: rebuilt from its {rows}, identical byte by byte")
    lines = [f"{name}: not identical: {rebuilt['difference']}"]
    if (largest := rebuilt["largest_score_difference"]) is not None:
        alike = "equal within 1e-9" if largest <= _SAME_SCORE else "more than 1e-9 apart"
        lines.append(f"  scores of its {rows} differ by at most {largest:.3g}: {alike}")
    lines += [f"  {library} is {present}, {recorded} was recorded" for library, (recorded, present) in rebuilt["libraries"].items()]
    return Text("\n".join(lines))
