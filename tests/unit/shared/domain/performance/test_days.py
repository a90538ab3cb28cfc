"""What the labelled rows of a day say of the versions that scored them, and how days add up."""

from datetime import date, timedelta

import numpy as np
import pytest

from functions.shared.domain.performance.confidence import DaySums
from functions.shared.domain.performance.days import DayPerformance, paired_days
from functions.shared.domain.performance.grading import grade_pair, grade_version
from functions.shared.domain.performance.intervals import wilson
from functions.shared.domain.release import Role
from functions.shared.domain.spec import Task

DAY = date(2024, 3, 1)


def test_predictions_by_another_rule_are_measured_and_not_the_scores_own() -> None:
    truth, scores, by_costs = np.array([0, 1, 1, 0]), np.array([[0.1], [0.2], [0.9], [0.3]]), np.array([0, 1, 1, 1])
    group = grade_version(Role.CHAMPION, "1", Task.BINARY, truth, scores, by_costs)
    assert (group.metrics["accuracy"], group.metrics["precision"], group.metrics["recall"]) == (0.75, 2 / 3, 1.0)
    assert (group.intervals["recall"], group.intervals["precision"]) == (wilson(2, 2), wilson(2, 3))
    assert (group.metrics["predicted_positive"], group.intervals["predicted_positive"]) == (0.75, wilson(3, 4))


def test_only_days_of_a_binary_model_have_a_share_predicted_positive() -> None:
    truth, scores = np.array([0, 1, 2]), np.eye(3)
    assert "predicted_positive" not in grade_version(Role.CHAMPION, "1", Task.MULTICLASS, truth, scores, truth).metrics
    numbers = truth.astype(np.float64)
    assert "predicted_positive" not in grade_version(Role.CHAMPION, "1", Task.REGRESSION, numbers, scores[:, :1], None).metrics
    assert "predicted_positive" not in grade_version(Role.CHAMPION, "1", Task.BINARY, truth[:0], scores[:0, :1], truth[:0]).metrics


def test_a_version_is_graded_with_sums_that_add_up_over_days() -> None:
    rng = np.random.default_rng(10)
    truth, scores = rng.integers(0, 2, 30), rng.random((30, 1))
    predicted = (scores[:, 0] > 0.5).astype(np.intp)
    whole = grade_version(Role.CHAMPION, "1", Task.BINARY, truth, scores, predicted)
    cuts = (slice(0, 10), slice(10, 30))
    parts = [grade_version(Role.CHAMPION, "1", Task.BINARY, truth[part], scores[part], predicted[part]) for part in cuts]
    assert whole.loss_sum == pytest.approx(sum(part.loss_sum for part in parts))
    assert whole.loss_sum_squares == pytest.approx(sum(part.loss_sum_squares for part in parts))
    assert whole.loss_sum / 30 == pytest.approx(whole.metrics["log_loss"])
    assert whole.prevalence == pytest.approx(truth.mean())


def test_paired_sums_are_of_clipped_differences() -> None:
    pair = grade_pair(DAY, Task.BINARY, ("1", np.array([1.0, 0.0, 5.0])), ("2", np.array([1.5, 9.0, 0.0])))
    assert pair.sums == DaySums(day=DAY, rows=3, sum=0.5 + 2 - 2, sum_squares=0.25 + 4 + 4)
    assert (pair.champion, pair.challenger) == ("1", "2")


def test_squared_errors_have_a_unit_and_are_not_clipped() -> None:
    pair = grade_pair(DAY, Task.REGRESSION, ("1", np.array([1.0])), ("2", np.array([101.0])))
    assert pair.sums.sum == 100


def test_pairs_of_other_versions_are_left_out_and_days_are_in_order() -> None:
    def day(offset: int, challenger: str) -> DayPerformance:
        when = DAY + timedelta(offset)
        pair = grade_pair(when, Task.BINARY, ("1", np.array([0.1])), (challenger, np.array([0.2])))
        return DayPerformance(model="m", day=when, rows_predicted=1, rows_labelled=1, pairs=(pair,))

    found = paired_days([day(2, "2"), day(1, "3"), day(0, "2")], "1", "2")
    assert [sums.day for sums in found] == [DAY, DAY + timedelta(2)]


def test_a_day_survives_its_json() -> None:
    group = grade_version(Role.CHALLENGER, "2", Task.BINARY, np.array([0, 1]), np.array([[0.2], [0.4]]), np.array([0, 0]))
    day = DayPerformance(model="m", day=DAY, rows_predicted=3, rows_labelled=2, groups=(group,))
    assert DayPerformance.from_json(day.to_json()) == day
