"""Calibration, the estimate of performance before labels, and its refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from functions.shared.domain.decision_rule import above
from functions.shared.domain.performance.calibration import Calibration, ScoreGroups, fit_calibration
from functions.shared.domain.performance.estimate import Estimate, HeldEstimate, estimate_performance, track_record
from functions.shared.domain.policy import EstimatePolicy

type Floats = NDArray[np.float64]

POLICY = EstimatePolicy()


def drawn(rows: int, *, seed: int, slope: float = 0.7, constant: float = 0.2, centre: float = -1.0) -> tuple[NDArray[np.bool_], Floats]:
    """Scores whose logit is N(centre, 1.3), and labels whose true logit is a line of it."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(centre, 1.3, rows)
    true = 1 / (1 + np.exp(-(slope * logit + constant)))
    return rng.random(rows) < true, 1 / (1 + np.exp(-logit))


def fitted(rows: int, seed: int = 1) -> Calibration:
    calibration = fit_calibration(*drawn(rows, seed=seed), np.random.default_rng(seed))
    assert calibration is not None
    return calibration


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return fitted(10_000)


def said(borne_out: bool) -> HeldEstimate:  # noqa: FBT001
    """An estimate that was borne out, or not."""
    return HeldEstimate(value=0.5, low=0.4, high=0.6, truth=0.5 if borne_out else 0.7)


def estimated(
    calibration: Calibration | None, scores: Floats, *, alerts: tuple[str, ...] = (), held: tuple[bool, ...] = (), threshold: float = 0.5
) -> Estimate:
    record = track_record([said(truth) for truth in held])
    rng = np.random.default_rng(3)
    return estimate_performance(calibration, scores, POLICY, rule=above(threshold), input_alerts=alerts, record=record, rng=rng)


def codes(estimate: Estimate) -> set[str]:
    return {refusal.code for refusal in estimate.refusals}


@given(st.lists(st.floats(0, 1) | st.sampled_from([0.1, 0.2]), min_size=1, max_size=60), st.integers(1, 12))
def test_groups_hold_like_scores_in_order_and_split_no_equal_ones(scores: list[float], limit: int) -> None:
    values = np.array(scores)
    groups = ScoreGroups.of(values, limit)
    assert groups.counts.sum() == values.size
    assert groups.scores.size <= max(limit, 1)
    assert np.all(np.diff(groups.index[np.argsort(values, kind="stable")]) >= 0)
    for value in set(scores):
        assert len(set(groups.index[values == value].tolist())) == 1
    for group in range(groups.scores.size):
        assert groups.scores[group] == pytest.approx(values[groups.index == group].mean())


@pytest.mark.parametrize("seed", range(5))
def test_few_rows_are_calibrated_by_a_logistic_regression_on_the_scores_logit(seed: int) -> None:
    positive, raw = drawn(1500, seed=seed)
    # On a few distinct scores nothing is lost by taking like ones together.
    scores = np.clip(raw.round(1), 0.02, 0.98)
    calibration = fit_calibration(positive, scores, np.random.default_rng(0))
    assert calibration is not None
    assert calibration.method == "platt"
    logit = np.log(scores / (1 - scores))[:, np.newaxis]
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(logit, positive)
    knots = np.array(calibration.knots)
    expected = reference.predict_proba(np.log(knots / (1 - knots))[:, np.newaxis])[:, 1]
    assert calibration.curve == pytest.approx(expected, abs=1e-4)


def test_many_rows_are_calibrated_by_scikit_learns_isotonic_regression() -> None:
    positive, raw = drawn(10_000, seed=2)
    scores = raw.round(1)
    calibration = fit_calibration(positive, scores, np.random.default_rng(0))
    assert calibration is not None
    assert calibration.method == "isotonic"
    expected = IsotonicRegression().fit(scores, positive).predict(np.array(calibration.knots))
    assert calibration.curve == pytest.approx(expected, abs=1e-6)


def test_rows_of_one_class_calibrate_nothing() -> None:
    assert fit_calibration(np.zeros(2000, dtype=bool), drawn(2000, seed=1)[1], np.random.default_rng(0)) is None


def test_the_curve_is_near_the_true_probabilities(calibration: Calibration) -> None:
    knots = np.array(calibration.knots)
    true = 1 / (1 + np.exp(-(0.7 * np.log(knots / (1 - knots)) + 0.2)))
    assert np.abs(np.array(calibration.curve) - true).max() < 0.1
    assert calibration.error_high < 0.03


def test_the_calibration_error_of_a_curve_that_cannot_bend_is_seen() -> None:
    # Platt's line cannot follow a probability that rises and falls again.
    rng = np.random.default_rng(4)
    scores = rng.random(1500)
    positive = rng.random(1500) < np.where(np.abs(scores - 0.5) < 0.25, 0.7, 0.1)
    calibration = fit_calibration(positive, scores, rng)
    assert calibration is not None
    assert calibration.error_high > 0.1


def test_a_calibration_survives_its_json(calibration: Calibration) -> None:
    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration


def test_the_estimate_is_the_expectation_under_the_calibration() -> None:
    calibration = fitted(10_000).model_copy(update={"knots": (0.0, 1.0), "counts": (5000, 5000), "curve": (0.0, 1.0)})
    calibration = calibration.model_copy(update={"resampled": ((0.0, 1.0),), "low": 0.0, "high": 1.0})
    scores = np.random.default_rng(5).random(2000)
    estimate = estimated(calibration, scores)
    # Probabilities that are the scores: accuracy is the mean of max(p, 1 - p), Brier that of p (1 - p), log loss entropy.
    assert estimate.metrics["accuracy"].value == pytest.approx(np.maximum(scores, 1 - scores).mean(), abs=1e-3)
    assert estimate.metrics["brier"].value == pytest.approx((scores * (1 - scores)).mean(), abs=1e-3)
    entropy = -(scores * np.log(scores) + (1 - scores) * np.log(1 - scores)).mean()
    assert estimate.metrics["log_loss"].value == pytest.approx(entropy, abs=1e-3)
    ordered = np.sort(scores)
    pairs = (ordered[:, np.newaxis] * (1 - ordered)[np.newaxis, :]) * np.tri(2000, k=-1)
    assert estimate.metrics["auc"].value == pytest.approx(pairs.sum() / (ordered.sum() * (1 - ordered).sum()), abs=1e-3)


def test_without_a_calibration_there_is_no_estimate() -> None:
    estimate = estimated(None, np.full(1000, 0.5))
    assert codes(estimate) == {"no_calibration"}
    assert estimate.metrics == {}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"rows": 999}, "few_calibration_rows"),
        ({"rarer_class": 99}, "few_calibration_rows"),
        ({"error_high": 0.031}, "miscalibrated"),
    ],
)
def test_a_poor_calibration_is_refused(calibration: Calibration, changes: dict[str, float], code: str) -> None:
    estimate = estimated(calibration.model_copy(update=changes), drawn(1000, seed=6)[1])
    assert codes(estimate) == {code}
    assert estimate.metrics == {}


def test_few_rows_are_refused(calibration: Calibration) -> None:
    assert codes(estimated(calibration, drawn(299, seed=6)[1])) == {"few_rows"}
    assert codes(estimated(calibration, np.array([]))) == {"few_rows"}


def test_few_expected_rows_of_the_rarer_class_are_refused(calibration: Calibration) -> None:
    scores = np.full(400, calibration.low)
    assert "few_of_rarer_class" in codes(estimated(calibration, scores))


def test_scores_beyond_those_of_the_calibration_are_refused(calibration: Calibration) -> None:
    scores = np.where(np.arange(1000) < 60, 0.999, drawn(1000, seed=6)[1])
    assert codes(estimated(calibration, scores)) == {"outside_range"}


def test_scores_unlike_those_of_the_calibration_are_refused(calibration: Calibration) -> None:
    assert "unlike_calibration" in codes(estimated(calibration, drawn(1000, seed=6, centre=1.5)[1]))


def test_rows_that_raised_an_alert_are_refused_with_its_words(calibration: Calibration) -> None:
    estimate = estimated(calibration, drawn(1000, seed=6)[1], alerts=("temp is missing in 40 % of the rows",))
    assert [(refusal.code, refusal.message) for refusal in estimate.refusals] == [("input_alert", "temp is missing in 40 % of the rows")]


@pytest.mark.parametrize("held", [(), (False,), (True, True), (False, True, True, False)])
def test_a_single_miss_in_three_windows_is_forgiven(calibration: Calibration, held: tuple[bool, ...]) -> None:
    assert codes(estimated(calibration, drawn(1000, seed=6)[1], held=held)) == set()


@pytest.mark.parametrize("held", [(False, False), (False, True, False), (False, False, True, True, True, True)])
def test_two_misses_in_three_windows_end_the_estimates_of_a_version(calibration: Calibration, held: tuple[bool, ...]) -> None:
    assert codes(estimated(calibration, drawn(1000, seed=6)[1], held=held)) == {"missed_truth"}


@given(st.floats(0.05, 0.95))
def test_the_estimated_accuracy_is_that_of_the_rule_in_force(threshold: float) -> None:
    calibration = fitted(10_000)
    _, scores = drawn(4000, seed=11)
    found = estimated(calibration, scores, threshold=threshold).metrics["accuracy"].value
    positive = np.interp(scores, calibration.knots, calibration.curve)
    # Rows of like scores are estimated together, so those next to the threshold may fall on the other side.
    assert found == pytest.approx(np.where(scores > threshold, positive, 1 - positive).mean(), abs=0.003)


def test_of_too_few_rows_nothing_is_claimed_about_their_columns(calibration: Calibration) -> None:
    alerts = ("fee lies in its outermost bin in 100.0% of the rows: another unit?",)
    assert codes(estimated(calibration, drawn(1000, seed=6)[1][:2], alerts=alerts)) == {"few_rows"}
