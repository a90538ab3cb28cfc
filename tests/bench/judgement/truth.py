"""When a model was harmed, and what a judge's calls were worth.

Harm is a loss that is up by more than 5 % on that of the training's newest rows, which the fit did not see. A day is harmed if the mean
over it and the 27 days after it is up so far; a spell of harm begins with such a day of which the first week is up as well, and spells
less than 28 days apart are one. The loss is that of the labels themselves, in hindsight. Where the truth is known, it is the loss
expected under the probabilities that labels were drawn with, its usual level is that before the change, and no spell begins earlier.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tests.bench.judgement.ours import Lived
from tests.bench.judgement.streams import LABEL_DELAY, TIME, Stream

type Floats = NDArray[np.float64]

HARM = 1.05
WINDOW, FIRST = 28, 7
DAY = timedelta(days=1)
YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Spell:
    """Days of harm, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Course:
    """What happened to a stream: its batches' days of arrival, its spells of harm, and the day of a known change."""

    arrives: tuple[date, ...]
    batch_days: int
    harm: tuple[Spell, ...]
    changed: date | None

    @classmethod
    def of(cls, stream: Stream, lived: Lived) -> Self:
        """Return the course of a stream that was scored."""
        harm = tuple(_spells(stream, *(_seen if stream.batches[0].probability is None else _known)(stream, lived)))
        return cls(tuple(batch.arrives for batch in stream.batches), stream.batch_days, harm, stream.changed)

    @property
    def batch_length(self) -> timedelta:
        """Days of a batch."""
        return self.batch_days * DAY

    def deadline(self, spell: Spell) -> date:
        """The day on which 28 days of a spell have arrived and have their labels."""
        return spell.first + WINDOW * DAY + self.batch_length + LABEL_DELAY

    def is_idle(self, day: date) -> bool:
        """Return whether a call on a day is about no harm: none is there, and none was so lately that its labels still come."""
        return not any(spell.first <= day <= spell.last + self.batch_length + LABEL_DELAY for spell in self.harm)

    @property
    def judged(self) -> list[Spell]:
        """The spells that began early enough to be judged."""
        return [spell for spell in self.harm if self.deadline(spell) <= self.arrives[-1]]


def _mean(sums: Floats, rows: Floats, day: int, length: int) -> float:
    counted = rows[day : day + length].sum()
    return float(sums[day : day + length].sum() / counted) if counted else 0.0


def _spells(stream: Stream, sums: Floats, rows: Floats, level: float) -> list[Spell]:
    start = stream.batches[0].arrives - stream.batch_days * DAY
    earliest = (stream.changed - start).days if stream.changed else 0
    found: list[list[int]] = []
    for day in range(earliest, len(rows) - WINDOW + 1):
        if _mean(sums, rows, day, WINDOW) <= HARM * level:
            continue
        if found and day - found[-1][1] <= WINDOW:
            found[-1][1] = day
        elif _mean(sums, rows, day, FIRST) > HARM * level:
            found.append([day, day])
    return [Spell(start + first * DAY, start + (last + WINDOW - 1) * DAY) for first, last in found]


def _seen(stream: Stream, lived: Lived) -> tuple[Floats, Floats, float]:
    """Losses by day, as labels show them."""
    known = lived.rows.dropna(subset="loss")
    day = (known[TIME].dt.normalize() - pd.Timestamp(stream.batches[0].arrives - stream.batch_days * DAY)).dt.days
    return np.bincount(day, known["loss"]), np.bincount(day).astype(float), lived.loss


def _known(stream: Stream, lived: Lived) -> tuple[Floats, Floats, float]:
    """Expected losses by day."""
    probability = np.concatenate([batch.probability for batch in stream.batches if batch.probability is not None])
    score = np.clip(lived.rows["score"].to_numpy(), 1e-6, 1 - 1e-6)
    loss = -(probability * np.log(score) + (1 - probability) * np.log(1 - score))
    batch = lived.rows["batch"].to_numpy()
    sums, rows = np.bincount(batch, loss), np.bincount(batch).astype(float)
    before = len(rows) if stream.changed is None else sum(each.arrives <= stream.changed for each in stream.batches)
    level = float(sums[:before].sum() / rows[:before].sum())
    return sums, rows, level if stream.changed else np.inf


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one judge's calls on one stream were worth.

    `idle_calls` are those outside of harm, in `idle_days`; `delays` has days from the first day of each spell to what was said of it, None
    where nothing was by the deadline. `always` says that most batches outside of harm were called.
    """

    idle_calls: int
    idle_days: int
    delays: tuple[int | None, ...]
    always: bool

    @property
    def a_year(self) -> float:
        """Calls a year although nothing was harmed."""
        return self.idle_calls * YEAR / self.idle_days if self.idle_days else 0.0

    @property
    def missed(self) -> int:
        """Spells of harm of which nothing was said."""
        return self.delays.count(None)


def verdict(course: Course, calls: Sequence[date], open_on: Collection[date] = ()) -> Verdict:
    """Return what calls were worth.

    Args:
        course: what happened.
        calls: the days on which people were called, one for each call.
        open_on: days on which an earlier call stood open and was shown, which says as much as another call.
    """
    said = sorted({*calls, *open_on})
    within = ([day for day in said if spell.first <= day <= course.deadline(spell)] for spell in course.judged)
    delays = tuple((days[0] - spell.first).days if days else None for spell, days in zip(course.judged, within, strict=True))
    idle = [day for day in course.arrives if course.is_idle(day)]
    wrong = [day for day in calls if course.is_idle(day)]
    return Verdict(len(wrong), len(idle) * course.batch_days, delays, len(set(wrong)) > len(idle) / 2)
