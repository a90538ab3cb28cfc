"""Series are counted as they are made."""

from datetime import date

import numpy as np
import pytest

from functions.metric_emission.measurements import (
    Measurement,
    judged_measurements,
    label_measurements,
    performance_measurements,
)
from functions.shared.domain.decision_rule import PREDICTED_POSITIVE, above
from functions.shared.domain.drift.detection import ColumnDrift, DriftReport
from functions.shared.domain.drift.positives import PositiveShare
from functions.shared.domain.drift.profile import Profile
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.metrics import BATCH_ERRORS, BATCHES, CATALOGUE, TOP_COLUMNS, Kind, Occasion
from functions.shared.domain.performance.calibration import fit_calibration
from functions.shared.domain.performance.days import DayPerformance, GroupPerformance, Interval
from functions.shared.domain.performance.error_curve import COST
from functions.shared.domain.performance.estimate import HeldEstimate, estimate_performance, track_record
from functions.shared.domain.performance.metrics import METRICS
from functions.shared.domain.policy import EstimatePolicy
from functions.shared.domain.release import Role
from functions.shared.domain.spec import Task
from infra.cost.series import series_of_a_model, series_of_a_stack
from tests.fakes.documents import NOW, make_manifest
from tests.fakes.versions import MODEL

COLUMNS = 30


def from_batches_and_labels() -> list[Measurement]:
    """A binary model's, with costs: one batch with rows set aside for two reasons, drift of many columns, an estimate, labels of two roles."""
    columns = tuple(ColumnDrift(feature=f"x{number}", column="feature", value=0.1, jensen_shannon=0.1) for number in range(COLUMNS))
    rng = np.random.default_rng(0)
    scores = rng.uniform(size=5000)
    calibration = fit_calibration(rng.uniform(size=5000) < scores, scores, rng)
    record = track_record([HeldEstimate(value=0.5, low=0.4, high=0.6, truth=0.5)])
    estimate = estimate_performance(calibration, scores, EstimatePolicy(), rule=above(0.5), input_alerts=[], record=record, rng=rng)
    groups = tuple(
        GroupPerformance(
            role=role,
            version="1",
            rows=10,
            metrics=dict.fromkeys((*METRICS[Task.BINARY], PREDICTED_POSITIVE, COST), 0.5),
            intervals=dict.fromkeys(("log_loss", PREDICTED_POSITIVE, COST), Interval(low=0.4, high=0.6)),
            loss_sum=1,
            loss_sum_squares=1,
        )
        for role in Role
    )
    day = DayPerformance(model=MODEL, day=date(2013, 4, 1), rows_predicted=20, rows_labelled=10, groups=groups)
    profiles = {Role.CHAMPION: Profile(rows=500, positives=50)}
    manifest = make_manifest("a.csv", quarantined_by_reason={"missing_id": 1, "infinite": 2}, profiles=profiles)
    drift = DriftReport(alert=False, rows=500, too_few=False, columns=columns, positive=PositiveShare(share=0.1, expected=0.2))
    claim = BatchJudgement(batch_id=manifest.batch_id, model=MODEL, version="1", drift=drift, estimate=estimate, emitted_at=NOW)
    return [
        *judged_measurements(manifest, claim, memory_gb=1),
        *performance_measurements(day, metric="log_loss"),
        *label_measurements(MODEL, 10, 0),
    ]


def test_a_model_makes_as_many_series_as_are_counted() -> None:
    made = {(said.metric.name, *said.dimensions.values()) for said in from_batches_and_labels()}
    a_second_status_and_one_error = 2
    by_the_clock = (Occasion.TICK, Occasion.SWEEP)
    ticked = [metric for metric in CATALOGUE if metric.occasion in by_the_clock and "model" in metric.dimensions]
    assert {BATCHES.name, BATCH_ERRORS.name} <= {metric.name for metric in CATALOGUE if metric.occasion is Occasion.BATCH}
    assert series_of_a_model(COLUMNS).cloudwatch == len(made) + a_second_status_and_one_error + len(ticked)


def test_prometheus_keeps_the_buckets_of_a_histogram_apart() -> None:
    histograms = [metric for metric in CATALOGUE if metric.kind is Kind.HISTOGRAM]
    of_a_model = series_of_a_model(COLUMNS)
    # Each has its finite buckets, the infinite one, a sum and a count, where CloudWatch has one metric.
    assert of_a_model.prometheus - of_a_model.cloudwatch == sum(len(metric.buckets) + 2 for metric in histograms) > 0
    assert series_of_a_stack().prometheus == series_of_a_stack().cloudwatch


@pytest.mark.parametrize(("columns", "more"), [(TOP_COLUMNS - 1, -1), (TOP_COLUMNS + 1, 0), (5000, 0)])
def test_columns_beyond_the_largest_cost_nothing(columns: int, more: int) -> None:
    assert series_of_a_model(columns).cloudwatch - series_of_a_model(TOP_COLUMNS).cloudwatch == more


def test_a_regression_has_fewer_metrics_and_no_estimate() -> None:
    classified, regressed = (series_of_a_model(COLUMNS, task).cloudwatch for task in (Task.BINARY, Task.REGRESSION))
    # 10 metrics per role against 4 and two more bounds, four estimates with two bounds, one with its truth, three counts of them, two shares.
    assert classified - regressed == 2 * (10 - 4 + 2) + 4 + 2 + 4 + 3 + 2
