"""What a feature's drift does to the scores, from counts and mean scores by bin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from functions.shared.domain.drift.detection import ColumnDrift, DriftReport
from functions.shared.domain.drift.effect import Effect, effect_of_drift

BINS = 6
COUNTS = st.lists(st.integers(0, 1000), min_size=BINS, max_size=BINS).filter(any).map(np.array)
MEANS = st.lists(st.floats(-100, 100), min_size=BINS, max_size=BINS).map(tuple)


@given(COUNTS, COUNTS, MEANS)
def test_scores_are_carried_by_scipys_wasserstein_distance_of_the_bins_means(
    before: np.ndarray, now: np.ndarray, means: tuple[float, ...]
) -> None:
    effect = effect_of_drift(before, now, (means,), ["score"])
    assert effect is not None
    assert effect.moved == pytest.approx(wasserstein_distance(means, means, before, now), abs=1e-9)
    assert effect.shift == pytest.approx(np.average(means, weights=now) - np.average(means, weights=before), abs=1e-9)
    assert abs(effect.shift) <= effect.moved + 1e-9


def test_a_feature_that_the_model_does_not_use_moves_nothing_however_far_it_drifts() -> None:
    assert effect_of_drift(np.array([0, 100, 0]), np.array([0, 0, 50]), ((0.3, 0.3, 0.3),), ["score"]) == Effect(
        output="score", moved=0, shift=0
    )


def test_scores_that_part_in_both_directions_are_moved_though_their_mean_is_not() -> None:
    effect = effect_of_drift(np.array([0, 100, 0]), np.array([50, 0, 50]), ((0.0, 0.5, 1.0),), ["score"])
    assert effect == Effect(output="score", moved=0.5, shift=0.0)


def test_of_several_outputs_the_one_that_moves_most_is_reported() -> None:
    means = ((0.5, 0.4), (0.3, 0.5), (0.2, 0.1))
    effect = effect_of_drift(np.array([10, 0]), np.array([0, 10]), means, ["score_few", "score_many", "score_none"])
    assert effect is not None
    assert (effect.output, effect.shift) == ("score_many", pytest.approx(0.2))


def test_of_a_version_that_recorded_no_means_nothing_is_known() -> None:
    assert effect_of_drift(np.array([10, 0]), np.array([0, 10]), (), ["score"]) is None


def test_features_are_ranked_by_what_they_move_and_not_by_how_far_they_drifted() -> None:
    def column(name: str, psi: float, moved: float | None) -> ColumnDrift:
        effect = None if moved is None else Effect(output="score", moved=moved, shift=-moved)
        return ColumnDrift(feature=name, column="feature", value=psi, jensen_shannon=0.1, effect=effect)

    columns = (column("harmless", 6.2, 0.001), column("harmful", 0.3, 0.08), column("unknown", 1.0, None))
    report = DriftReport(alert=True, rows=900, too_few=False, columns=columns)
    assert [ranked.feature for ranked in report.by_effect()] == ["harmful", "harmless"]
