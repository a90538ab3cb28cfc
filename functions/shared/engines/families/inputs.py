"""The columns on which a booster was trained, as far as it knows them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Inputs:
    """The columns of a booster, by position.

    `names` come from training, or are `invented` by the library if it got none. The numbers in `coded` columns are codes of
    categories. Each of `lists` holds the categories of one column, by code. `listed` are the positions of these columns, or None if
    the booster does not state them. Columns in `as_written` hold the categories themselves, as text.
    """

    names: tuple[str, ...]
    invented: bool
    coded: frozenset[int] = frozenset()
    lists: tuple[tuple[Any, ...], ...] = ()
    listed: tuple[int, ...] | None = ()
    as_written: frozenset[int] = frozenset()
