"""Draw charts as inline SVG, twice: for a page and for a phone.

Colours are the page's CSS variables, so one drawing serves light and dark; nothing in it runs or loads anything.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup, escape

INK, MUTED, LINE, CARD = "var(--ink)", "var(--muted)", "var(--line)", "var(--card)"
ALARM, CALM, GOOD = "var(--alarm)", "var(--calm)", "var(--good)"
HUES = tuple(f"var(--hue-{number})" for number in range(1, 9))
FONT = "system-ui, sans-serif"

type Drawing = alt.Chart | alt.LayerChart | alt.FacetChart

_LONG_NUMBER = re.compile(r"(\.\d\d)\d+")
_GEOMETRY = re.compile(r' (?:d|transform|x2|y2)="[^"]*"')
_NOTHING_DRAWN = re.compile(r'<path class="(?:fore|back)ground"[^>]*/>')


@dataclass(frozen=True, slots=True)
class Canvas:
    """The size of a chart in CSS pixels with axes, and how much fits.

    It limits columns, labels (days or numbers), and letters of a name.
    """

    width: int
    height: int
    columns: int
    labels: int
    figures: int
    letters: int


PAGE = Canvas(width=900, height=240, columns=60, labels=12, figures=8, letters=26)
PHONE = Canvas(width=340, height=220, columns=26, labels=5, figures=4, letters=15)


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a chart's legend."""

    label: str
    colour: str
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with its title, note and legend; `alt` describes it in words."""

    name: str
    title: str
    note: str
    alt: str
    keys: tuple[Key, ...]
    page: Markup
    phone: Markup


def data(values: Sequence[Mapping[str, Any]]) -> alt.Chart:
    """Return a chart of these rows, without marks yet."""
    return alt.Chart(alt.InlineData(values=[dict(value) for value in values]))


def hue_by(field: str, hues: Mapping[str, str]) -> alt.Color:
    """Return a colour encoding for a field whose values have these colours."""
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=list(hues), range=list(hues.values())), legend=None)


def figure_axis(canvas: Canvas) -> alt.Axis:
    """Return a horizontal axis of numbers without needless zeros."""
    return alt.Axis(grid=True, format="~g", tickCount=canvas.figures, labelOverlap=True, labelSeparation=8)


def drawn(draw: Callable[[Canvas], Drawing], *, name: str, title: str, note: str, alt: str, keys: tuple[Key, ...] = ()) -> Figure:
    """Draw a chart on both canvases."""
    return Figure(
        name=name, title=title, note=note, alt=alt, keys=keys, page=_svg(draw(PAGE), PAGE, alt), phone=_svg(draw(PHONE), PHONE, alt)
    )


def _svg(chart: Drawing, canvas: Canvas, alt_text: str) -> Markup:
    heights = {} if chart.height is not alt.Undefined else {"height": canvas.height}
    sized = chart.properties(width=canvas.width, autosize=alt.AutoSizeParams(type="fit", contains="padding"), **heights)
    svg = vl_convert.vegalite_to_svg(_themed(sized).to_dict())
    svg = _NOTHING_DRAWN.sub("", svg)
    svg = _GEOMETRY.sub(lambda attribute: _LONG_NUMBER.sub(r"\1", attribute.group()), svg)
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{escape(alt_text)}" ', 1))  # noqa: S704 - Vega escapes its text


def _themed(chart: Drawing) -> Drawing:
    themed: Drawing = chart.configure(
        background="transparent",
        font=FONT,
        aria=False,
        padding={"left": 8, "right": 8, "top": 4, "bottom": 2},
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor=MUTED,
            labelFontSize=12,
            titleColor=MUTED,
            titleFontSize=12,
            titleFontWeight="normal",
            gridColor=LINE,
            domain=False,
            ticks=False,
            labelPadding=6,
        ),
        axisX=alt.AxisConfig(grid=False, labelAngle=0, domain=True, domainColor=LINE),
    )
    return themed
