"""Charts of batches: rows by version, quarantined rows, and times."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import altair as alt

from functions.shared.domain.manifest import Status
from functions.shared.domain.release import Role
from infra.report.axes import column_axis, columns_of, sharing, span
from infra.report.drawing import HUES, Canvas, Drawing, Figure, Key, data, drawn, hue_by
from infra.report.gather import Batch
from infra.report.wording import count, seconds, sentences
from infra.words import _, coded, listed

STAGES = {"read": "read_s", "predict": "predict_s", "write": "write_s"}

_SHORT_COUNT = "datum.value % 1 ? '' : datum.value < 1000 ? datum.value : format(datum.value, '.3~s')"


def answered(batches: Sequence[Batch], hues: Mapping[str, str]) -> Figure | None:
    """Chart how many rows each version answered."""
    rows = {batch.manifest.batch_id: _answers(batch) for batch in batches}
    totals = _summed(rows.values())
    if not totals:
        return None
    shown = [version for version in hues if version in totals]
    return drawn(
        partial(_stacked, batches=batches, amounts=lambda batch: rows[batch.manifest.batch_id], order=shown, hues=hues),
        name="answered",
        title=_("Who answered"),
        note=sentences(_("Rows of each batch, by the version whose answer was served."), sharing(batches, _("the sum"))),
        alt=sentences(
            _("Rows answered, {days}:", days=span(batches)),
            listed(_("{rows} by version {version}", rows=count(int(totals[version])), version=version) for version in shown),
        ),
        keys=tuple(Key(_("version {version}", version=version), hues[version]) for version in shown),
    )


def _answers(batch: Batch) -> dict[str, float]:
    release = batch.manifest.release
    if release is None:
        return {}
    versions = {Role.CHAMPION: release.champion, Role.CHALLENGER: release.challenger.version if release.challenger else None}
    return {version: float(rows) for role, rows in batch.manifest.served.items() if rows and (version := versions[role]) is not None}


def quarantined(batches: Sequence[Batch]) -> Figure | None:
    """Chart quarantined rows by reason."""
    totals = _summed(batch.manifest.quarantined_by_reason for batch in batches)
    if not totals:
        return None
    reasons = sorted(totals, key=lambda reason: -totals[reason])
    hues = {reason: HUES[place % len(HUES)] for place, reason in enumerate(reasons)}
    return drawn(
        partial(_stacked, batches=batches, amounts=lambda batch: batch.manifest.quarantined_by_reason, order=reasons, hues=hues),
        name="quarantined",
        title=_("Rows set aside, by reason"),
        note=sentences(_("Rows of each batch that could not be scored."), sharing(batches, _("the sum"))),
        alt=sentences(
            _("Rows quarantined, {days}:", days=span(batches)),
            listed(f"{coded(name)} {count(int(totals[name]))}" for name in reasons),
        ),
        keys=tuple(Key(coded(reason), hues[reason]) for reason in reasons),
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
        data(values)
        .mark_bar()
        .encode(
            x=column_axis(columns, canvas),
            y=alt.Y("amount:Q", stack="zero", title=None, axis=alt.Axis(labelExpr=_SHORT_COUNT, tickCount=4)),
            color=hue_by("part", hues),
            order=alt.Order("order:Q"),
        )
    )
    return chart


def timings(batches: Sequence[Batch]) -> Figure | None:
    """Chart the time that batches took, by stage."""
    scored = [batch for batch in batches if batch.manifest.status is not Status.FAILED]
    if not scored:
        return None
    means = {stage: _mean_s(scored, field) for stage, field in STAGES.items()}
    hues = dict(zip(STAGES, (HUES[2], HUES[0], HUES[1]), strict=True))
    return drawn(
        partial(_timings, batches=scored, hues=hues),
        name="timings",
        title=_("Time by stage"),
        note=sentences(_("Seconds per batch. Stages overlap, so they don't add up to the total."), sharing(scored, _("the mean"))),
        alt=sentences(
            _("Mean time by stage, {days}:", days=span(scored)), listed(f"{coded(stage)} {seconds(means[stage])}" for stage in hues)
        ),
        keys=tuple(Key(coded(stage), hue) for stage, hue in hues.items()),
    )


def _timings(canvas: Canvas, *, batches: Sequence[Batch], hues: Mapping[str, str]) -> Drawing:
    columns = columns_of(batches, canvas.columns)
    values = [
        {"column": place, "stage": stage, "seconds": _mean_s(column.batches, field)}
        for place, column in enumerate(columns)
        for stage, field in STAGES.items()
    ]
    chart: Drawing = (
        data(values)
        .mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=22))
        .encode(
            x=column_axis(columns, canvas),
            y=alt.Y("seconds:Q", title=None, axis=alt.Axis(tickCount=4, labelExpr="datum.label + ' s'")),
            color=hue_by("stage", hues),
        )
    )
    return chart


def _mean_s(batches: Sequence[Batch], field: str) -> float:
    return math.fsum(getattr(batch.manifest.timings, field) for batch in batches) / len(batches)


def _summed(amounts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for parts in amounts:
        for name, amount in parts.items():
            totals[name] = totals.get(name, 0.0) + amount
    return totals
