"""The chart of what moves the scores: features by the effect of their drift."""

from collections.abc import Sequence
from functools import partial

import altair as alt

from functions.shared.domain.drift.detection import ColumnDrift, DriftReport
from infra.report.drawing import ALARM, CALM, Canvas, Drawing, Figure, Key, data, drawn, figure_axis
from infra.report.wording import sentences
from infra.words import _, listed

MOVERS = 10


def movers(report: DriftReport | None) -> Figure | None:
    """Chart the features that move the scores most, in the last measured batches.

    Return None if no version recorded the scores of its bins.
    """
    ranked = report.by_effect()[:MOVERS] if report else ()
    if not ranked:
        return None
    return drawn(
        partial(_movers, ranked=ranked),
        name="movers",
        title=_("What moves the scores"),
        note=sentences(
            _(
                "How far the change of each feature since training carries a score on average, in the score's unit, "
                "all other features staying as they are."
            ),
            _("Drift of a feature that the model hardly uses carries nothing."),
        ),
        alt=_("The scores are moved by {features}", features=listed(f"{column.feature} {_moved(column):.2g}" for column in ranked)),
        keys=(Key(_("drifted"), ALARM), Key(_("within what is normal"), CALM)),
    )


def _moved(column: ColumnDrift) -> float:
    return column.effect.moved if column.effect else 0.0


def _movers(canvas: Canvas, *, ranked: Sequence[ColumnDrift]) -> Drawing:
    values = [
        {
            "feature": column.feature,
            "moved": _moved(column),
            "hue": ALARM if column.drifted else CALM,
        }
        for column in ranked
    ]
    names = alt.Axis(labelLimit=0, labelExpr=f"truncate(datum.label, {canvas.letters})")
    chart: Drawing = (
        data(values)
        .mark_bar(height=12)
        .encode(
            y=alt.Y("feature:N", sort=None, title=None, axis=names),
            x=alt.X("moved:Q", title=_("a score is carried by"), axis=figure_axis(canvas)),
            color=alt.Color("hue:N", scale=None, legend=None),
        )
        .properties(height=22 * len(values) + 46)
    )
    return chart
