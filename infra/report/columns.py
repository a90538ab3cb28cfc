"""A chart's columns: successive batches, one a column while there is room, several beyond that."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched

import altair as alt

from infra.report.drawing import LINE, PHONE, Canvas
from infra.report.gather import Batch
from infra.report.wording import day, short_day


@dataclass(frozen=True, slots=True)
class Column:
    """Successive batches, and the last one's event day as the column's label."""

    label: str
    batches: tuple[Batch, ...]


def columns_of(batches: Sequence[Batch], at_most: int) -> tuple[Column, ...]:
    """Divide batches into no more than `at_most` columns of equally many batches; the last may have fewer."""
    size = max(1, -(-len(batches) // at_most))
    return tuple(Column(short_day(group[-1].day), group) for group in batched(batches, size, strict=False))


def column_axis(columns: Sequence[Column], canvas: Canvas, padding: float = 0.15) -> alt.X:
    """Columns by place, evenly labelled by day back from the last: two of them may end on the same day."""
    labels = json.dumps([column.label for column in columns])
    step = -(-len(columns) // canvas.labels)
    labelled = list(range(len(columns) - 1, -1, -step))
    axis = alt.Axis(labelExpr=f"{labels}[datum.value]", values=labelled, labelOverlap=False, title=None, domainColor=LINE)
    return alt.X("column:O", scale=alt.Scale(domain=list(range(len(columns))), paddingInner=padding), axis=axis)


def sharing(batches: Sequence[Batch], shown: str = "the sum") -> str:
    """What a chart says where a phone's or a page's width makes several batches share a column."""
    return f" Where batches share a column, {shown} is shown." if len(batches) > PHONE.columns else ""


def span(batches: Sequence[Batch]) -> str:
    """The event days from the first batch to the last."""
    return f"{day(batches[0].day)} to {day(batches[-1].day)}"
