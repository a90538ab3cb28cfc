"""Screens of how a version is made, judged and rebuilt."""

from typing import Any

from rich.console import Group, RenderableType

from infra.cli.screens.drawing import figure, meaning, table_of
from infra.cli.screens.prose import Prose
from infra.words import _, coded, counted, listed, plural, stored

_CLASSES, _COLUMNS = 20, 40
_SAME_SCORE = 1e-9
"""Outside the image and architecture of the first build, two builds of a version agree to this."""


def requested_screen(requested: dict[str, Any]) -> RenderableType:
    """Show a retraining that nobody waits for."""
    message = _(
        "{model}: a retraining was asked for. `everscore status {model}` will show a new version if one is made; "
        "`everscore retrain {model} --wait` says why none is",
        model=requested["model"],
    )
    return Prose(message)


def first_version_screen(made: dict[str, Any]) -> RenderableType:
    """Show the decision on a first version, and how its file was read."""
    classes = listed(f"{label} {rows:,}" for label, rows in list(made["classes"].items())[:_CLASSES])
    more = _(" and {number} more", number=len(made["classes"]) - _CLASSES) if len(made["classes"]) > _CLASSES else ""
    lines = [meaning(made), *([_("rows by class: {classes}{more}", classes=classes, more=more)] if classes else [])]
    doubts = (stored(reason["message"]) for reason in made["reasons"] if reason["warning"])
    warnings = [Prose(_("warning: {message}", message=doubt), "yellow") for doubt in doubts]
    following = _("Next: {command}", command=f"everscore score {made['model']} FILE -o SCORES.parquet")
    return Group(decision_screen(made), Prose("\n".join(lines)), _columns(made["columns"]), *warnings, Prose(following))


def _columns(columns: list[dict[str, Any]]) -> RenderableType:
    """Return a table of how each column of the file was read."""
    title = (
        plural("{number:,} column", "{number:,} columns", len(columns))
        if len(columns) <= _COLUMNS
        else _("The first {shown} of {number:,} columns (--json has all)", shown=_COLUMNS, number=len(columns))
    )
    table = table_of(_("column"), _("kind"), _("missing"), _("distinct"), _("example"), title=title)
    for column in columns[:_COLUMNS]:
        counts = ("" if column[name] is None else f"{column[name]:,}" for name in ("missing", "distinct"))
        table.add_row(column["name"], coded(column["kind"]), *counts, column["example"] or "")
    table.columns[2].justify = table.columns[3].justify = "right"
    return table


def decision_screen(decision: dict[str, Any]) -> RenderableType:
    """Show the gate's decision, or why there is none."""
    if decision["decision"] is None:
        return Prose(_("{model}: no challenger. {why}", model=decision["model"], why=stored(decision["skipped"])))
    alone = not decision["champion"]
    table = table_of(_("metric"), _("on held-out rows")) if alone else table_of(_("metric"), coded("champion"), coded("challenger"))
    for name, value in decision["challenger"].items():
        sides = (value,) if alone else (decision["champion"].get(name), value)
        table.add_row(name, *map(figure, sides))
    for fold in decision["cross_validation"]:
        earlier = (fold[side].get(decision["metric"]) for side in ("champion", "challenger"))
        table.add_row(_("{metric}, {first_day} to {last_day}", metric=decision["metric"], **fold), *map(figure, earlier))
    reasons = (f"  {stored(reason['message'])}" for reason in decision["reasons"] if not reason["warning"])
    made_by = _("{library}, ", library=decision["library"]) if decision["library"] else ""
    trained, held_out = (
        counted(decision["trained_rows"], "rows"),
        plural("{number:,} held-out row", "{number:,} held-out rows", decision["rows"]),
    )
    learnt = (
        _("  not trained here; {file_rows} of the file for its baseline, {rows:,} of them to measure it", file_rows=trained, **decision)
        if decision.get("adopted")
        else _("  trained on {file_rows}, measured on {held_out}", file_rows=trained, held_out=held_out, **decision)
    )
    learnt += _("; {made_by}engine {engine}", engine=decision["engine"], made_by=made_by)
    note = [Prose(_("The last lines measure models that knew only the days before."), "dim")] if decision["cross_validation"] else []
    engine = f" ({stored(decision['engine_reason'])})" if decision["engine"] == "native" else ""
    return Group(Prose("\n".join([_verdict(decision), *reasons])), Prose(f"{learnt}{engine}"), table, *note)


def _verdict(decision: dict[str, Any]) -> str:
    named = {"model": decision["model"], "version": decision["challenger_version"]}
    if decision["champion_version"] is None:
        return _("{model}: version {version} serves", **named)
    if decision["decision"] == "promote":
        return _("{model}: version {version} starts a canary", **named)
    return _("{model}: version {version} was kept out by the gate", **named)


def reproduction_screen(rebuilt: dict[str, Any]) -> RenderableType:
    """Show whether a version came out the same."""
    rows = plural("{number:,} row", "{number:,} rows", rebuilt["rows"])
    named = {"model": rebuilt["model"], "version": rebuilt["version"]}
    if rebuilt["identical"]:
        return Prose(_("{model} version {version}: rebuilt from its {rows}, identical byte by byte", **named, rows=rows))
    lines = [_("{model} version {version}: not identical: {difference}", **named, difference=stored(rebuilt["difference"]))]
    if (largest := rebuilt["largest_score_difference"]) is not None:
        alike = _("equal within 1e-9") if largest <= _SAME_SCORE else _("more than 1e-9 apart")
        lines.append(_("  scores of its {rows} differ by at most {largest:.3g}: {alike}", rows=rows, largest=largest, alike=alike))
    lines += [
        _("  {library} is {present}, {recorded} was recorded", library=library, present=present, recorded=recorded)
        for library, (recorded, present) in rebuilt["libraries"].items()
    ]
    return Prose("\n".join(lines))
