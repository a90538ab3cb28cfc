"""The heat map of drift: features and scores by batch."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import dropwhile

import altair as alt

from functions.shared.domain.drift.detection import ColumnDrift
from infra.report.axes import column_axis, columns_of, sharing, span
from infra.report.drawing import ALARM, CALM, CARD, Canvas, Drawing, Figure, Key, data, drawn
from infra.report.gather import Batch
from infra.report.wording import column_name, figure, sentences
from infra.words import _, counted, listed

DRIFT_ROWS = 24
FAINTEST = 0.1
"""Strength of the colour for no drift, to distinguish it from a batch that was not measured."""


def drift_map(batches: Sequence[Batch]) -> Figure | None:
    """Chart each column's PSI by batch.

    A batch that was not measured, or had too few rows to judge, is a gap.
    """
    judged = (batch if batch.drift and not batch.drift.too_few else replace(batch, drift=None) for batch in batches)
    batches = list(dropwhile(lambda batch: not batch.drift, judged))
    highest = _highest(batches)
    if not highest:
        return None
    shown = sorted(highest, key=lambda name: -highest[name].value)[:DRIFT_ROWS]
    drifted = sum(column.drifted for column in highest.values())
    columns = len(highest)
    rest = _("The {shown} of {columns} columns with the largest PSI.", shown=len(shown), columns=columns) if columns > len(shown) else ""
    return drawn(
        partial(_drift_map, batches=batches, names=shown),
        name="drift-map",
        title=_("Drift by column"),
        note=sentences(
            _("PSI of the pooled last batches against the version's baseline: the stronger the colour, the larger, up to 1."),
            sharing(batches, _("the highest")),
            rest,
        ),
        alt=sentences(
            _("PSI by feature and batch, {days}.", days=span(batches)),
            _("{drifted} of {columns} drifted at some time.", drifted=drifted, columns=counted(columns, "columns")),
            _("Highest: {names}", names=listed(f"{name} {figure(highest[name].value)}" for name in shown[:5])),
        ),
        keys=(Key(_("within what is normal"), CALM), Key(_("drifted"), ALARM)),
    )


def _drift_map(canvas: Canvas, *, batches: Sequence[Batch], names: Sequence[str]) -> Drawing:
    columns = columns_of(batches, canvas.columns)
    values = [
        {
            "column": place,
            "feature": name,
            "strength": round(max(FAINTEST, min(1.0, math.sqrt(cell.value))), 2),
            "hue": ALARM if cell.drifted else CALM,
        }
        for place, column in enumerate(columns)
        for name, cell in _highest(column.batches).items()
        if name in names
    ]
    chart: Drawing = (
        data(values)
        .mark_rect(stroke=CARD, strokeWidth=1)
        .encode(
            x=column_axis(columns, replace(canvas, labels=canvas.labels - 1), padding=0),  # names take their room
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
    """Return each column's largest PSI; a score never takes the name of a feature."""
    highest: dict[str, ColumnDrift] = {}
    for batch in batches:
        for column in batch.drift.columns if batch.drift else ():
            name = column_name(column)
            if name not in highest or highest[name].value < column.value:
                highest[name] = column
    return highest
