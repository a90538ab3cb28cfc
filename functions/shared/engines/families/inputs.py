"""What a booster knows of the columns that it was trained on."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Inputs:
    """The columns of a booster by their place.

    `names` were given to them, or were `invented` by the library, which only counts columns. The numbers of `coded` columns stand
    for categories. Each of `lists` holds the categories of one column by code; `listed` are the places of these columns, or None
    where the booster does not say.
    """

    names: tuple[str, ...]
    invented: bool
    coded: frozenset[int] = frozenset()
    lists: tuple[tuple[Any, ...], ...] = ()
    listed: tuple[int, ...] | None = ()
