"""What people see of an answer: each function draws one of the commands' JSON objects."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

SAME_SCORE = 1e-9
"""Two builds of a version agree to this outside the image and the architecture that it was made on."""

_BARS = "▁▂▃▄▅▆▇█"
_DAYS, _COLUMNS, _BATCHES = 28, 6, 5


def sparkline(values: Sequence[float], *marks: float) -> str:
    """Values as a line of bars, on a scale that holds all of them and the marks too.

    >>> sparkline([1.0, 2.0, 8.0]), sparkline([6.0, 7.0, 8.0], 0.0), sparkline([0.0, 1.0], 7.0)
    ('▁▂█', '▆▇█', '▁▂')
    """
    low, high = min(*values, *marks, math.inf), max(*values, *marks, -math.inf)
    step = (high - low) / (len(_BARS) - 1) or 1.0
    return "".join(_BARS[round((value - low) / step)] for value in values)


def fleet_screen(fleet: dict[str, Any]) -> RenderableType:
    """One line a model."""
    if not fleet["models"]:
        return Text("No model serves here yet: `everscore train MODEL FILE --target … --id …` makes the first.")
    table = _table("model", "champion", "challenger", "release", "why")
    for served in fleet["models"]:
        champion = "retired" if served["retired"] else served["champion"]["version"]
        table.add_row(served["model"], champion, _challenger(served), str(served["seq"]), served["reason"])
    return table


def status_screen(state: dict[str, Any]) -> RenderableType:
    """One model's state, on one screen."""
    previous = state["previous"]["version"] if state["previous"] else "none"
    serving = "retired" if state["retired"] else f"version {state['champion']['version']} serves"
    head = Text.assemble(
        (state["model"], "bold"),
        f": {serving}; challenger {_challenger(state)}, previous {previous}\n",
        (f"release {state['seq']} of {state['decided_at'][:16].replace('T', ' ')} by {state['decided_by']}: {state['reason']}", "dim"),
    )
    costs = [Text(line) for line in (*_withdrawn(state), *_second_model(state))]
    parts: list[RenderableType] = [head, *costs, _versions(state["versions"]), _performance(state), *_estimate(state["estimate"])]
    parts.append(_drift(state["drift"]))
    if state["batches"]:
        parts.append(_batches(state["batches"]))
    parts += [Text(f"alert {alert['kind']} ({alert['window']}): {alert['message']}", "yellow") for alert in state["alerts"]]
    return Group(*parts)


def _challenger(served: dict[str, Any]) -> str:
    challenger = served["challenger"]
    if challenger is None:
        return "none"
    return (
        f"{challenger['version']} as a shadow"
        if challenger["mode"] == "shadow"
        else f"{challenger['version']} on {challenger['share']:.0%}"
    )


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


def _table(*columns: str, title: str | None = None) -> Table:
    table = Table(*columns, title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    table.columns[-1].overflow = "fold"
    return table


def _versions(versions: list[dict[str, Any]]) -> RenderableType:
    table = _table("version", "gate", "engine", "learnt", "on its holdout", "why", title="Versions")
    for version in versions:
        metric, measured = version["metric"], version["metrics"].get(version["metric"])
        table.add_row(
            version["version"],
            version["decision"],
            _engine(version),
            f"{version['trained_rows']:,} rows, {' to '.join(version['trained_days'])}{_erased(version)}",
            f"{metric} {measured:.3f}" if measured is not None else "",
            version["explanation"],
        )
    native = [f"version {version['version']}: {version['engine_reason']}" for version in versions if version["engine"] == "native"]
    return Group(table, *_earlier(versions[-1]), *(Text(f"native engine of {reason}", "dim") for reason in native))


def _earlier(version: dict[str, Any]) -> list[RenderableType]:
    """How a version and its champion would have done on earlier days; nothing where they were not compared there."""
    folds, metric = version["cross_validation"], version["metric"]
    told = (
        f"{_figure(fold['challenger'].get(metric))} against {_figure(fold['champion'].get(metric))} "
        f"({fold['first_day']} to {fold['last_day']})"
        for fold in folds
    )
    head = f"Version {version['version']} against its champion on earlier days, each knowing what came before: {metric} "
    return [Text(head + ", ".join(told), "dim")] if folds else []


def _engine(version: dict[str, Any]) -> str:
    """The engine, and once the version has scored, whether compiled loops or NumPy's were at work."""
    means = version["engine_means"]
    return version["engine"] if means in {None, "scikit-learn"} else f"{version['engine']} ({means})"


def _erased(version: dict[str, Any]) -> str:
    return f" ({version['erased_rows']:,} erased since)" if version["erased_rows"] else ""


def _performance(state: dict[str, Any]) -> RenderableType:
    """The champion's metric by event day, one line a version that labels reached."""
    if not state["performance"]:
        return Text("Performance: no labels yet (`everscore labels MODEL FILE`).")
    metric = state["versions"][0]["metric"]
    by_version: dict[tuple[str, str], list[float]] = defaultdict(list)
    for group in state["performance"]:
        if (value := group["metrics"].get(metric)) is not None:
            by_version[group["version"], group["role"]].append(value)
    table = _table("version", "served as", "last day", "mean", f"the last {_DAYS} days", title=f"Performance: {metric} by event day")
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
    table = _table("column", "PSI", "drifts from", "moves scores by", "by batch", "", title=title)
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
    table = _table("batch", "status", "scored", "quarantined", "version", "seconds", "file", title=title)
    for batch in batches[:_BATCHES]:
        table.add_row(
            batch["batch_id"][:8],
            batch["status"],
            f"{batch['rows_scored']:,}",
            f"{batch['rows_quarantined']:,}",
            batch["champion"] or "",
            f"{batch['total_s']:.2f}",
            batch["key"].split("/", 2)[-1],
        )
    return table


def manifest_screen(manifest: dict[str, Any]) -> RenderableType:
    """What became of a batch."""
    name = manifest["source"]["key"].split("/", 2)[-1]
    if manifest["error"]:
        error = manifest["error"]
        return Text.assemble((f"{name}: failed ({error['code']})\n", "red"), f"{error['message']}\n{error['remedy']}")
    release, challenger = manifest["release"], manifest["release"]["challenger"]
    beside = f", version {challenger['version']} beside it on {challenger['share']:.0%}" if challenger else ""
    head = (
        f"{name}: {manifest['rows_in']:,} rows in, {manifest['rows_scored']:,} scored by version {release['champion']}{beside}, "
        f"{manifest['rows_quarantined']:,} quarantined, {manifest['timings']['total_s']:.2f} s ({manifest['status']})"
    )
    lines = [
        head,
        *([f"  in {manifest['partitions']} partitions"] if manifest["partitions"] else []),
        *([f"  predicting took {_predicting(manifest['timings'])}"] if challenger else []),
        *([f"  {manifest['rows_erased']:,} rows were erased since, and the upload with them"] if manifest["rows_erased"] else []),
        *([f"  supersedes batch {manifest['supersedes']}"] if manifest["supersedes"] else []),
        *([f"  mended rows of batch {manifest['replays']}"] if manifest["replays"] else []),
        *(f"  {rows:,} {reason}" for reason, rows in manifest["quarantined_by_reason"].items()),
        *(f"  {file['key']}" for file in (*manifest["outputs"], *manifest["quarantine"])),
    ]
    return Text("\n".join(lines))


def _predicting(timings: dict[str, float]) -> str:
    champion = timings["predict_s"] - timings["challenger_predict_s"]
    return f"{champion:.3f} s by the champion, {timings['challenger_predict_s']:.3f} s by the challenger beside it"


def verification_screen(found: dict[str, Any]) -> RenderableType:
    """Whether a batch came out again."""
    if found["identical"]:
        return Text(f"batch {found['batch_id'][:8]} of {found['model']}: scored again, identical byte by byte")
    return Text(
        "\n".join([f"batch {found['batch_id'][:8]} of {found['model']}: not identical", *(f"  {key}" for key in found["different"])])
    )


def decision_screen(decision: dict[str, Any]) -> RenderableType:
    """The gate's decision, or why there was nothing to decide."""
    if decision["decision"] is None:
        return Text(f"{decision['model']}: no challenger. {decision['skipped']}")
    first = decision["champion_version"] is None
    verdict = "serves" if first else {"promote": "goes into a canary", "keep": "is kept out"}[decision["decision"]]
    table = _table("metric", "challenger") if first else _table("metric", "champion", "challenger")
    for name, value in decision["challenger"].items():
        sides = (value,) if first else (decision["champion"].get(name), value)
        table.add_row(name, *map(_figure, sides))
    for fold in decision["cross_validation"]:
        earlier = (fold[side].get(decision["metric"]) for side in ("champion", "challenger"))
        table.add_row(f"{decision['metric']} {fold['first_day']} to {fold['last_day']}, learnt before", *map(_figure, earlier))
    head = f"{decision['model']}: version {decision['challenger_version']} {verdict}\n" + "\n".join(
        f"  {reason['message']}" for reason in decision["reasons"]
    )
    learnt = f"  learnt {decision['trained_rows']:,} rows, measured on {decision['rows']:,} held-out ones; engine {decision['engine']}"
    return Group(Text(head), Text(f"{learnt} ({decision['engine_reason']})" if decision["engine"] == "native" else learnt), table)


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


def reproduction_screen(rebuilt: dict[str, Any]) -> RenderableType:
    """Whether a version came out again."""
    name = f"{rebuilt['model']} version {rebuilt['version']}"
    if rebuilt["identical"]:
        return Text(f"{name}: rebuilt from its {rebuilt['rows']:,} rows, identical byte by byte")
    lines = [f"{name}: not identical: {rebuilt['difference']}"]
    if (largest := rebuilt["largest_score_difference"]) is not None:
        alike = "equal within 1e-9" if largest <= SAME_SCORE else "more than 1e-9 apart"
        lines.append(f"  scores of its {rebuilt['rows']:,} rows differ by at most {largest:.3g}: {alike}")
    lines += [f"  {library} is {present}, {recorded} was recorded" for library, (recorded, present) in rebuilt["libraries"].items()]
    return Text("\n".join(lines))


def step_screen(step: dict[str, Any]) -> RenderableType:
    """One step of a rollout."""
    reasons = "; ".join(reason["message"] for reason in step["reasons"])
    return Text(f"{step['model']}: {step['action']}, challenger's share {step['share']:.0%} ({reasons})")


def release_screen(release: dict[str, Any]) -> RenderableType:
    """What is served now, and why."""
    serving = "retired" if release["retired"] else f"version {release['champion']['version']} serves"
    lines = [f"{release['model']}: {serving} (release {release['seq']}: {release['reason']})", *_withdrawn(release)]
    return Text("\n".join(lines))


def _withdrawn(release: dict[str, Any]) -> list[str]:
    """What the rollout that a release ended leaves behind."""
    if (withdrawn := release["withdrawn"]) is None:
        return []
    answered = withdrawn["answered"]
    rows = sum(batch["rows"] for batch in answered)
    ended = f"  ends the canary of version {withdrawn['version']} at {withdrawn['share']:.0%}"
    lines = [f"{ended}, which answered {rows:,} rows of {len(answered):,} batches"]
    if answered:
        lines.append(f"  `everscore rescore {release['model']} --withdrawn` scores them again by version {release['champion']['version']}")
    return lines


def history_screen(found: dict[str, Any]) -> RenderableType:
    """Releases, the newest last."""
    table = _table("release", "since (UTC)", "champion", "challenger", "by", "why", title=f"Releases of {found['model']}")
    for release in found["releases"]:
        champion = release["champion"]["version"] if release["champion"] else "retired"
        since = release["decided_at"][:16].replace("T", " ")
        table.add_row(str(release["seq"]), since, champion, _challenger(release), release["decided_by"], release["reason"])
    return table


def policy_screen(policy: dict[str, Any]) -> RenderableType:
    """Every threshold by its dotted name, as `--set` takes it."""
    table = _table("name", "value", title=f"Policy {policy['number']}" + (f": {policy['why']}" if policy["why"] else ""))
    for name, value in flattened({key: value for key, value in policy.items() if isinstance(value, dict)}):
        table.add_row(name, str(value))
    return table


def flattened(nested: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Leaves by dotted name; an empty object is a leaf.

    >>> flattened({"gate": {"alpha": 0.05, "vetoes": {}}})
    [('gate.alpha', 0.05), ('gate.vetoes', {})]
    """
    leaves: list[tuple[str, Any]] = []
    for name, value in nested.items():
        leaves += flattened(value, f"{prefix}{name}.") if isinstance(value, dict) and value else [(prefix + name, value)]
    return leaves


def snapshots_screen(found: dict[str, Any]) -> RenderableType:
    """The training sets of a model's versions."""
    table = _table("version", "made", "by", "rows", "days", "files", "snapshot", title=f"Training sets of {found['model']}")
    for entry in found["snapshots"]:
        days = f"{entry['first_day']} to {entry['last_day']}"
        made = entry["made_at"][:16].replace("T", " ")
        table.add_row(
            entry["version"], made, entry["trigger"], f"{entry['rows']:,}{_erased(entry)}", days, str(entry["files"]), entry["md5"]
        )
    return table


def checkout_screen(written: dict[str, Any]) -> RenderableType:
    """Where a training set was written."""
    name = f"{written['model']} version {written['version']}"
    return Text(f"{name}: {written['rows']:,} rows in {written['files']} files under {written['folder']}")


def diff_screen(found: dict[str, Any]) -> RenderableType:
    """What differs between two training sets."""
    rows = (f"{found[what]:,} {what}" for what in ("added", "removed", "relabelled", "changed"))
    before, after = found["rows"]
    lines = [
        f"{found['model']}: version {found['old']} learnt from {before:,} rows, version {found['new']} from {after:,}",
        ", ".join(rows),
    ]
    lines += [f"columns {what}: {', '.join(found[f'columns_{what}'])}" for what in ("added", "removed") if found[f"columns_{what}"]]
    table = _table("feature", "PSI")
    for feature in sorted(found["features"], key=lambda feature: -feature["psi"]):
        table.add_row(feature["feature"], f"{feature['psi']:.3f}")
    return Group(Text("\n".join(lines)), table)


def quarantine_screen(written: dict[str, Any]) -> RenderableType:
    """Where the rows to mend are, and what to do then."""
    return Text(
        f"{written['rows']:,} quarantined rows are in {written['file']}. Mend them, then:\n"
        f"  everscore replay {written['model']} {written['batch_id'][:8]} {written['file']}"
    )


def uploaded_screen(uploaded: dict[str, Any]) -> RenderableType:
    """An upload that nobody waits for."""
    return Text(f"uploaded as {uploaded['key']} (version {uploaded['version_id']})")


def labels_screen(uploaded: dict[str, Any]) -> RenderableType:
    """What a file of labels holds; labels are joined with their rows in the background."""
    lines = [f"uploaded {uploaded['labels']:,} labels as {uploaded['key']} (version {uploaded['version_id']})"]
    if uploaded["unlabelled"] or uploaded["rejected"]:
        lines.append(f"  {uploaded['unlabelled']:,} rows without a label and {uploaded['rejected']:,} that cannot be read are left out")
    if uploaded["unknown"]:
        classes = ", ".join(f"{name!r} {rows:,}" for name, rows in uploaded["unknown"].items())
        lines.append(f"  classes that the model does not know measure nothing: {classes}")
    return Text("\n".join(lines))


def requested_screen(requested: dict[str, Any]) -> RenderableType:
    """A retraining that nobody waits for."""
    return Text(f"{requested['model']}: retraining was asked for; `everscore status {requested['model']}` will show its decision")


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


def rescored_screen(answer: dict[str, Any]) -> RenderableType:
    """Batches that were scored again."""
    if not answer["rescored"]:
        return Text(f"{answer['model']}: nothing is left to be scored again")
    return Group(*(manifest_screen(manifest) for manifest in answer["rescored"]))
