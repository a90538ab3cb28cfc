"""The chart of the share of rows predicted positive."""

from collections.abc import Iterator, Sequence
from functools import partial

import altair as alt

from infra.report.axes import Column, column_axis, columns_of, sharing, span
from infra.report.drawing import HUES, MUTED, Canvas, Drawing, Figure, Key, data, drawn, hue_by
from infra.report.gather import Batch
from infra.report.wording import sentences, share
from infra.words import _

_HUES = {"predicted": HUES[0], "expected": MUTED}


def predicted_positive(batches: Sequence[Batch]) -> Figure | None:
    """Chart the share of each batch's rows that the champion predicts positive.

    It also shows what the threshold in force lets expect.
    """
    known = [batch for batch in batches if batch.manifest.predicted_positive is not None]
    if not known:
        return None
    return drawn(
        partial(_lines, batches=known),
        name="predicted",
        title=_("Share predicted positive"),
        note=sentences(
            _("Of each batch's rows. Expected is the share of the rows that the champion was measured on, by the threshold in force."),
            sharing(known, _("the mean")),
        ),
        alt=sentences(
            _("Share of the rows predicted positive, {days}.", days=span(known)),
            _("Last batch: {share}", share=share(known[-1].manifest.predicted_positive or 0.0)),
        ),
        keys=(Key(_("predicted"), _HUES["predicted"]), Key(_("expected"), _HUES["expected"])),
    )


def _lines(canvas: Canvas, *, batches: Sequence[Batch]) -> Drawing:
    columns = columns_of(batches, canvas.columns)
    values = [point for place, column in enumerate(columns) for point in _points(place, column)]
    chart: Drawing = (
        data(values)
        .mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=22))
        .encode(
            x=column_axis(columns, canvas),
            y=alt.Y("share:Q", title=None, axis=alt.Axis(format=".0%", tickCount=4)),
            color=hue_by("line", _HUES),
        )
    )
    return chart


def _points(place: int, column: Column) -> Iterator[dict[str, object]]:
    """Yield the means of one column of batches."""
    lines = {
        "predicted": [batch.manifest.predicted_positive for batch in column.batches],
        "expected": [batch.drift.positive.expected if batch.drift and batch.drift.positive else None for batch in column.batches],
    }
    for line, values in lines.items():
        if known := [value for value in values if value is not None]:
            yield {"column": place, "line": line, "share": sum(known) / len(known)}
