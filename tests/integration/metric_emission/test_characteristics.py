"""The measured tables of docs/monitoring.md are those that their scripts make, keep what was promised, and a few runs say the same."""

import re
from collections.abc import Callable, Sequence

import pytest

from tests.bench.drift_characteristics import DOCUMENT, decay_table, drift_table
from tests.bench.estimate_characteristics import estimate_table
from tests.bench.seasons import called

SEED = 20

type Table = Callable[[], list[list[str]]]


def cells(table: str) -> list[list[str]]:
    """A Markdown table's lines, the header first."""
    lines = [line for line in table.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def measured(name: str) -> list[list[str]]:
    """A table of the document."""
    return cells(DOCUMENT.read_text().partition(f"<!-- measured: {name} -->")[2].partition("<!-- end")[0])


def percentages(cell: str) -> list[float]:
    return [float(found) for found in re.findall(r"([\d.]+) %", cell)]


def named(table: Sequence[Sequence[str]], *names: str) -> list[str]:
    [line] = [line for line in table if line[: len(names)] == list(names)]
    return list(line[len(names) :])


@pytest.mark.parametrize(
    ("name", "made", "keys"),
    [("drift", drift_table, 2), ("decay", decay_table, 1), ("estimate", estimate_table, 3)],
)
def test_a_table_has_the_lines_that_its_script_makes(name: str, made: Callable[[int, int], str], keys: int) -> None:
    again = cells(made(1, SEED))
    documented = measured(name)
    assert documented[0] == again[0]
    assert [line[:keys] for line in documented] == [line[:keys] for line in again]


@pytest.mark.parametrize("table", [lambda: measured("drift"), lambda: cells(drift_table(5, SEED))], ids=["documented", "five weeks"])
def test_drift_is_called_as_rarely_and_as_surely_as_promised(table: Table) -> None:
    drift = table()
    for world, most in (("independent rows", 1.0), ("days .05 + .05", 5.0)):
        false_alarms, power = named(drift, world, "as deployed")
        assert max(percentages(false_alarms)) <= most
        assert min(percentages(power)) >= 95


def test_a_season_is_called_unless_a_year_of_it_was_learnt() -> None:
    learnt_by_days = {days: [window[0] for window in called(days, SEED)] for days in (90, 365)}
    assert sum(learnt_by_days[90]) >= 4
    assert not any(learnt_by_days[365])


@pytest.mark.parametrize("table", [lambda: measured("estimate"), lambda: cells(estimate_table(2, SEED))], ids=["documented", "two runs"])
def test_estimates_end_by_the_second_mature_window_where_the_truth_has_changed(table: Table) -> None:
    changed = [line for line in table() if line[0].startswith(("prevalence", "concept"))]
    assert len(changed) == 6
    assert {line[-1] for line in changed} == {"100 %"}
