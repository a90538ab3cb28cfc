"""Screens of how models are doing: all of them by a line each, or one as a whole."""

from collections import defaultdict
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from infra.cli.screens.drawing import erased, figure, meaning, sparkline, table_of, unseen_lines
from infra.cli.screens.releases import challenger_served, withdrawn_lines

_DAYS, _COLUMNS, _BATCHES, _WARNINGS = 28, 6, 5, 5


def fleet_screen(fleet: dict[str, Any]) -> RenderableType:
    """One line a model."""
    if not fleet["models"]:
        return Text("No model serves here yet: `everscore train MODEL FILE --target … --id …` makes the first.")
    table = table_of("model", "champion", "challenger", "release", "why")
    for served in fleet["models"]:
        champion = "retired" if served["retired"] else served["champion"]["version"]
        table.add_row(served["model"], champion, challenger_served(served), str(served["seq"]), served["reason"])
    return table


def status_screen(state: dict[str, Any]) -> RenderableType:
    """One model's state, on one screen."""
    previous = state["previous"]["version"] if state["previous"] else "none"
    serving = "retired" if state["retired"] else f"version {state['champion']['version']} serves"
    head = Text.assemble(
        (state["model"], "bold"),
        f": {serving}; challenger {challenger_served(state)}, previous {previous}\n",
        (f"release {state['seq']} of {state['decided_at'][:16].replace('T', ' ')} by {state['decided_by']}: {state['reason']}", "dim"),
        f"\n{meaning(state)}" if state["target"] else "",
    )
    costs = [Text(line) for line in (*withdrawn_lines(state), *_second_model(state))]
    parts: list[RenderableType] = [
        head,
        *_refusal(state["refused"]),
        *costs,
        _versions({state[role]["version"] for role in ("champion", "challenger") if state[role]}, state["versions"]),
        _performance(state),
        *_estimate(state["estimate"]),
    ]
    parts.append(_drift(state["drift"]))
    if state["batches"]:
        parts.append(_batches(state["batches"]))
        parts += unseen_lines(state["batches"][0]["unseen"])
    parts += [Text(f"alert {alert['kind']} ({alert['window']}): {alert['message']}", "yellow") for alert in state["alerts"]]
    return Group(*parts)


def _refusal(refused: dict[str, Any] | None) -> list[RenderableType]:
    """What somebody wished for on the registry's page and did not get."""
    if refused is None:
        return []
    return [Text(f"  refused at {refused['refused_at'][:16].replace('T', ' ')}: {refused['reason']}", "yellow")]


def _second_model(state: dict[str, Any]) -> list[str]:
    """What a running rollout costs: the challenger scores every row too."""
    beside = [batch for batch in state["batches"] if state["challenger"] and batch["challenger"] == state["challenger"]["version"]]
    both = sum(batch["predict_s"] for batch in beside)
    if not both:
        return []
    second = sum(batch["challenger_predict_s"] for batch in beside)
    return [
        f"  version {state['challenger']['version']} takes {second:.2f} of {both:.2f} s of predicting in the last {len(beside)} batches"
    ]


def _warnings(served: set[str], versions: list[dict[str, Any]]) -> list[RenderableType]:
    """What to look at in the training files of the versions that score."""
    told = [
        f"version {version['version']}: {message}"
        for version in versions
        if version["version"] in served
        for message in version["warnings"]
    ]
    more = [f"{len(told) - _WARNINGS} more warnings: --json has them"] if len(told) > _WARNINGS else []
    return [Text(line, "yellow") for line in (*told[:_WARNINGS], *more)]


def _versions(served: set[str], versions: list[dict[str, Any]]) -> RenderableType:
    table = table_of("version", "gate", "engine", "learnt", "on its holdout", "why", title="Versions")
    for version in versions:
        metric, measured = version["metric"], version["metrics"].get(version["metric"])
        table.add_row(
            version["version"],
            version["decision"],
            _engine(version),
            f"{version['trained_rows']:,} rows, {' to '.join(version['trained_days'])}{erased(version)}",
            f"{metric} {measured:.3f}" if measured is not None else "",
            version["explanation"],
        )
    native = [f"version {version['version']}: {version['engine_reason']}" for version in versions if version["engine"] == "native"]
    return Group(
        table, *_warnings(served, versions), *_earlier(versions[-1]), *(Text(f"native engine of {reason}", "dim") for reason in native)
    )


def _earlier(version: dict[str, Any]) -> list[RenderableType]:
    """How a version and its champion would have done on earlier days; nothing where they were not compared there."""
    folds, metric = version["cross_validation"], version["metric"]
    told = (
        f"{figure(fold['challenger'].get(metric))} against {figure(fold['champion'].get(metric))} "
        f"({fold['first_day']} to {fold['last_day']})"
        for fold in folds
    )
    head = f"Version {version['version']} against its champion on earlier days, each knowing what came before: {metric} "
    return [Text(head + ", ".join(told), "dim")] if folds else []


def _engine(version: dict[str, Any]) -> str:
    """The engine, and once the version has scored, whether compiled loops or NumPy's were at work."""
    means = version["engine_means"]
    return version["engine"] if means in {None, "scikit-learn"} else f"{version['engine']} ({means})"


def _performance(state: dict[str, Any]) -> RenderableType:
    """The champion's metric by event day, one line a version that labels reached."""
    if not state["performance"]:
        return Text("Performance: no labels yet (`everscore labels MODEL FILE`).")
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
    """What the newest batch's performance is thought to be, before its labels; nothing for tasks that have no estimate."""
    if estimate is None:
        return []
    score = f"; labels bore out {estimate['borne_out']} of {estimate['compared']} earlier ones" if estimate["compared"] else ""
    if estimate["refusals"]:
        reasons = "; ".join(reason["message"] for reason in estimate["refusals"])
        return [Text(f"Estimate of the newest batch: refused, {reasons}{score}")]
    figures = (f"{name} {found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})" for name, found in estimate["metrics"].items())
    return [Text(f"Estimate of the newest batch before its labels: {', '.join(figures)}{score}")]


def _drift(drift: dict[str, Any] | None) -> RenderableType:
    if drift is None or drift["too_few"]:
        return Text("Drift: too few scored rows to judge yet.")
    drifted = [column for column in drift["features"] if column["drifted"]]
    title = f"Drift over {drift['rows']:,} rows: {len(drifted) or 'none'} drifted"
    table = table_of("column", "PSI", "drifts from", "moves scores by", "by batch", "", title=title)
    for column in sorted(drift["features"], key=_worth_a_look)[:_COLUMNS]:
        moved = f"{column['effect']['moved']:.2g}" if column["effect"] else ""
        mark = Text("drifted", "yellow") if column["drifted"] else Text("")
        history = sparkline(column["history"], 0.0, column["threshold"])
        table.add_row(column["feature"], f"{column['value']:.3f}", f"{column['threshold']:.3f}", moved, history, mark)
    return table


def _worth_a_look(column: dict[str, Any]) -> tuple[bool, float, float]:
    """In order: what drifted, what moves the scores, what is nearest to its threshold."""
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
