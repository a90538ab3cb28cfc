"""What an answer costs, worked out by hand."""

import numpy as np
import pytest

from functions.shared.domain.performance.losses import losses
from functions.shared.domain.spec import Task


def test_a_wrong_certainty_costs_a_finite_loss() -> None:
    worst = losses(Task.BINARY, np.array([0, 1]), np.array([[1.0], [0.0]]))
    assert worst.tolist() == pytest.approx([-np.log(1e-6)] * 2)


def test_the_loss_of_several_classes_is_that_of_the_true_one() -> None:
    scores = np.array([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0]])
    assert losses(Task.MULTICLASS, np.array([1, 2]), scores).tolist() == pytest.approx([-np.log(0.3), -np.log(1 - 1e-6)])


def test_the_loss_of_a_regression_is_the_squared_error() -> None:
    assert losses(Task.REGRESSION, np.array([1, 5]), np.array([[3.0], [4.5]])).tolist() == [4.0, 0.25]
