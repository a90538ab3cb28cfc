"""The chart of one metric by event day, champion against challenger."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby

import altair as alt

from functions.shared.domain.performance.error_curve import COST
from functions.shared.domain.release import Role
from infra.report.axes import day_axis, place_of
from infra.report.drawing import Canvas, Drawing, Figure, Key, data, drawn, hue_by
from infra.report.gather import History
from infra.report.series import BOUNDS, SMOOTHED_DAYS, Point, points_of, smoothed, visible_range
from infra.report.wording import day, figure, metric_name, sentences
from infra.words import _, coded, listed

LOSSES = ("log_loss", "rmse")
"""Metrics that are always shown, in addition to the model's own."""


def shown_metrics(history: History) -> tuple[str, ...]:
    """Return the model's own metric, its loss, and the cost per row.

    Those that were not measured are left out. Only where people stated costs is there a cost.
    """
    measured = {
        name for performed in history.days for group in performed.groups for name, value in group.metrics.items() if value is not None
    }
    own = [decision.metric for decision in history.decisions[-1:]]
    always = tuple(dict.fromkeys(name for name in (*own, *LOSSES, "auc", "r2") if name in measured))[:2]
    return (*always, COST) if COST in measured else always


def performance(history: History, metric: str, hues: Mapping[str, str]) -> Figure:
    """Chart one metric by event day, champion against challenger."""
    points = [point for role in Role for point in points_of(history.days, role, metric)]
    shown = {
        (version, role): values
        for version in hues
        for role in Role
        if (values := [point.value for point in points if (point.version, point.role) == (version, role)])
    }
    at_training = {
        decision.challenger_version: level
        for decision in history.decisions
        if (level := decision.challenger.get(metric)) is not None and (decision.challenger_version, Role.CHAMPION) in shown
    }
    name = metric_name(metric)
    zone = history.spec.day_zone if history.spec else "UTC"
    return drawn(
        partial(_performance, metric=metric, points=points, at_training=at_training, hues=hues),
        name=f"performance-{metric}",
        title=name,
        note=sentences(
            _("Each event day with its 95 % interval; the line is the mean of {days} days, weighted by rows.", days=SMOOTHED_DAYS),
            _("The pale level is what the version reached when it was trained, on rows it had not seen."),
            _("Event days are those of {zone}.", zone=zone) if zone != "UTC" else "",
        ),
        alt=sentences(
            _("{metric} by event day, {first} to {last}:", metric=name, first=day(history.days[0].day), last=day(history.days[-1].day)),
            listed(_ranging(version, role, values) for (version, role), values in shown.items()),
        ),
        keys=tuple(
            Key(
                _("version {version} as challenger" if role is Role.CHALLENGER else "version {version}", version=version),
                hues[version],
                dashed=role is Role.CHALLENGER,
            )
            for version, role in shown
        ),
    )


def _ranging(version: str, role: Role, values: Sequence[float]) -> str:
    low, high = figure(min(values)), figure(max(values))
    return _("version {version} as {role} from {low} to {high}", version=version, role=coded(role.value), low=low, high=high)


def _performance(
    canvas: Canvas, *, metric: str, points: Sequence[Point], at_training: Mapping[str, float], hues: Mapping[str, str]
) -> Drawing:
    low, high = visible_range(points, list(at_training.values()), BOUNDS[metric])
    runs = [list(run) for _, run in groupby(points, key=lambda point: (point.role, point.run))]
    levels = [
        {"day": place_of(run[0].day), "last": place_of(run[-1].day), "version": run[0].version, "level": at_training[run[0].version]}
        for run in runs
        if run[0].role is Role.CHAMPION and run[0].version in at_training
    ]
    values = [
        {
            "day": place_of(point.day),
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
    colour = hue_by("version", hues)
    dashes = alt.StrokeDash("role:N", scale=alt.Scale(domain=["champion", "challenger"], range=[[1, 0], [3, 3]]), legend=None)
    x = day_axis([point.day for point in points], canvas)
    y = alt.Y("value:Q", title=None, scale=alt.Scale(domain=[low, high], nice=False, zero=False), axis=alt.Axis(tickCount=5))
    base = data(values).encode(x=x, color=colour)
    return alt.layer(
        data(levels).mark_rule(strokeWidth=5, opacity=0.28).encode(x=x, x2="last:Q", y=alt.Y("level:Q"), color=colour),
        base.mark_rule(opacity=0.22, strokeWidth=1.5).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_point(filled=True, size=14, opacity=0.45).encode(y=y),
        base.mark_line(strokeWidth=2.4).encode(y="smooth:Q", strokeDash=dashes, detail="run:N"),
    )
