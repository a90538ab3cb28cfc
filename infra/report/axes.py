"""Horizontal axes: columns of successive batches, or days.

The first label, and each that begins another year, has the year.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import batched

import altair as alt

from infra.report.drawing import LINE, PHONE, Canvas
from infra.report.gather import Batch
from infra.report.wording import NONE, day, short_day
from infra.words import _

_DAYS_APART = (1, 2, 7, 14)
_MONTHS_APART = (1, 2, 3, 6, 12)

type Label = str | list[str]
"""A label's line or lines, as Vega reads them."""


@dataclass(frozen=True, slots=True)
class Column:
    """Successive batches and their last event day; None if no row was scored."""

    day: date | None
    batches: tuple[Batch, ...]


def columns_of(batches: Sequence[Batch], at_most: int) -> tuple[Column, ...]:
    """Divide batches into at most `at_most` columns of equally many batches.

    The last column may have fewer.
    """
    size = max(1, -(-len(batches) // at_most))
    groups = batched(batches, size, strict=False)
    return tuple(Column(next((batch.day for batch in reversed(group) if batch.day), None), group) for group in groups)


def column_axis(columns: Sequence[Column], canvas: Canvas, padding: float = 0.15) -> alt.X:
    """Return an axis of columns by place, evenly labelled by day, from the last back."""
    step = -(-len(columns) // canvas.labels)
    places = list(range(len(columns) - 1, -1, -step))[::-1]
    return alt.X(
        "column:O",
        scale=alt.Scale(domain=list(range(len(columns))), paddingInner=padding),
        axis=_labelled(places, day_labels([columns[place].day for place in places])),
    )


def day_axis(days: Sequence[date], canvas: Canvas) -> alt.X:
    """Return an axis of days by `place_of`, labelled at round distances."""
    shown = round_days(min(days), max(days), canvas.labels)
    axis = _labelled([place_of(each) for each in shown], day_labels(shown))
    return alt.X("day:Q", scale=alt.Scale(domain=[place_of(min(days)), place_of(max(days))], nice=False, padding=8), axis=axis)


def place_of(value: date) -> int:
    """Return a day's place on its axis."""
    return value.toordinal()


def round_days(first: date, last: date, at_most: int) -> list[date]:
    """Choose at most `at_most` days, evenly spaced; at least the last one.

    They are spaced by days, weeks or months.

    >>> [f"{day:%d %b}" for day in round_days(date(2013, 11, 20), date(2014, 2, 3), 4)]
    ['01 Dec', '01 Jan', '01 Feb']
    """
    for step in _DAYS_APART:
        days = [date.fromordinal(place) for place in range(last.toordinal(), first.toordinal() - 1, -step)]
        if len(days) <= at_most:
            return days[::-1]
    months = [date(number // 12, number % 12 + 1, 1) for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month)]
    starts = [month for month in months if first <= month]
    for step in _MONTHS_APART:
        chosen = [month for month in starts if (month.month - 1) % step == 0]
        if len(chosen) <= at_most:
            return chosen or [last]
    return starts[:: -(-len(starts) // at_most)]


def day_labels(days: Sequence[date | None]) -> list[Label]:
    """Return a label per day, with the year below it where the year changes.

    >>> day_labels([date(2013, 12, 30), None, date(2013, 12, 31), date(2014, 1, 1)])
    [['30 Dec', '2013'], '', '31 Dec', ['1 Jan', '2014']]
    """
    labels: list[Label] = []
    year = None
    for value in days:
        if value is None:
            labels.append("")
        else:
            labels.append(short_day(value) if value.year == year else [short_day(value), _("{year}", year=value.year)])
            year = value.year
    return labels


def _labelled(places: Sequence[int], labels: Sequence[Label]) -> alt.Axis:
    shown = json.dumps(dict(zip(places, labels, strict=True)))
    return alt.Axis(labelExpr=f"{shown}[datum.value]", values=list(places), labelOverlap=False, title=None, domainColor=LINE, grid=False)


def sharing(batches: Sequence[Batch], shown: str) -> str:
    """Return the note for charts in which several batches share a column."""
    return _("Where batches share a column, {shown} is shown.", shown=shown) if len(batches) > PHONE.columns else ""


def span(batches: Sequence[Batch]) -> str:
    """Return the event days from the first batch to the last."""
    days = [batch.day for batch in batches if batch.day]
    return _("{first} to {last}", first=day(days[0]), last=day(days[-1])) if days else NONE
