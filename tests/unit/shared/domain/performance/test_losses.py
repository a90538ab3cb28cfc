"""What an answer costs, worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.performance.losses import TAIL_ROWS, loss_ceiling, losses
from functions.shared.domain.spec import Task


def test_a_wrong_certainty_costs_a_finite_loss() -> None:
    worst = losses(Task.BINARY, np.array([0, 1]), np.array([[1.0], [0.0]]))
    assert worst.tolist() == pytest.approx([-np.log(1e-6)] * 2)


def test_the_loss_of_several_classes_is_that_of_the_true_one() -> None:
    scores = np.array([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0]])
    assert losses(Task.MULTICLASS, np.array([1, 2]), scores).tolist() == pytest.approx([-np.log(0.3), -np.log(1 - 1e-6)])


def test_the_loss_of_a_regression_is_the_squared_error() -> None:
    assert losses(Task.REGRESSION, np.array([1, 5]), np.array([[3.0], [4.5]])).tolist() == [4.0, 0.25]


def test_a_loss_counts_no_more_than_the_ceiling() -> None:
    assert losses(Task.REGRESSION, np.array([1, 5, 9]), np.array([[3.0], [4.5], [1e9]]), 2.0).tolist() == [2.0, 0.25, 2.0]


def test_the_ceiling_is_about_what_one_row_in_ten_thousand_exceeds() -> None:
    rng = np.random.default_rng(0)
    for shape in (1.0, 1.5, 3.0):
        exceeded = rng.pareto(shape, 2_000_000) > (loss_ceiling(Task.REGRESSION, rng.pareto(shape, 200_000)) or 0)
        assert exceeded.mean() == pytest.approx(1e-4, rel=0.5), shape


def test_losses_that_show_no_tail_have_no_ceiling() -> None:
    rng = np.random.default_rng(0)
    found = rng.exponential(size=TAIL_ROWS)
    assert loss_ceiling(Task.REGRESSION, found) is not None
    assert loss_ceiling(Task.REGRESSION, found[1:]) is None
    assert loss_ceiling(Task.BINARY, found) is None
    assert loss_ceiling(Task.REGRESSION, np.where(np.arange(TAIL_ROWS) < 5, found, 0.0)) is None


@given(seed=st.integers(0, 10**6), rows=st.integers(TAIL_ROWS, 3 * TAIL_ROWS), absurd=st.floats(1e4, 1e38))
def test_one_absurd_loss_hardly_moves_the_ceiling(seed: int, rows: int, absurd: float) -> None:
    found = np.random.default_rng(seed).normal(size=rows) ** 2
    without = loss_ceiling(Task.REGRESSION, found)
    slipped = loss_ceiling(Task.REGRESSION, np.append(found[1:], absurd))
    assert without is not None
    assert slipped is not None
    assert slipped < 5 * without
    assert slipped <= max(found.max(), 1) ** 2
