"""What drift makes of a season, by how much of it a model has learnt. Writes its table into docs/monitoring.md.

    python -m tests.bench.seasons
    python -m tests.bench.seasons --quick      # one life, prints, writes nothing

A temperature has a season (10 degrees up and down), weather that lasts for days (autoregressive, .8 a day, sd 3.3) and places that differ
(sd 3), 30 rows a day. Training begins in January. In the year after it, the batches of three weeks at a time are judged, as they are and
with a thermometer that shows too much. The score does not drift.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.drift.baseline import Baseline, ColumnBaseline, build_column_baseline
from functions.shared.domain.drift.binning import number_counts
from functions.shared.domain.drift.detection import detect_drift
from functions.shared.domain.drift.profile import Profile
from functions.shared.domain.policy import DriftPolicy
from functions.shared.domain.spec import FeatureKind
from tests.bench.document_table import markdown_table, replace_measured

type Floats = NDArray[np.float64]

DOCUMENT = Path(__file__).parents[2] / "docs" / "monitoring.md"
ROWS_A_DAY, WINDOW, YEAR = 30, 21, 365
TRAINING_DAYS = (90, 180, 365, 730)
TOO_MUCH = (0, 5, 10, 20)
AMPLITUDE, PERSISTENCE, WEATHER, PLACES = 10.0, 0.8, 2.0, 3.0
FIRST_DAY = np.datetime64("2022-01-01")


def weather_of(days: int, rng: np.random.Generator) -> Floats:
    """By how much each day is warmer than its season, shape (days,)."""
    found = np.zeros(days)
    for day, news in enumerate(rng.normal(0, WEATHER, days)):
        found[day] = PERSISTENCE * found[day - 1] + news
    return found


def temperatures(days: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Rows of some days, which are counted from the first of January."""
    season = -AMPLITUDE * np.cos(2 * np.pi * (days - 15) / 365.25)
    return np.repeat(season + weather_of(days.size, rng), ROWS_A_DAY) + rng.normal(0, PLACES, days.size * ROWS_A_DAY)


def baseline_of(days: int, rng: np.random.Generator) -> Baseline:
    """What a model learnt of as many days."""
    trained = np.arange(days)
    columns = {"temperature": temperatures(trained, rng), "score": rng.normal(size=days * ROWS_A_DAY)}
    when = FIRST_DAY + np.repeat(trained, ROWS_A_DAY)
    temperature, score = (build_column_baseline(name, FeatureKind.NUMBER, pa.array(values), when) for name, values in columns.items())
    return Baseline(model="m", version="1", rows=when.size, days=days, features=(temperature,), scores=(score,))


def counted(column: ColumnBaseline, values: Floats) -> tuple[int, ...]:
    """Values by bin."""
    return tuple(number_counts(column.bins.edges, values).tolist())


def called(days: int, seed: int) -> list[list[bool]]:
    """Whether the temperature is called, by window of the next year and by what the thermometer shows too much."""
    rng = np.random.default_rng((seed, days))
    baseline = baseline_of(days, rng)
    [temperature], [score] = baseline.features, baseline.scores
    found = []
    for first in range(days, days + YEAR - WINDOW, WINDOW):
        values, scores = temperatures(np.arange(first, first + WINDOW), rng), rng.normal(size=WINDOW * ROWS_A_DAY)
        reports = (
            detect_drift(
                baseline,
                Profile(
                    rows=values.size,
                    features={"temperature": counted(temperature, values + too_much)},
                    scores={"score": counted(score, scores)},
                    score_sums={"score": 0.0},
                ),
                DriftPolicy(),
                days=WINDOW,
            )
            for too_much in TOO_MUCH
        )
        found.append([report.columns[0].drifted for report in reports])
    return found


def table(lives: int, seed: int) -> str:
    """Shares of windows called, by days of training."""
    lines = []
    for days in TRAINING_DAYS:
        shares = np.mean([called(days, seed + life) for life in range(lives)], axis=(0, 1))
        lines.append([f"{days}", *(f"{share:.0%}" for share in shares)])
    shifts = (f"{too_much} degrees too much" for too_much in TOO_MUCH[1:])
    return markdown_table(["days of training", "the season alone", *shifts], lines)


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the table unless the run is a quick one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lives", type=int, default=10)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="one life, print only")
    options = parser.parse_args(arguments)
    lives = 1 if options.quick else options.lives
    found = table(lives, options.seed)
    print(found)
    if not options.quick:
        replace_measured(
            DOCUMENT, "seasons", f"{lives} lives, seed {options.seed}; shares of the next year's windows that are called.\n\n{found}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
