"""A stream: rows to train on, and batches of the time after, as they would have arrived."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from functions.shared.domain.spec import Task

type Floats = NDArray[np.float64]

ID, TIME, TARGET = "id", "at", "target"
LABEL_DELAY = timedelta(days=7)
"""Time from a batch until its labels come; the policy's default counts labels as complete then."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of some successive days, which arrive on the day after the last of them.

    `probability` is what their labels were drawn with, where that is known.
    """

    arrives: date
    rows: pd.DataFrame
    probability: Floats | None = None

    @property
    def labelled(self) -> date:
        """The day on which the labels come."""
        return self.arrives + LABEL_DELAY


@dataclass(frozen=True, slots=True)
class Stream:
    """A model's life: what it learnt from, and what came then.

    `source` names where the rows are from, with the licence; `changed` the first day of a change where that is known.
    """

    name: str
    source: str
    task: Task
    training: pd.DataFrame
    batches: Sequence[Batch]
    batch_days: int
    changed: date | None = None

    @property
    def days(self) -> int:
        """Days that the batches span."""
        return self.batch_days * len(self.batches)


def cut(name: str, source: str, rows: pd.DataFrame, *, train_days: int, batch_days: int = 1, task: Task = Task.BINARY) -> Stream:
    """Return rows as a stream: the first days to learn from, the others in batches. Weeks begin on Mondays."""
    rows = rows.sort_values(TIME, kind="stable")
    monday = (7 - rows[TIME].iloc[0].weekday()) % batch_days
    rows = rows[rows[TIME] >= rows[TIME].iloc[0].normalize() + timedelta(days=monday)].reset_index(drop=True)
    rows.insert(0, ID, [f"r{number}" for number in range(len(rows))])
    day = (rows[TIME] - rows[TIME].iloc[0].normalize()).dt.days
    first = rows[TIME].iloc[0].date() + timedelta(days=train_days)
    number = (day - train_days) // batch_days
    last = int(number.iloc[-1]) - (batch_days > 1)  # the last one may not be whole
    later = rows[(number >= 0) & (number <= last)]
    batches = [
        Batch(first + timedelta(days=(int(which) + 1) * batch_days), part.reset_index(drop=True))
        for which, part in later.groupby(number[later.index])
    ]
    return Stream(name, source, task, rows[day < train_days].dropna(subset=TARGET), batches, batch_days)
