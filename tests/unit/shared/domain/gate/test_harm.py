"""Metrics as means over rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, roc_auc_score

from functions.shared.domain.gate.harm import auc_by_row, brier_by_row, ece_by_row

SCORED = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=2, max_size=60).filter(
    lambda rows: len({positive for positive, _ in rows}) == 2
)


def as_arrays(rows: list[tuple[bool, int]]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    positive, score = zip(*rows, strict=True)
    return np.array(positive), np.array(score) / 20


@given(SCORED)
def test_the_mean_is_the_area_under_the_curve(rows: list[tuple[bool, int]]) -> None:
    positive, score = as_arrays(rows)
    assert auc_by_row(positive, score).mean() == pytest.approx(roc_auc_score(positive, score))


def test_the_spread_of_areas_is_that_of_fresh_samples() -> None:
    """The standard error from one sample's rows against the standard deviation over 400 samples."""
    rng = np.random.default_rng(0)
    areas, errors = [], []
    for _ in range(400):
        positive = rng.random(400) < 0.3
        by_row = auc_by_row(positive, rng.normal(positive * 1.0, 1.0))
        areas.append(by_row.mean())
        errors.append(by_row.std(ddof=1) / 20)
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.1)


@given(SCORED)
def test_the_mean_is_the_brier_score(rows: list[tuple[bool, int]]) -> None:
    positive, score = as_arrays(rows)
    expected = brier_score_loss(positive, score)
    assert brier_by_row(positive.astype(np.intp), score[:, np.newaxis]).mean() == pytest.approx(expected)
    both = np.stack([1 - score, score], axis=1)
    assert brier_by_row(positive.astype(np.intp), both).mean() == pytest.approx(2 * expected)


@given(SCORED)
def test_the_mean_is_the_calibration_error_bin_by_bin(rows: list[tuple[bool, int]]) -> None:
    positive, score = as_arrays(rows)
    expected = 0.0
    for number in range(10):
        inside = (score >= number / 10) & ((score < (number + 1) / 10) | (number == 9))
        expected += abs((positive[inside] - score[inside]).sum()) / score.size
    assert ece_by_row(positive, score).mean() == pytest.approx(expected)
