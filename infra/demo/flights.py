"""New York's departures of 2013, cut into files as they would have arrived."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

DATA = Path(__file__).with_name("flights.parquet")
MODEL, TARGET, ID, TIME = "flights", "late", "flight_id", "scheduled_departure"
WIND_RANGE = (0.0, 200.0)
"""Highest possible wind in miles per hour: the fastest gust ever measured at a surface station is 253."""

_BROKEN_EVERY = 1500


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days of flights; `broken` rows of the batch were damaged on purpose."""

    first: date
    batch: bytes
    labels: bytes
    rows: int
    broken: int

    @property
    def name(self) -> str:
        """Return the week's file name without its extension."""
        return self.first.isoformat()


def departures() -> pd.DataFrame:
    """Return all flights, in order of departure."""
    return pd.read_parquet(DATA)


def between(flights: pd.DataFrame, first: date, last: date) -> pd.DataFrame:
    """Return the flights from one day to another, both inclusive."""
    days = flights[TIME]
    return flights[(days >= pd.Timestamp(first)) & (days < pd.Timestamp(last + timedelta(days=1)))]


def week(flights: pd.DataFrame, first: date) -> Week:
    """Return the batch and the labels of the seven days from `first` on.

    Every 1,500th row of the batch is broken, each in a different way.
    """
    rows = between(flights, first, first + timedelta(days=6))
    text = rows.drop(columns=TARGET).astype(object)
    broken = range(_BROKEN_EVERY // 2, len(rows), _BROKEN_EVERY)
    for count, position in enumerate(broken):
        column, value = (("temp", "warm"), (ID, None), ("wind_speed", 1048.0))[count % 3]
        text.loc[text.index[position], column] = value
    labels = rows.loc[rows[TARGET].notna(), [ID, TARGET]]
    return Week(first, text.to_csv(index=False).encode(), labels.to_csv(index=False).encode(), len(rows), len(broken))
