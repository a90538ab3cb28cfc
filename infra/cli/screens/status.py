"""Screens of how models are doing: one line for each model, or one model as a whole."""

from collections import defaultdict
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.screens.drawing import erased, figure, meaning, sparkline, table_of, unseen_lines
from infra.cli.screens.releases import challenger_served, withdrawn_lines
from infra.words import plural

_DAYS, _COLUMNS, _BATCHES, _WARNINGS, _EXPLAINED = 28, 6, 5, 5, 3


def fleet_screen(fleet: dict[str, Any]) -> RenderableType:
    """Show one line per model."""
    if not fleet["models"]:
        return Text("No model serves here yet.\nTo train the first: everscore train MODEL FILE --target COLUMN --id COLUMN")
    table = table_of("model", "champion", "challenger", "release", "why")
    for served in fleet["models"]:
        champion = "retired" if served["retired"] else served["champion"]["version"]
        table.add_row(served["model"], champion, challenger_served(served), str(served["seq"]), served["why"])
    return table


def status_screen(state: dict[str, Any]) -> RenderableType:
    """Show one model's state, on one screen."""
    previous = state["previous"]["version"] if state["previous"] else "none"
    serving = "retired" if state["retired"] else f"version {state['champion']['version']} serves"
    head = Text.assemble(
        (state["model"], "bold"),
        f": {serving}; challenger: {challenger_served(state)}; previous champion: {previous}\n",
        (f"release {state['seq']} of {state['decided_at'][:16].replace('T', ' ')} UTC by {state['decided_by']}: {state['reason']}", "dim"),
        f"\n{meaning(state)}" if state["target"] else "",
    )
    costs = [Text(line) for line in (*withdrawn_lines(state), *_second_model(state))]
    parts: list[RenderableType] = [
        head,
        *_refusal(state["refused"]),
        *costs,
        *_versions({state[role]["version"] for role in ("champion", "challenger") if state[role]}, state["versions"]),
        _performance(state),
        *_estimate(state["estimate"]),
    ]
    parts.append(_drift(state["drift"]))
    if state["batches"]:
        parts.append(_batches(state["batches"]))
        parts += unseen_lines(state["batches"][0]["unseen"])
    parts += [Text(f"alert {alert['kind']} ({alert['window']}): {_message(alert)}", "yellow") for alert in state["alerts"]]
    return Group(*parts)


def _message(alert: dict[str, Any]) -> str:
    """Return an alert's message, with the file that it is about."""
    file = alert["file"]
    return alert["message"] if file is None or file in alert["message"] else f"{file}: {alert['message']}"


def _refusal(refused: dict[str, Any] | None) -> list[RenderableType]:
    """Return what was asked for on the registry's page and refused."""
    if refused is None:
        return []
    return [Text(f"  refused on {refused['refused_at'][:16].replace('T', ' ')} UTC: {refused['reason']}", "yellow")]


def _second_model(state: dict[str, Any]) -> list[str]:
    """Return what a running canary costs: the challenger scores every row too."""
    both_scored = [batch for batch in state["batches"] if state["challenger"] and batch["challenger"] == state["challenger"]["version"]]
    both = sum(batch["predict_s"] for batch in both_scored)
    if not both:
        return []
    second = sum(batch["challenger_predict_s"] for batch in both_scored)
    batches = plural("the last batch", "the last {number:,} batches", len(both_scored))
    return [f"  version {state['challenger']['version']} takes {second:.2f} of {both:.2f} s of prediction in {batches}"]


def _warnings(served: set[str], versions: list[dict[str, Any]]) -> list[Text]:
    """Return warnings about the training files of the versions that score."""
    found = [
        f"version {version['version']}: {message}"
        for version in versions
        if version["version"] in served
        for message in version["warnings"]
    ]
    rest = len(found) - _WARNINGS
    more = [plural("{number:,} more warning: --json has it", "{number:,} more warnings: --json has them", rest)] if rest > 0 else []
    return [Text(f"warning: {line}", "yellow") for line in found[:_WARNINGS]] + [Text(line, "yellow") for line in more]


def _versions(served: set[str], versions: list[dict[str, Any]]) -> list[RenderableType]:
    table = table_of("version", "gate", "library", "engine", "training rows", "event days", "held-out rows", title="Versions")
    for version in versions:
        metric, measured = version["metric"], version["metrics"].get(version["metric"])
        table.add_row(
            version["version"],
            version["decision"],
            version["library"] or "",
            _engine(version),
            f"{version['trained_rows']:,}{erased(version)}",
            " to ".join(version["trained_days"]),
            f"{metric} {measured:.3f}" if measured is not None else "",
        )
    why = [Text(f"version {version['version']}: {version['explanation']}", "dim") for version in versions[-_EXPLAINED:]]
    native = [
        Text(f"version {version['version']} runs in its library itself: {version['engine_reason']}", "dim")
        for version in versions
        if version["engine"] == "native"
    ]
    return [table, *why, *_warnings(served, versions), *_earlier(versions[-1]), *native]


def _earlier(version: dict[str, Any]) -> list[RenderableType]:
    """Return how a version and its champion would have done on earlier days, if that was measured."""
    folds, metric = version["cross_validation"], version["metric"]
    compared = (
        f"{figure(fold['challenger'].get(metric))} against {figure(fold['champion'].get(metric))} "
        f"({fold['first_day']} to {fold['last_day']})"
        for fold in folds
    )
    head = f"{metric} of version {version['version']} against its champion on earlier days, both trained on the days before: "
    return [Text(head + ", ".join(compared), "dim")] if folds else []


def _engine(version: dict[str, Any]) -> str:
    """Return the engine and, once the version has scored, whether compiled loops or NumPy computed the scores."""
    means = version["engine_means"]
    return version["engine"] if means in {None, "scikit-learn"} else f"{version['engine']} ({means})"


def _performance(state: dict[str, Any]) -> RenderableType:
    """Return the metric by event day, one line per version that has labels."""
    if not state["performance"]:
        return Text(f"Performance: no labels yet. To send some: everscore labels {state['model']} FILE")
    metric = state["versions"][0]["metric"]
    by_version: dict[tuple[str, str], list[float]] = defaultdict(list)
    for group in state["performance"]:
        if (value := group["metrics"].get(metric)) is not None:
            by_version[group["version"], group["role"]].append(value)
    zone = f" of {state['day_zone']}" if state["day_zone"] not in {None, "UTC"} else ""
    title = f"Performance: {metric} by event day{zone}"
    table = table_of("version", "served as", "last day", "mean", f"the last {_DAYS} days", title=title)
    for (version, role), values in by_version.items():
        mean = sum(values) / len(values)
        table.add_row(version, role, f"{values[-1]:.3f}", f"{mean:.3f}", sparkline(values[-_DAYS:]))
    return table


def _estimate(estimate: dict[str, Any] | None) -> list[RenderableType]:
    """Return the estimated performance of the newest batch, before its labels; nothing for tasks without an estimate."""
    if estimate is None:
        return []
    score = f"; labels confirmed {estimate['borne_out']} of {estimate['compared']} earlier estimates" if estimate["compared"] else ""
    if estimate["refusals"]:
        reasons = "; ".join(reason["message"] for reason in estimate["refusals"])
        return [Text(f"No estimate of the newest batch: {reasons}{score}")]
    figures = (f"{name} {found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})" for name, found in estimate["metrics"].items())
    return [Text(f"Estimate of the newest batch before its labels: {', '.join(figures)}{score}")]


def _drift(drift: dict[str, Any] | None) -> RenderableType:
    if drift is None or drift["too_few"]:
        return Text("Drift: too few scored rows to judge yet.")
    drifted = [column for column in drift["features"] if column["drifted"]]
    title = f"Drift over {drift['rows']:,} rows: {plural('{number:,} column', '{number:,} columns', len(drifted))} drifted"
    table = table_of("column", "PSI", "drifts from", "moves scores by", "by batch", "", title=title)
    for column in sorted(drift["features"], key=_worth_a_look)[:_COLUMNS]:
        moved = f"{column['effect']['moved']:.2g}" if column["effect"] else ""
        mark = Text("drifted", "yellow") if column["drifted"] else Text("")
        history = sparkline(column["history"], 0.0, column["threshold"])
        name = Text(f"the model's {column['feature']}", "italic") if column["column"] == "score" else column["feature"]
        table.add_row(name, f"{column['value']:.3f}", f"{column['threshold']:.3f}", moved, history, mark)
    return table


def _worth_a_look(column: dict[str, Any]) -> tuple[bool, float, float]:
    """Sort by what drifted, then what moves the scores, then what is nearest to its threshold."""
    moved = column["effect"]["moved"] if column["effect"] else 0.0
    return not column["drifted"], -moved, -column["value"] / column["threshold"]


def _batches(batches: list[dict[str, Any]]) -> RenderableType:
    rows, seconds = (sparkline([batch[name] for batch in reversed(batches)], 0.0) for name in ("rows_scored", "total_s"))
    title = f"Batches: rows {rows}, seconds {seconds}"
    shown = batches[:_BATCHES]
    has_erased = any(batch["rows_erased"] for batch in shown)
    table = table_of(
        "batch", "status", "scored", "quarantined", *(["erased"] if has_erased else []), "version", "seconds", "file", title=title
    )
    for batch in shown:
        table.add_row(
            batch["batch_id"][:8],
            batch["status"],
            f"{batch['rows_scored']:,}",
            f"{batch['rows_quarantined']:,}",
            *([f"{batch['rows_erased']:,}"] if has_erased else []),
            batch["champion"] or "",
            f"{batch['total_s']:.2f}",
            batch["key"].split("/", 2)[-1],
        )
    return table
