"""Curves of wrong answers by threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from sklearn.metrics import confusion_matrix

from functions.shared.domain.performance.error_curve import MOST_THRESHOLDS, ErrorCurve, cost_by_row, error_curve
from functions.shared.domain.policy import Costs, DecisionPolicy

SCORE = st.floats(0, 1).map(lambda score: round(score, 9)) | st.sampled_from([0.0, 0.25, 0.5, 1.0])
"""No two so near that no number lies between them."""
ROWS = st.lists(st.tuples(st.booleans(), SCORE), min_size=1, max_size=60)
COST = st.floats(0, 100).map(lambda cost: round(cost, 3))


def split(rows: list[tuple[bool, float]]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


@given(ROWS)
def test_each_threshold_has_the_wrong_answers_that_scikit_learn_counts(rows: list[tuple[bool, float]]) -> None:
    positive, scores = split(rows)
    curve = error_curve(positive, scores)
    for threshold, false_positives, false_negatives in zip(curve.thresholds, curve.false_positives, curve.false_negatives, strict=True):
        counts = confusion_matrix(positive, scores >= threshold, labels=[False, True])
        assert (false_positives, false_negatives) == (counts[0, 1], counts[1, 0])


@given(ROWS, COST, COST)
def test_of_few_rows_no_threshold_at_all_would_cost_less_than_the_chosen_one(
    rows: list[tuple[bool, float]], false_positive: float, false_negative: float
) -> None:
    if not false_positive and not false_negative:
        return
    positive, scores = split(rows)
    costs = Costs(false_positive=false_positive, false_negative=false_negative)

    def cost(threshold: float) -> float:
        return float(cost_by_row(positive, scores >= threshold, costs).sum())

    chosen = error_curve(positive, scores).cheapest(costs)
    assert cost(chosen) <= min(cost(threshold) for threshold in (*scores.tolist(), 2.0)) + 1e-9


@given(ROWS)
def test_no_score_lies_on_a_threshold_but_the_lowest(rows: list[tuple[bool, float]]) -> None:
    positive, scores = split(rows)
    curve = error_curve(positive, scores)
    assert list(curve.thresholds) == sorted(set(curve.thresholds))
    assert not set(curve.thresholds[1:]) & set(scores.tolist())


def test_many_rows_have_a_curve_of_bounded_length_from_all_to_none() -> None:
    rng = np.random.default_rng(3)
    scores = rng.random(20_000)
    positive = rng.random(20_000) < scores
    curve = error_curve(positive, scores)
    assert len(curve.thresholds) == MOST_THRESHOLDS
    assert (curve.false_positives[0], curve.false_negatives[0]) == (np.count_nonzero(~positive), 0)
    assert (curve.false_positives[-1], curve.false_negatives[-1]) == (0, np.count_nonzero(positive))
    # Calibrated scores cost least where the odds are those of the costs: 1 / (1 + 4).
    assert curve.cheapest(Costs(false_positive=1, false_negative=4)) == pytest.approx(0.2, abs=0.05)


def test_a_curve_survives_its_json() -> None:
    curve = error_curve(np.array([True, False, True]), np.array([0.2, 0.4, 1.0]))
    assert ErrorCurve.model_validate_json(curve.model_dump_json()) == curve


def test_costs_are_read_as_a_person_writes_them() -> None:
    written = DecisionPolicy.model_validate({"costs": "false_positive=1, false_negative=20"})
    assert written.costs == Costs(false_positive=1, false_negative=20)


@pytest.mark.parametrize("costs", ["false_positive=0,false_negative=0", "false_positive=-1,false_negative=2", "false_positive=1", "cheap"])
def test_costs_that_decide_nothing_are_refused(costs: str) -> None:
    with pytest.raises(ValidationError):
        DecisionPolicy.model_validate({"costs": costs})
