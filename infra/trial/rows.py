"""Made-up rows whose answer follows from one column, with noise."""

import csv
import io
import random
from collections.abc import Sequence
from datetime import date, timedelta

ID, DAY, TARGET = "id", "day", "left"
DESCRIBED = ("--target", TARGET, "--id", ID, "--time", DAY)
"""The options of `everscore train` for these rows."""
FIRST_DAY = date(2024, 1, 1)
ROWS_A_DAY = 100

type Row = dict[str, str | float]


def made_up(first: int, count: int, *, labelled: bool = False, by_chance: bool = False) -> list[Row]:
    """Return rows numbered from `first` on, a hundred a day.

    The more is used, the fewer leave, unless it goes `by_chance`.

    >>> [row["day"] for row in made_up(199, 2)]
    ['2024-01-02', '2024-01-03']
    """
    rows: list[Row] = []
    for number in range(first, first + count):
        drawn = random.Random(number)  # noqa: S311 - made up, and the same each time
        used, plan, chance, noise = drawn.random(), drawn.choice(["basic", "full"]), drawn.random(), drawn.gauss(0, 0.15)
        row: Row = {ID: f"C{number}", DAY: (FIRST_DAY + timedelta(number // ROWS_A_DAY)).isoformat(), "used": round(used, 4), "plan": plan}
        leaves = (chance if by_chance else used + noise) < 0.5
        rows.append(row | ({TARGET: "yes" if leaves else "no"} if labelled else {}))
    return rows


def as_csv(rows: Sequence[Row]) -> bytes:
    r"""Return rows as a CSV file.

    >>> as_csv([{"id": "C1", "used": 0.5}])
    b'id,used\nC1,0.5\n'
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
