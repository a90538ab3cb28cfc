"""The report's charts: what a model's history looks like."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import altair as alt

from functions.shared.domain.decision import Decision, Verdict
from functions.shared.domain.drift import ColumnDrift
from functions.shared.domain.manifest import Status
from functions.shared.domain.release import Role
from infra.report.columns import Column, columns_of
from infra.report.drawing import CARD, LINE, MUTED, PHONE, Canvas, Drawing, Figure, Key, drawn
from infra.report.gather import Batch, History
from infra.report.series import SMOOTHED_DAYS, Point, points_of, smoothed, visible_range
from infra.report.wording import count, day, figure, seconds, spelled

HUES = tuple(f"var(--hue-{number})" for number in range(1, 9))
ALARM, CALM, GOOD = "var(--alarm)", "var(--calm)", "var(--good)"
STAGES = {"read": "read_s", "predict": "predict_s", "write": "write_s"}
LOSSES = ("log_loss", "rmse")
"""What is always shown of performance, beside the model's own metric."""

DRIFT_ROWS = 24
JUDGED_VERSIONS = 12

_SHORT_COUNT = "datum.value % 1 ? '' : datum.value < 1000 ? datum.value : format(datum.value, '.3~s')"


def figures_of(history: History) -> Mapping[str, tuple[Figure, ...]]:
    """Charts by the section they stand in; a section without data has none."""
    hues = version_hues(history)
    drawn_by_section: dict[str, Iterable[Figure | None]] = {
        "serving": [answered(history.batches, hues)],
        "versions": [judgement(history.decisions)],
        "performance": [performance(history, metric, hues) for metric in shown_metrics(history)],
        "drift": [drift_map(history.batches)],
        "quarantine": [quarantined(history.batches)],
        "batches": [timings(history.batches)],
    }
    return {section: tuple(filter(None, figures)) for section, figures in drawn_by_section.items()}


def version_hues(history: History) -> dict[str, str]:
    """A colour for each version that ever scored, the same in all charts; they repeat after eight."""
    served = (
        version
        for batch in history.batches
        if (release := batch.manifest.release)
        for version in (release.champion, release.challenger.version if release.challenger else None)
    )
    measured = (group.version for performed in history.days for group in performed.groups)
    versions = dict.fromkeys(version for version in (*served, *measured) if version is not None)
    return {version: HUES[place % len(HUES)] for place, version in enumerate(versions)}


def answered(batches: Sequence[Batch], hues: Mapping[str, str]) -> Figure | None:
    """Who answered how many rows."""
    rows = {batch.manifest.batch_id: _answers(batch) for batch in batches}
    totals = _summed(rows.values())
    if not totals:
        return None
    shown = [version for version in hues if version in totals]
    return drawn(
        partial(_stacked, batches=batches, amounts=lambda batch: rows[batch.manifest.batch_id], order=shown, hues=hues),
        name="answered",
        title="Who answered",
        note=f"Rows of each batch, by the version whose answer was served.{_sharing(batches)}",
        alt=f"Rows answered from {_span(batches)}: "
        + ", ".join(f"{count(int(totals[version]))} by version {version}" for version in shown),
        keys=tuple(Key(f"version {version}", hues[version]) for version in shown),
    )


def _answers(batch: Batch) -> dict[str, float]:
    release = batch.manifest.release
    if release is None:
        return {}
    versions = {Role.CHAMPION: release.champion, Role.CHALLENGER: release.challenger.version if release.challenger else None}
    return {version: float(rows) for role, rows in batch.manifest.served.items() if rows and (version := versions[role]) is not None}


def quarantined(batches: Sequence[Batch]) -> Figure | None:
    """Rows set aside, by reason."""
    totals = _summed(batch.manifest.quarantined_by_reason for batch in batches)
    if not totals:
        return None
    reasons = sorted(totals, key=lambda reason: -totals[reason])
    hues = {reason: HUES[place % len(HUES)] for place, reason in enumerate(reasons)}
    return drawn(
        partial(_stacked, batches=batches, amounts=lambda batch: batch.manifest.quarantined_by_reason, order=reasons, hues=hues),
        name="quarantined",
        title="Rows set aside, by reason",
        note=f"Rows of each batch that could not be scored.{_sharing(batches)}",
        alt=f"Rows quarantined from {_span(batches)}: " + ", ".join(f"{count(int(totals[name]))} {spelled(name)}" for name in reasons),
        keys=tuple(Key(spelled(reason), hues[reason]) for reason in reasons),
    )


def _stacked(
    canvas: Canvas,
    *,
    batches: Sequence[Batch],
    amounts: Callable[[Batch], Mapping[str, float]],
    order: Sequence[str],
    hues: Mapping[str, str],
) -> Drawing:
    columns = columns_of(batches, canvas.columns)
    values = [
        {"column": place, "part": part, "amount": amount, "order": order.index(part)}
        for place, column in enumerate(columns)
        for part, amount in _summed(amounts(batch) for batch in column.batches).items()
    ]
    chart: Drawing = (
        _data(values)
        .mark_bar()
        .encode(
            x=_column_axis(columns, canvas),
            y=alt.Y("amount:Q", stack="zero", title=None, axis=alt.Axis(labelExpr=_SHORT_COUNT, tickCount=4)),
            color=_hue("part", hues),
            order=alt.Order("order:Q"),
        )
    )
    return chart


def timings(batches: Sequence[Batch]) -> Figure | None:
    """How long batches took, by stage."""
    scored = [batch for batch in batches if batch.manifest.status is not Status.FAILED]
    if not scored:
        return None
    means = {stage: _mean_s(scored, field) for stage, field in STAGES.items()}
    hues = dict(zip(STAGES, (HUES[2], HUES[0], HUES[1]), strict=True))
    return drawn(
        partial(_timings, batches=scored, hues=hues),
        name="timings",
        title="Time by stage",
        note=f"Seconds a batch takes. Stages overlap, so they don't add up to the total.{_sharing(scored, 'the mean')}",
        alt=f"Seconds by stage from {_span(scored)}, on average: " + ", ".join(f"{stage} {seconds(mean)}" for stage, mean in means.items()),
        keys=tuple(Key(stage, hue) for stage, hue in hues.items()),
    )


def _timings(canvas: Canvas, *, batches: Sequence[Batch], hues: Mapping[str, str]) -> Drawing:
    columns = columns_of(batches, canvas.columns)
    values = [
        {"column": place, "stage": stage, "seconds": _mean_s(column.batches, field)}
        for place, column in enumerate(columns)
        for stage, field in STAGES.items()
    ]
    chart: Drawing = (
        _data(values)
        .mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=22))
        .encode(
            x=_column_axis(columns, canvas),
            y=alt.Y("seconds:Q", title=None, axis=alt.Axis(tickCount=4)),
            color=_hue("stage", hues),
        )
    )
    return chart


def _mean_s(batches: Sequence[Batch], field: str) -> float:
    return math.fsum(getattr(batch.manifest.timings, field) for batch in batches) / len(batches)


def judgement(decisions: Sequence[Decision]) -> Figure | None:
    """What the gate measured of each challenger, against what it had to reach."""
    judged = [decision for decision in decisions if decision.difference is not None][-JUDGED_VERSIONS:]
    if not judged:
        return None
    return drawn(
        partial(_judgement, judged=judged),
        name="judgement",
        title="What each challenger gained at the gate",
        note="Mean loss of the champion less the challenger's on rows that neither had seen, with its bounds: right of 0 is better. "
        "The upright mark is the minimum effect; a challenger wins when its whole interval lies beyond it.",
        alt="; ".join(
            f"version {decision.challenger_version} against {decision.champion_version}: {figure(decision.difference)}"
            f" ({figure(decision.ci_low)} to {figure(decision.ci_high)}), {decision.decision.value}"
            for decision in judged
        ),
        keys=(Key("promoted", GOOD), Key("kept out", ALARM)),
    )


def _judgement(canvas: Canvas, *, judged: Sequence[Decision]) -> Drawing:
    values = [
        {
            "version": f"v{decision.challenger_version}",
            "difference": decision.difference,
            "low": decision.ci_low,
            "high": decision.ci_high,
            "minimum": decision.minimum_effect,
            "hue": GOOD if decision.decision is Verdict.PROMOTE else ALARM,
        }
        for decision in judged
    ]
    rows = _data(values).encode(y=alt.Y("version:N", sort=None, title=None, axis=alt.Axis(labelFontSize=13)))
    colour = alt.Color("hue:N", scale=None, legend=None)
    x = alt.X(
        "difference:Q", title="gain in loss", axis=alt.Axis(grid=True, tickCount=canvas.labels - 1, labelOverlap=True, labelSeparation=8)
    )
    nothing = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color=MUTED).encode(x="zero:Q")
    return alt.layer(
        nothing,
        rows.mark_tick(color=MUTED, thickness=2, size=22).encode(x="minimum:Q"),
        rows.mark_rule(strokeWidth=4, strokeCap="round", opacity=0.45).encode(x="low:Q", x2="high:Q", color=colour),
        rows.mark_point(filled=True, size=110, opacity=1).encode(x=x, color=colour),
    ).properties(height=46 * len(values) + 46)


def shown_metrics(history: History) -> tuple[str, ...]:
    """The model's own metric, then its loss, as far as they were measured."""
    measured = {
        name for performed in history.days for group in performed.groups for name, value in group.metrics.items() if value is not None
    }
    own = [decision.metric for decision in history.decisions[-1:]]
    return tuple(dict.fromkeys(name for name in (*own, *LOSSES, "auc", "r2") if name in measured))[:2]


def performance(history: History, metric: str, hues: Mapping[str, str]) -> Figure:
    """One metric by event day, champion against challenger."""
    points = [point for role in Role for point in points_of(history.days, role, metric)]
    at_training = {decision.challenger_version: decision.challenger.get(metric) for decision in history.decisions}
    shown = [version for version in hues if any(point.version == version for point in points)]
    challenged = [version for version in shown if any(point.version == version and point.role is Role.CHALLENGER for point in points)]
    name = metric.replace("_", " ")
    return drawn(
        partial(_performance, points=points, at_training=at_training, hues=hues),
        name=f"performance-{metric}",
        title=name if metric != "auc" else "AUC",
        note=f"Each event day with its 95 % interval; the line is the mean of {SMOOTHED_DAYS} days, weighted by rows. The pale level is "
        "what the version reached when it was trained, on rows it had not seen.",
        alt=f"{name} by event day from {day(history.days[0].day)} to {day(history.days[-1].day)}: "
        + ", ".join(_ranges(points, version, role) for version in shown for role in Role if _of(points, version, role)),
        keys=(
            *(Key(f"version {version}", hues[version]) for version in shown),
            *(Key(f"version {version} as challenger", hues[version], dashed=True) for version in challenged),
        ),
    )


def _performance(canvas: Canvas, *, points: Sequence[Point], at_training: Mapping[str, float | None], hues: Mapping[str, str]) -> Drawing:
    low, high = visible_range(points)
    values = [
        {
            "day": point.day.isoformat(),
            "version": point.version,
            "role": point.role.value,
            "run": f"{point.role.value} {point.run}",
            "value": point.value,
            "smooth": smooth,
            "low": min(max(point.low, low), high),
            "high": min(max(point.high, low), high),
        }
        for point, smooth in zip(points, smoothed(points), strict=True)
    ]
    champion = [point for point in points if point.role is Role.CHAMPION]
    levels = [
        {"first": run[0].day.isoformat(), "last": run[-1].day.isoformat(), "version": run[0].version, "level": level}
        for run in (list(group) for _, group in groupby(champion, key=lambda point: point.run))
        if (level := at_training.get(run[0].version)) is not None and low <= level <= high
    ]
    colour = _hue("version", hues)
    dashes = alt.StrokeDash("role:N", scale=alt.Scale(domain=["champion", "challenger"], range=[[1, 0], [3, 3]]), legend=None)
    utc = alt.Scale(type="utc")
    x = alt.X(
        "day:T", title=None, scale=utc, axis=alt.Axis(format="%-d %b", tickCount=canvas.labels - 1, labelOverlap=True, labelSeparation=8)
    )
    y = alt.Y("value:Q", title=None, scale=alt.Scale(domain=[low, high], nice=False, zero=False), axis=alt.Axis(tickCount=5))
    base = _data(values).encode(x=x, color=colour)
    return alt.layer(
        _data(levels)
        .mark_rule(strokeWidth=5, opacity=0.28)
        .encode(x=alt.X("first:T", scale=utc), x2="last:T", y=alt.Y("level:Q"), color=colour),
        base.mark_rule(opacity=0.22, strokeWidth=1.5).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_point(filled=True, size=14, opacity=0.45).encode(y=y),
        base.mark_line(strokeWidth=2.4).encode(y="smooth:Q", strokeDash=dashes, detail="run:N"),
    )


def _of(points: Sequence[Point], version: str, role: Role) -> list[Point]:
    return [point for point in points if (point.version, point.role) == (version, role)]


def _ranges(points: Sequence[Point], version: str, role: Role) -> str:
    values = [point.value for point in _of(points, version, role)]
    return f"version {version} as {role.value} from {figure(min(values))} to {figure(max(values))}"


def drift_map(batches: Sequence[Batch]) -> Figure | None:
    """Each column's PSI, batch by batch."""
    measured = [batch for batch in batches if batch.drift and batch.drift.columns]
    if not measured:
        return None
    highest = _highest(measured)
    shown = sorted(highest, key=lambda name: -highest[name].value)[:DRIFT_ROWS]
    drifted = sum(column.drifted for column in highest.values())
    rest = f" The {DRIFT_ROWS} of {len(highest)} columns with the largest PSI." if len(highest) > len(shown) else ""
    return drawn(
        partial(_drift_map, batches=measured, names=shown),
        name="drift-map",
        title="Drift by column",
        note="PSI of the pooled last batches against the version's baseline: the stronger the colour, the larger, up to 1."
        f"{_sharing(measured, 'the highest')}{rest}",
        alt=f"PSI by feature and batch from {_span(measured)}. {drifted} of {len(highest)} columns drifted at some time. Highest: "
        + ", ".join(f"{name} {figure(highest[name].value)}" for name in shown[:5]),
        keys=(Key("within what is normal", CALM), Key("drifted", ALARM)),
    )


def _drift_map(canvas: Canvas, *, batches: Sequence[Batch], names: Sequence[str]) -> Drawing:
    columns = columns_of(batches, canvas.columns)
    values = [
        {
            "column": place,
            "feature": name,
            "strength": round(max(0.06, min(1.0, math.sqrt(cell.value))), 2),
            "hue": ALARM if cell.drifted else CALM,
        }
        for place, column in enumerate(columns)
        for name, cell in _highest(column.batches).items()
        if name in names
    ]
    chart: Drawing = (
        _data(values)
        .mark_rect(stroke=CARD, strokeWidth=1)
        .encode(
            x=_column_axis(columns, canvas, padding=0),
            y=alt.Y(
                "feature:N", sort=list(names), title=None, axis=alt.Axis(labelLimit=0, labelExpr=f"truncate(datum.label, {canvas.letters})")
            ),
            color=alt.Color("hue:N", scale=None, legend=None),
            fillOpacity=alt.FillOpacity("strength:Q", scale=None, legend=None),
        )
        .properties(height=20 * len(names) + 30)
    )
    return chart


def _highest(batches: Iterable[Batch]) -> dict[str, ColumnDrift]:
    """Each column's largest PSI. A score is named apart from a feature of the same name."""
    highest: dict[str, ColumnDrift] = {}
    for batch in batches:
        for column in batch.drift.columns if batch.drift else ():
            name = column.feature if column.column == "feature" else f"output: {column.feature}"
            if name not in highest or highest[name].value < column.value:
                highest[name] = column
    return highest


def _data(values: Sequence[Mapping[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=[dict(value) for value in values]))


def _hue(field: str, hues: Mapping[str, str]) -> alt.Color:
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=list(hues), range=list(hues.values())), legend=None)


def _column_axis(columns: Sequence[Column], canvas: Canvas, padding: float = 0.15) -> alt.X:
    """Columns by place, evenly labelled by day back from the last: two of them may end on the same day."""
    labels = json.dumps([column.label for column in columns])
    step = -(-len(columns) // canvas.labels)
    labelled = list(range(len(columns) - 1, -1, -step))
    axis = alt.Axis(labelExpr=f"{labels}[datum.value]", values=labelled, labelOverlap=False, title=None, domainColor=LINE)
    return alt.X("column:O", scale=alt.Scale(domain=list(range(len(columns))), paddingInner=padding), axis=axis)


def _summed(amounts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for parts in amounts:
        for name, amount in parts.items():
            totals[name] = totals.get(name, 0.0) + amount
    return totals


def _sharing(batches: Sequence[Batch], shown: str = "the sum") -> str:
    """What a chart says where a phone's or a page's width makes several batches share a column."""
    return f" Where batches share a column, {shown} is shown." if len(batches) > PHONE.columns else ""


def _span(batches: Sequence[Batch]) -> str:
    return f"{day(batches[0].day)} to {day(batches[-1].day)}"
