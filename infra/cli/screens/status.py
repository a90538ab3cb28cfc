"""Screens of how models are doing: one line per model, or one whole model."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from functions.shared.domain import layout
from functions.shared.domain.performance.error_curve import COST
from infra.cli.screens.drawing import erased, figure, meaning, person, sparkline, table_of, unseen_lines, verdict
from infra.cli.screens.prose import Prose
from infra.cli.screens.releases import approval_lines, challenger_served, serving, withdrawn_lines
from infra.words import _, coded, counted, headed, listed, plural, stored

_DAYS, _COLUMNS, _BATCHES, _WARNINGS, _EXPLAINED = 28, 6, 5, 5, 3
_SIDES = ("champion", "challenger")
FIRST = {
    "train": "everscore train MODEL FILE --target COLUMN --id COLUMN",
    "adopt": "everscore adopt MODEL SOURCE FILE --target COLUMN --id COLUMN",
}
"""What makes a stack's first model."""


def fleet_screen(fleet: dict[str, Any]) -> RenderableType:
    """Show one line per model."""
    if not fleet["models"]:
        return Prose(_("No model serves here yet.\nTo train the first: {train}\nTo serve one that you have: {adopt}", **FIRST))
    table = table_of(_("model"), coded("champion"), coded("challenger"), _("release"), _("why"))
    for served in fleet["models"]:
        champion = _("retired") if served["retired"] else served["champion"]["version"]
        table.add_row(served["model"], champion, challenger_served(served), str(served["seq"]), stored(served["why"]))
    return table


def status_screen(state: dict[str, Any]) -> RenderableType:
    """Show one model's state, on one screen."""
    served = {
        "serving": serving(state),
        "challenger": challenger_served(state),
        "previous": state["previous"]["version"] if state["previous"] else _("none"),
    }
    release = {
        "seq": state["seq"],
        "moment": state["decided_at"][:16].replace("T", " "),
        "who": person(state["decided_by"]),
        "reason": stored(state["reason"]),
    }
    head = Prose.assemble(
        (state["model"], "bold"),
        _(": {serving}; challenger: {challenger}; previous champion: {previous}", **served),
        "\n",
        (_("release {seq} of {moment} UTC by {who}: {reason}", **release), "dim"),
        f"\n{meaning(state)}" if state["target"] else "",
    )
    costs = [Prose(line) for line in (*withdrawn_lines(state), *_second_model(state))]
    parts: list[RenderableType] = [
        head,
        *(Prose(line, "yellow") for line in approval_lines(state)),
        *_refusal(state["refused"]),
        *costs,
        *_versions({state[role]["version"] for role in ("champion", "challenger") if state[role]}, state["versions"]),
        *_performance(state),
        *_estimate(state["estimate"]),
        *_early(state["early"]),
    ]
    parts.append(_drift(state["drift"]))
    if state["batches"]:
        parts.append(_batches(state["batches"]))
        parts += unseen_lines(state["batches"][0]["unseen"])
    parts += [Prose(_alert(alert), "yellow") for alert in state["alerts"]]
    if any(_is_open(alert) for alert in state["alerts"]):
        parts.append(
            Prose(
                _("what to do: `everscore messages {model}`; to take an alert up: `everscore alerts {model}` has its name", **state), "dim"
            )
        )
    parts += [
        Prose(_("{kind} too small to send a message: {message}", kind=coded(cause["kind"]), message=stored(cause["message"])))
        for cause in state["digest"]
    ]
    parts += [
        Prose(_("not in the table of scored rows: {column}, which is {kinds}", column=column, kinds=listed(kinds)), "yellow")
        for column, kinds in state["left_out"].items()
    ]
    return Group(*parts)


def _alert(alert: dict[str, Any]) -> str:
    line = _("alert {kind} ({window}): {message}", kind=coded(alert["kind"]), window=alert["window"], message=_message(alert))
    return line if _is_open(alert) else f"{line} [{coded(alert['state'])}]"


def _is_open(alert: dict[str, Any]) -> bool:
    return alert["state"] in {None, "open"}


def _message(alert: dict[str, Any]) -> str:
    """Return an alert's message, with the file that it is about."""
    file, message = alert["file"], stored(alert["message"])
    return message if file is None or file in message else f"{file}{_(': ')}{message}"


def _refusal(refused: dict[str, Any] | None) -> list[RenderableType]:
    """Return what was asked for on the registry's page and refused."""
    if refused is None:
        return []
    moment, reason = refused["refused_at"][:16].replace("T", " "), stored(refused["reason"])
    return [Prose(_("  refused on {moment} UTC: {reason}", moment=moment, reason=reason), "yellow")]


def _second_model(state: dict[str, Any]) -> list[str]:
    """Return what a running canary costs: the challenger scores every row too."""
    both_scored = [batch for batch in state["batches"] if state["challenger"] and batch["challenger"] == state["challenger"]["version"]]
    both = sum(batch["predict_s"] for batch in both_scored)
    if not both:
        return []
    second = sum(batch["challenger_predict_s"] for batch in both_scored)
    parts = {
        "version": state["challenger"]["version"],
        "second": second,
        "both": both,
        "batches": plural("the last batch", "the last {number:,} batches", len(both_scored)),
    }
    return [_("  version {version} takes {second:.2f} of {both:.2f} s of prediction in {batches}", **parts)]


def _warnings(served: set[str], versions: list[dict[str, Any]]) -> list[Prose]:
    """Return warnings about the training files of the versions that score."""
    found = [
        _("version {version}: {message}", version=version["version"], message=stored(message))
        for version in versions
        if version["version"] in served
        for message in version["warnings"]
    ]
    rest = len(found) - _WARNINGS
    more = [plural("{number:,} more warning: --json has it", "{number:,} more warnings: --json has them", rest)] if rest > 0 else []
    return [Prose(_("warning: {message}", message=line), "yellow") for line in found[:_WARNINGS]] + [Prose(line, "yellow") for line in more]


def _versions(served: set[str], versions: list[dict[str, Any]]) -> list[RenderableType]:
    columns = (_("version"), _("gate"), _("engine"), _("training rows"), _("event days"), _("held-out rows"))
    table = table_of(*columns, title=_("Versions"))
    for version in versions:
        metric, measured = version["metric"], version["metrics"].get(version["metric"])
        table.add_row(
            version["version"],
            verdict(version["decision"]),
            _engine(version),
            f"{version['trained_rows']:,}{erased(version)}",
            _(" to ").join(version["trained_days"]),
            f"{metric} {measured:.3f}" if measured is not None else "",
        )
    why = [
        Prose(_("version {version}: {message}", version=version["version"], message=stored(version["explanation"])), "dim")
        for version in versions[-_EXPLAINED:]
    ]
    native = [
        Prose(
            _(
                "version {version} runs in its library itself: {reason}",
                version=version["version"],
                reason=stored(version["engine_reason"]),
            ),
            "dim",
        )
        for version in versions
        if version["engine"] == "native"
    ]
    return [table, *why, *_warnings(served, versions), *_earlier(versions[-1]), *native]


def _earlier(version: dict[str, Any]) -> list[RenderableType]:
    """Return how a version and its champion would have done on earlier days."""
    folds, metric = version["cross_validation"], version["metric"]
    compared = (
        _("{challenger} against {champion} ({first_day} to {last_day})", **fold | {side: figure(fold[side].get(metric)) for side in _SIDES})
        for fold in folds
    )
    parts = {"metric": metric, "version": version["version"], "compared": listed(compared)}
    message = _("{metric} of version {version} against its champion on earlier days, both trained on the days before: {compared}", **parts)
    return [Prose(message, "dim")] if folds else []


def _engine(version: dict[str, Any]) -> str:
    """Return the library and engine, and whether compiled loops or NumPy scored.

    The latter is known once the version has scored.
    """
    library, means = version["library"], version["engine_means"]
    how = "" if means in {None, library, "scikit-learn"} else f" ({means})"
    return f"{library}, {version['engine']}{how}" if library else f"{version['engine']}{how}"


def _performance(state: dict[str, Any]) -> Iterator[RenderableType]:
    """Yield the model's own metric by event day, and the cost if it is known."""
    if not state["performance"]:
        yield Prose(_("Performance: no labels yet. To send some: {command}", command=f"everscore labels {state['model']} FILE"))
        return
    yield _by_day(state, state["versions"][0]["metric"])
    if any(group["metrics"].get(COST) is not None for group in state["performance"]):
        yield _by_day(state, COST)


def _by_day(state: dict[str, Any], metric: str) -> RenderableType:
    """Return a metric by event day, one line per version that has labels."""
    by_version: dict[tuple[str, str], list[float]] = defaultdict(list)
    for group in state["performance"]:
        if (value := group["metrics"].get(metric)) is not None:
            by_version[group["version"], group["role"]].append(value)
    zone = _(" of {zone}", zone=state["day_zone"]) if state["day_zone"] not in {None, "UTC"} else ""
    title = _("Performance: {metric} by event day{zone}", metric=_("cost per row") if metric == COST else metric, zone=zone)
    table = table_of(_("version"), _("served as"), _("last day"), _("mean of all days"), _("the last {days} days", days=_DAYS), title=title)
    for (version, role), values in by_version.items():
        mean = sum(values) / len(values)
        table.add_row(version, coded(role), f"{values[-1]:.3f}", f"{mean:.3f}", sparkline(values[-_DAYS:]))
    return table


def _estimate(estimate: dict[str, Any] | None) -> list[RenderableType]:
    """Return the newest batch's estimated performance, before its labels.

    Tasks without an estimate have no such line.
    """
    if estimate is None:
        return []
    score = (
        _("; labels confirmed {borne_out} of {estimates}", estimates=counted(estimate["compared"], "estimates"), **estimate)
        if estimate["compared"]
        else ""
    )
    if estimate["refusals"]:
        reasons = _("; ").join(stored(reason["message"]) for reason in estimate["refusals"])
        return [Prose(_("No estimate of the newest batch: {reasons}{score}", reasons=reasons, score=score))]
    figures = (_("{name} {value:.3f} (95 %: {low:.3f} to {high:.3f})", name=name, **found) for name, found in estimate["metrics"].items())
    return [Prose(_("Estimate of the newest batch before its labels: {figures}{score}", figures=listed(figures), score=score))]


def _early(early: dict[str, Any] | None) -> list[RenderableType]:
    """Return the loss of the newest batch with enough labels, if not all have come."""
    if early is None or early["labelled"] == early["rows"]:
        return []
    parts = early | {"file": early["key"].split("/", 2)[-1]}
    return [Text(_("Log loss of {file} on {labelled:,} labels of {rows:,} rows: {value:.3f} (95 %: {low:.3f} to {high:.3f})", **parts))]


def _drift(drift: dict[str, Any] | None) -> RenderableType:
    if drift is None or drift["too_few"]:
        return Prose(_("Drift: too few scored rows to judge yet."))
    drifted = [column for column in drift["features"] if column["drifted"]]
    title = plural(
        "Drift over {rows}: {number:,} column drifted",
        "Drift over {rows}: {number:,} columns drifted",
        len(drifted),
        rows=counted(drift["rows"], "rows"),
    )
    table = table_of(_("column"), "PSI", _("threshold"), _("moves scores by"), _("by batch"), "", title=title)
    for column in sorted(drift["features"], key=_worth_a_look)[:_COLUMNS]:
        moved = f"{column['effect']['moved']:.2g}" if column["effect"] else ""
        mark = Text(_("drifted"), "yellow") if column["drifted"] else Text()
        threshold = column["threshold"]
        history = sparkline(column["history"], 0.0, *([] if threshold is None else [threshold]))
        judged = _("too few rows yet") if threshold is None else f"{threshold:.3f}"
        table.add_row(_name(column), f"{column['value']:.3f}", judged, moved, history, mark)
    if drift["positive"] is None:
        return table
    return Group(table, Prose(_("predicted positive: {share:.1%}, expected {expected:.1%}", **drift["positive"])))


def _name(column: dict[str, Any]) -> Text | str:
    """Return what a line of the drift is about."""
    match column["column"]:
        case "score":
            return Text(_("the model's {output}", output=column["feature"]), "italic")
        case "prediction":
            return Text(_("share predicted positive"), "italic")
    return str(column["feature"])


def _worth_a_look(column: dict[str, Any]) -> tuple[bool, float, float]:
    """Sort by drift, then effect on scores, then nearness to the threshold."""
    moved = column["effect"]["moved"] if column["effect"] else 0.0
    nearness = column["value"] / column["threshold"] if column["threshold"] is not None else 0.0
    return not column["drifted"], -moved, -nearness


def _batches(batches: list[dict[str, Any]]) -> RenderableType:
    rows, seconds = (sparkline([batch[name] for batch in reversed(batches)], 0.0) for name in ("rows_scored", "total_s"))
    title = _("Batches: rows {rows}, seconds {seconds}", rows=rows, seconds=seconds)
    shown = batches[:_BATCHES]
    has_erased = any(batch["rows_erased"] for batch in shown)
    erased_rows = [_("erased")] if has_erased else []
    columns = (_("batch"), _("status"), _("scored"), _("quarantined"), *erased_rows, _("version"), _("seconds"), _("file"))
    table = table_of(*columns, title=title)
    for batch in shown:
        table.add_row(
            batch["batch_id"][:8],
            coded(batch["status"]),
            f"{batch['rows_scored']:,}",
            f"{batch['rows_quarantined']:,}",
            *([f"{batch['rows_erased']:,}"] if has_erased else []),
            batch["champion"] or "",
            f"{batch['total_s']:.2f}",
            stored(layout.upload_name(batch["key"])),
        )
    return Group(table, *(Prose(line, "yellow") for batch in shown if batch["error"] for line in _failure(batch)))


def _failure(batch: dict[str, Any]) -> list[str]:
    """Return lines on why a batch failed, and what to do."""
    file = stored(layout.upload_name(batch["key"]))
    remedy = [f"  {headed(_('remedy:'), stored(batch['remedy']))}"] if batch["remedy"] else []
    return [_("  {file} failed: {message}", file=file, message=stored(batch["error"])), *remedy]
