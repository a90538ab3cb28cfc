"""Which rows are learnt and which are held out."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.retraining.holdout import hold_out_newest, split
from tests.unit.retraining.files import rows_of


def labels(target: list[str], days: int = 10) -> tuple[list[str], list[str], list[str]]:
    parts = split(rows_of(target, days=days, x=[0.0] * len(target)), seed=0)
    return parts.learnt.table["y"].to_pylist(), parts.held.table["y"].to_pylist(), [note.message for note in parts.notes]


def test_the_newest_fifth_is_held_out() -> None:
    assert labels(["yes", "no"] * 50) == (["yes", "no"] * 40, ["yes", "no"] * 10, [])


def test_a_class_that_only_the_newest_rows_have_is_learnt_by_its_older_four_fifths() -> None:
    target = ["yes", "no"] * 45 + ["new"] * 10
    learnt, held, said = labels(target)
    assert (learnt.count("new"), held.count("new")) == (8, 2)
    assert said == [
        "no row before 2024-05-10 has the 'y' 'new': 8 of its 10 rows went to the training, though the newest rows are held out to measure"
    ]


@given(target=st.lists(st.sampled_from("abc"), min_size=20, max_size=60).filter(lambda drawn: len(set(drawn)) > 1), days=st.integers(1, 12))
def test_every_row_is_in_one_part_and_every_class_is_learnt(target: list[str], days: int) -> None:
    rows = rows_of(target, days=days, x=[0.0] * len(target))
    parts = split(rows, seed=1)
    ids = [*parts.learnt.table["id"].to_pylist(), *parts.held.table["id"].to_pylist()]
    assert sorted(ids) == sorted(rows.table["id"].to_pylist())
    assert set(parts.learnt.table["y"].to_pylist()) == set(target)


def test_a_class_that_a_version_never_knew_stays_held_out_when_it_is_rebuilt() -> None:
    rows = rows_of(["yes", "no"] * 45 + ["new"] * 10, days=10, x=[0.0] * 100)
    known = type(rows)(rows.spec.model_copy(update={"classes": ("no", "yes")}), rows.table)
    assert split(known, seed=0).learnt.table.equals(hold_out_newest(rows, seed=0)[0].table)


@pytest.mark.parametrize("days", [1, 2, 30])
def test_a_regression_is_split_by_time_alone(days: int) -> None:
    rows = rows_of([float(number) for number in range(60)], days=days, x=[0.0] * 60)
    assert split(rows, seed=3).learnt.table.equals(hold_out_newest(rows, seed=3)[0].table)
    assert split(rows, seed=3).held.rows > 0
    assert rows.distinct_days[0] == date(2024, 5, 1)
