"""The share of rows predicted positive, and what the threshold in force lets expect of it."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.drift.baseline import (
    MIN_DAYS,
    Baseline,
    DayExcess,
    ThresholdDays,
    build_column_baseline,
    day_excess,
    threshold_days,
)
from functions.shared.domain.drift.detection import DriftReport, detect_drift
from functions.shared.domain.drift.positives import Positives, expected_positives
from functions.shared.domain.drift.profile import Profile
from functions.shared.domain.performance.error_curve import error_curve
from functions.shared.domain.policy import DriftPolicy
from functions.shared.domain.spec import FeatureKind
from tests.unit.shared.domain.drift.test_detection import baseline_of, profile_of

POLICY = DriftPolicy()
HELD_OUT = 4000


def version(scores: np.ndarray, truth: np.ndarray) -> Baseline:
    return baseline_of(1).model_copy(update={"error_curve": error_curve(truth, scores)})


def usual(seed: int = 0, rows: int = HELD_OUT, shift: float = 0.0) -> np.ndarray:
    """Scores of which a tenth lies above 0.5."""
    return np.clip(np.random.default_rng(seed).beta(1.5, 5, rows) + shift, 0, 1)


def judged(
    scores: np.ndarray,
    threshold: float,
    *,
    baseline: Baseline | None = None,
    policy: DriftPolicy = POLICY,
    earlier_rows: int = 0,
    days: int = 3,
) -> DriftReport:
    """Rows of which only the share predicted positive can differ, pooled with rows that another threshold decided."""
    baseline = baseline or version(usual(), np.random.default_rng(1).random(HELD_OUT) < usual())
    found = Positives(rows=scores.size, positives=int(np.count_nonzero(scores >= threshold)), threshold=threshold, days=days)
    return detect_drift(baseline, profile_of(scores.size + earlier_rows, [0.0]), policy, days=9, predicted=found)


grid = st.integers(0, 12).map(lambda number: number / 12)


@given(st.lists(st.tuples(grid, st.booleans()), min_size=1, max_size=80), st.one_of(grid, st.floats(0, 1)), st.integers(0, 50))
def test_what_is_expected_is_as_near_to_what_was_found_as_the_held_out_rows_allow(
    rows: list[tuple[float, bool]], threshold: float, positives: int
) -> None:
    scores, truth = (np.array(column) for column in zip(*rows, strict=True))
    found = Positives(rows=50, positives=positives, threshold=threshold, days=1)
    expected = expected_positives(version(scores, truth), found)
    assert expected is not None
    assert sum(expected.counts) == scores.size
    above = int(np.count_nonzero(scores >= threshold))
    as_found = scores.size * positives / 50
    # As far from what was found as what the held-out rows truly have, or nearer; never on its other side.
    assert min(above, round(as_found)) <= expected.counts[1] <= max(above, round(as_found))


def test_between_known_thresholds_the_share_is_that_of_the_held_out_rows() -> None:
    for threshold in (0.12, 0.5, 0.7):
        report = judged(usual(2, 3000), threshold)
        assert report.positive is not None
        assert report.positive.share == np.mean(usual(2, 3000) >= threshold)
        assert report.positive.expected == pytest.approx(np.mean(usual() >= threshold), abs=0.006), (
            "200 thresholds know it to half a percent"
        )


@pytest.mark.parametrize("threshold", [0.05, 0.12, 0.3, 0.5, 0.8])
def test_a_threshold_that_a_policy_changes_is_no_drift(threshold: float) -> None:
    report = judged(usual(2, 3000), threshold)
    assert not report.alert
    assert report.columns[-1].column == "prediction"


def test_a_share_that_doubles_is_drift_and_called_so_with_both_figures() -> None:
    report = judged(usual(2, 3000, shift=0.15), 0.5)
    assert [column.feature for column in report.columns if column.drifted] == ["predicted_positive"]
    assert report.alert
    assert report.positive is not None
    assert report.positive.share > 2 * report.positive.expected > 0


def test_what_is_like_training_is_hardly_ever_called_drift() -> None:
    alarms = sum(judged(usual(seed, 900), 0.5, policy=POLICY.model_copy(update={"floor": 0.0})).alert for seed in range(2, 202))
    assert alarms <= 2


def test_few_distinct_scores_are_no_drift_wherever_between_them_the_threshold_lies() -> None:
    scores, truth = np.tile([0.2, 0.7], 2000), np.tile([False, True], 2000)
    for threshold in (0.21, 0.3, 0.46, 0.69):
        assert not judged(np.tile([0.2, 0.7], 500), threshold, baseline=version(scores, truth)).alert


def test_without_a_curve_or_rows_there_is_nothing_to_expect() -> None:
    found = Positives(rows=1000, positives=400, threshold=0.5, days=3)
    report = detect_drift(baseline_of(1), profile_of(1000, [0.0]), POLICY, days=3, predicted=found)
    assert (report.positive, {column.column for column in report.columns}) == (None, {"feature", "score"})


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.99])
def test_a_rare_class_need_change_its_odds_no_more_than_a_common_one(share: float) -> None:
    """Of a million rows chance is no matter: what is left is the smallest change of the odds, exp(2 √.05) or 1.564."""
    rows = 1_000_000
    baseline = version(np.arange(rows) < share * rows, np.arange(rows) % 7 == 0)
    for factor, drifted in ((1.6, True), (1.5, False), (1 / 1.5, False), (1 / 1.6, True)):
        odds = factor * share / (1 - share)
        scores = (np.arange(rows) < rows * odds / (1 + odds)).astype(float)
        assert judged(scores, 0.5, baseline=baseline).alert == drifted, factor


def test_too_few_rows_of_the_threshold_in_force_are_shown_and_not_judged() -> None:
    scores = usual(2, POLICY.min_rows - 1, shift=0.5)
    report = judged(scores, 0.5, earlier_rows=3000)
    share = report.columns[-1]
    assert (report.alert, report.too_few) == (False, False)
    assert (share.column, share.p_value, share.threshold, share.drifted) == ("prediction", None, None, False)
    assert all(column.p_value is not None for column in report.columns[:-1]), "features and scores are judged over all rows"
    assert report.positive is not None
    assert report.positive.share == np.mean(scores >= 0.5)
    assert judged(usual(2, POLICY.min_rows, shift=0.5), 0.5, earlier_rows=3000).alert


def test_the_share_of_an_earlier_version_is_judged_by_the_days_of_its_score_and_of_its_own_rows() -> None:
    """Single days differ by more than this change, runs of seven do not."""
    plain = version(usual(), np.random.default_rng(1).random(HELD_OUT) < usual())
    excess = (DayExcess(days=1, mean=0.2, variance=0.04), DayExcess(days=7, mean=0.0, variance=1e-9))
    baseline = plain.model_copy(update={"scores": (plain.scores[0].model_copy(update={"excess": excess}),)})
    alarms = [judged(usual(2, 3000, shift=0.15), 0.5, baseline=baseline, days=days).alert for days in (1, 6, 7)]
    assert alarms == [False, False, True]


STILL, LIVELY = DayExcess(days=1, mean=0.0, variance=1e-9), DayExcess(days=1, mean=0.2, variance=0.04)


def with_days(of_score: DayExcess, **by_threshold: DayExcess) -> Baseline:
    """A version of which is known how days differ in the score, and in the share above some thresholds: `_3` is 0.3."""
    plain = version(usual(), np.random.default_rng(1).random(HELD_OUT) < usual())
    known = tuple(ThresholdDays(threshold=float(f"0.{name[1:]}"), excess=(excess,)) for name, excess in by_threshold.items())
    scores = (plain.scores[0].model_copy(update={"excess": (of_score,)}),)
    return plain.model_copy(update={"scores": scores, "threshold_days": known})


@pytest.mark.parametrize(
    ("baseline", "called"),
    [
        (with_days(LIVELY, _5=STILL), True),
        (with_days(STILL, _5=LIVELY), False),
        (with_days(STILL, _1=LIVELY, _4=STILL, _6=STILL, _9=LIVELY), True),
        (with_days(STILL, _1=STILL, _4=LIVELY, _6=STILL, _9=STILL), False),
        (with_days(STILL, _1=STILL, _4=STILL, _6=LIVELY, _9=STILL), False),
        (with_days(STILL, _1=STILL, _4=LIVELY), False),
        (with_days(STILL, _6=LIVELY, _9=STILL), False),
    ],
)
def test_the_share_is_judged_by_how_it_moved_from_day_to_day_at_the_thresholds_next_to_the_one_in_force(
    baseline: Baseline, *, called: bool
) -> None:
    assert judged(usual(2, 3000, shift=0.15), 0.5, baseline=baseline).alert is called


@given(st.lists(grid, min_size=10, max_size=100), st.integers(12, 16))
def test_how_days_differ_at_a_threshold_is_how_they_differ_in_the_two_answers(rows: list[float], distinct: int) -> None:
    scores, days = np.array(rows), np.datetime64("2013-01-01") + np.arange(len(rows)) % distinct
    known = threshold_days(scores, days)
    assert bool(known) == (len(set(days.tolist())) >= MIN_DAYS)
    assert [found.threshold for found in known] == sorted({found.threshold for found in known})
    for found in known:
        answers = np.array([int(score >= found.threshold) for score in scores])
        assert found.excess == day_excess(answers, days, 2)


def test_a_rare_class_whose_share_never_moved_from_day_to_day_is_found_although_the_score_moves() -> None:
    """Of a hundred rows, three of each day are positive and seventeen doubtful; how sure the others are moves with the day."""
    rng = np.random.default_rng(3)
    days, place = np.repeat(np.arange(56), 100), np.arange(5600) % 100
    moving = 1 / (4 + np.exp(rng.normal(size=5600) + 2 * np.repeat(rng.normal(size=56), 100)))
    scores = np.where(place < 3, rng.uniform(0.5, 1, 5600), np.where(place < 20, rng.uniform(0.3, 0.5, 5600), moving))
    of_score = build_column_baseline("score", FeatureKind.NUMBER, pa.array(scores), np.datetime64("2013-01-01") + days)
    curve = error_curve(scores > 0.5, scores)
    old = baseline_of(1).model_copy(update={"scores": (of_score,), "error_curve": curve})
    new = old.model_copy(update={"threshold_days": threshold_days(scores, np.datetime64("2013-01-01") + days)})
    twice = np.where(np.arange(3000) % 100 < 6, 0.9, 0.1)
    found = Positives(rows=3000, positives=int(np.count_nonzero(twice >= 0.5)), threshold=0.5, days=3)
    profile = Profile(
        rows=sum(of_score.counts),
        features={column.bins.name: column.counts for column in old.features},
        scores={"score": of_score.counts},
        score_sums={"score": 0.0},
    )
    assert [detect_drift(baseline, profile, POLICY, days=3, predicted=found).alert for baseline in (old, new)] == [False, True]
