"""What a page is made of, whatever it is shown on."""

from dataclasses import dataclass
from enum import StrEnum

from infra.grafana.query import Query


class Look(StrEnum):
    """How a panel draws its values.

    It shows lines, stacked bars, one figure each, or rows of coloured cells.
    """

    LINES = "lines"
    BARS = "bars"
    FIGURES = "figures"
    CELLS = "cells"


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: what it shows, in words a reader needs, and what it asks for.

    `unit` is Grafana's name of a unit, `width` in twenty-fourths of the page. `bands` are pairs of legends, upper and lower, to
    be filled between. `levels` are values from which on a cell or a figure changes colour.
    """

    title: str
    help: str
    look: Look
    queries: tuple[Query, ...]
    unit: str = "short"
    width: int = 8
    bands: tuple[tuple[str, str], ...] = ()
    levels: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A page; `of_model` says that it is about the one model of its variable."""

    name: str
    title: str
    of_model: bool
    sections: tuple[Section, ...]
