"""Streams whose truth is known: `shifting_world`'s scenarios, after twelve weeks in which nothing changes."""

from datetime import date, timedelta

import numpy as np
import pandas as pd

from functions.shared.domain.spec import Task
from tests.bench.judgement.streams import ID, TARGET, TIME, Batch, Stream
from tests.bench.shifting_world import BASELINE_DAYS, MONTH_DAYS, NUMBERS, Rows, Scenario, World

ROWS_A_DAY = 300
QUIET_MONTHS, CHANGED_MONTHS = 2, 2
START = date(2024, 1, 1)
SCENARIOS = (
    Scenario.STABLE,
    Scenario.IRRELEVANT,
    Scenario.PREVALENCE,
    Scenario.GRADUAL,
    Scenario.ABRUPT,
)


def world_stream(scenario: Scenario, seed: int) -> Stream:
    """Return a life of one world: trained on its first days, stable for eight weeks, then as the scenario has it."""
    rng = np.random.default_rng([seed, list(Scenario).index(scenario)])
    world = World(np.random.default_rng(seed))
    training = world.draw(rng, Scenario.STABLE, 0, ROWS_A_DAY * BASELINE_DAYS)
    frame = _frame(training, START, BASELINE_DAYS, "t")
    batches: list[Batch] = []
    for month in range(QUIET_MONTHS + CHANGED_MONTHS):
        quiet = month < QUIET_MONTHS
        drawn = world.draw(rng, Scenario.STABLE if quiet else scenario, 1 if quiet else month - QUIET_MONTHS + 1, ROWS_A_DAY * MONTH_DAYS)
        first = START + timedelta(days=BASELINE_DAYS + month * MONTH_DAYS)
        rows = _frame(drawn, first, MONTH_DAYS, f"m{month}-")
        for day in range(MONTH_DAYS):
            of_day = rows[TIME].dt.date == first + timedelta(days=day)
            batches.append(
                Batch(first + timedelta(days=day + 1), rows[of_day].reset_index(drop=True), drawn.probability[of_day.to_numpy()])
            )
    changed = START + timedelta(days=BASELINE_DAYS + QUIET_MONTHS * MONTH_DAYS)
    return Stream(scenario.value, f"seed {seed}", Task.BINARY, frame, batches, 1, None if scenario is Scenario.STABLE else changed)


def _frame(rows: Rows, first: date, days: int, prefix: str) -> pd.DataFrame:
    """Rows with ids and times; they are in order of their days."""
    day = (rows.days - rows.days.min()).astype(int)
    assert day.max() < days
    columns = {f"x{number}": rows.features[:, number] for number in range(NUMBERS)}
    groups = {f"c{number}": np.char.add("c", column.astype(int).astype(str)) for number, column in enumerate(rows.features[:, NUMBERS:].T)}
    times = pd.Timestamp(first) + pd.to_timedelta(day, unit="D") + pd.Timedelta(hours=12)
    return pd.DataFrame(
        {
            ID: [f"{prefix}{number}" for number in range(len(day))],
            TIME: times,
            **columns,
            **groups,
            TARGET: np.where(rows.truth, "yes", "no"),
        }
    )
