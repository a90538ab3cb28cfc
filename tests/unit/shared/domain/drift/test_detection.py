"""Divergences, their distribution without drift, and the verdict on drift."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.stats import false_discovery_control, gamma, norm

from functions.shared.domain.drift.baseline import Baseline, ColumnBaseline, DayExcess
from functions.shared.domain.drift.binning import Bins
from functions.shared.domain.drift.detection import detect_drift, rejection_cutoff
from functions.shared.domain.drift.divergence import jensen_shannon, psi
from functions.shared.domain.drift.nulls import Gamma, day_null, row_null
from functions.shared.domain.drift.profile import Profile
from functions.shared.domain.errors import InputError
from functions.shared.domain.policy import DriftPolicy
from functions.shared.domain.spec import FeatureKind

COUNTS = st.lists(st.integers(0, 1000), min_size=4, max_size=4).map(np.array)
POLICY = DriftPolicy()
# A standard normal in ten bins of equal mass, and none missing.
DECILES = tuple(norm.ppf(np.arange(1, 10) / 10).tolist())
BASELINE_COUNTS = (0, *[1000] * 10)


def drawn(rows: int, *, shift: float = 0.0, seed: int = 0) -> tuple[int, ...]:
    """Counts of a normal moved by `shift` standard deviations."""
    shares = np.diff(norm.cdf([-np.inf, *DECILES, np.inf], loc=shift))
    return (0, *np.random.default_rng(seed).multinomial(rows, shares).tolist())


def baseline_of(features: int, *excess: DayExcess) -> Baseline:
    def column(name: str) -> ColumnBaseline:
        bins = Bins(name=name, kind=FeatureKind.NUMBER, edges=DECILES)
        return ColumnBaseline(bins=bins, counts=BASELINE_COUNTS, excess=excess)

    return Baseline(
        model="m",
        version="1",
        rows=10_000,
        days=28,
        features=tuple(column(f"x{number}") for number in range(features)),
        scores=(column("score"),),
    )


def profile_of(rows: int, shifts: list[float], *, score_shift: float = 0.0, seed: int = 0) -> Profile:
    return Profile(
        rows=rows,
        features={f"x{number}": drawn(rows, shift=shift, seed=seed + number) for number, shift in enumerate(shifts)},
        scores={"score": drawn(rows, shift=score_shift, seed=seed + 99)},
    )


def test_psi_is_worked_out_by_hand() -> None:
    p, q = (2.5 / 8, 5.5 / 8), (4.5 / 6, 1.5 / 6)
    expected = (q[0] - p[0]) * math.log(q[0] / p[0]) + (q[1] - p[1]) * math.log(q[1] / p[1])
    assert float(psi(np.array([2, 5]), np.array([4, 1]))) == pytest.approx(expected)


@given(COUNTS, COUNTS)
def test_jensen_shannon_is_scipys_distance_of_the_smoothed_shares(first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
    assert float(jensen_shannon(first, second)) == pytest.approx(jensenshannon(first + 0.5, second + 0.5, base=2), abs=1e-6)


@given(COUNTS, COUNTS)
def test_psi_is_symmetric_and_never_below_zero(first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
    assert float(psi(first, second)) == pytest.approx(float(psi(second, first)))
    assert float(psi(first, second)) >= 0
    assert float(psi(first, first)) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(0.001, 0.5))
def test_the_cutoff_rejects_what_scipys_benjamini_hochberg_rejects(p_values: list[float], rate: float) -> None:
    adjusted = false_discovery_control(p_values)
    cutoff = rejection_cutoff(p_values, rate)
    for p_value, q_value in zip(p_values, adjusted, strict=True):
        if abs(q_value - rate) > 1e-9:
            assert (p_value <= cutoff) == (q_value <= rate)


@given(st.floats(0.001, 1), st.floats(1e-6, 0.1), st.floats(0.001, 3))
def test_the_gamma_is_scipys_of_that_mean_and_variance(mean: float, variance: float, value: float) -> None:
    reference = gamma(a=mean**2 / variance, scale=variance / mean)
    assert Gamma(mean, variance).tail(value) == pytest.approx(reference.sf(value), rel=1e-6, abs=1e-300)
    assert Gamma(mean, variance).value_at(0.01) == pytest.approx(reference.isf(0.01), rel=1e-6)


def test_without_drift_psi_has_the_mean_of_theory_and_its_tail_is_uniform() -> None:
    null = row_null(BASELINE_COUNTS[1:], 1000)
    assert null.draws.mean() == pytest.approx(9 * (1 / 1000 + 1 / 10_000), rel=0.05)
    # Drawn afresh and otherwise than the null was: a baseline and a window from one known distribution.
    rng = np.random.default_rng(5)
    baselines = rng.multinomial(10_000, [0.1] * 10, size=2000)
    windows = rng.multinomial(1000, [0.1] * 10, size=2000)
    tails = np.array([null.tail(value) for value in psi(baselines, windows)])
    for chance in (0.5, 0.1, 0.02):
        assert np.mean(tails <= chance) == pytest.approx(chance, abs=4 * math.sqrt(chance * (1 - chance) / 2000))


@given(st.floats(1e-9, 0.9))
def test_the_value_at_a_chance_has_that_chance(chance: float) -> None:
    null = row_null(BASELINE_COUNTS, 5000)
    one_draw = 1 / null.draws.size
    assert null.tail(null.value_at(chance)) == pytest.approx(chance, rel=1e-6, abs=one_draw if chance > 0.01 else 0)


def test_the_tail_falls_without_a_step_where_the_gamma_takes_over() -> None:
    null = row_null((300, 500, 200), 500)
    values = np.linspace(0, 0.2, 2000)
    tails = np.array([null.tail(value) for value in values])
    assert np.all(np.diff(tails) <= 0)
    assert np.max(-np.diff(tails)[tails[1:] < 0.02]) < 0.002


def test_equal_questions_have_equal_answers() -> None:
    first = row_null((30, 50, 20), 400)
    row_null.cache_clear()
    assert np.array_equal(first.draws, row_null((30, 50, 20), 400).draws)


def test_days_unlike_each_other_widen_the_null() -> None:
    null = day_null((50, 50), 100, DayExcess(days=3, mean=0.01, variance=0.001))
    # s = 1/100 + 1/100; mean s + e; variance 2 s² + 4 e s + v.
    assert null.mean == pytest.approx(0.03)
    assert null.variance == pytest.approx(2 * 0.02**2 + 4 * 0.01 * 0.02 + 0.001)


@pytest.mark.parametrize("rows", [300, 3000, 30_000])
def test_rows_of_the_baselines_distribution_are_no_drift(rows: int) -> None:
    report = detect_drift(baseline_of(12), profile_of(rows, [0.0] * 12, seed=rows), POLICY, days=3)
    assert not report.alert
    assert not report.too_few
    assert [column.drifted for column in report.columns] == [False] * 13


@pytest.mark.parametrize("rows", [300, 3000, 30_000])
def test_half_a_standard_deviation_in_one_of_twelve_features_is_drift(rows: int) -> None:
    report = detect_drift(baseline_of(12), profile_of(rows, [0.0] * 11 + [0.5], seed=rows), POLICY, days=3)
    assert report.alert
    assert [column.feature for column in report.columns if column.drifted] == ["x11"]


def test_scores_that_move_are_drift_of_the_score() -> None:
    report = detect_drift(baseline_of(2), profile_of(3000, [0.0, 0.0], score_shift=0.5), POLICY, days=3)
    assert [(column.feature, column.column) for column in report.columns if column.drifted] == [("score", "score")]


def test_a_difference_too_small_to_matter_is_no_drift_however_sure_it_is() -> None:
    report = detect_drift(baseline_of(1), profile_of(1_000_000, [0.1]), POLICY, days=3)
    assert report.columns[0].p_value is not None
    assert report.columns[0].p_value < 1e-6
    assert not report.alert


def test_days_that_always_differed_that_much_are_no_drift() -> None:
    profile = profile_of(3000, [0.3])
    assert detect_drift(baseline_of(1), profile, POLICY, days=3).alert
    assert not detect_drift(baseline_of(1, DayExcess(days=3, mean=0.05, variance=0.002)), profile, POLICY, days=3).alert


def test_many_days_are_held_against_long_runs_of_days_and_few_against_short_ones() -> None:
    baseline = baseline_of(1, DayExcess(days=3, mean=0.05, variance=0.002), DayExcess(days=14, mean=0.001, variance=1e-6))
    profile = profile_of(3000, [0.3])
    called = {days: detect_drift(baseline, profile, POLICY, days=days).alert for days in (1, 3, 13, 14, 60)}
    # On a single day nothing is known of how days differ.
    assert called == {1: True, 3: False, 13: False, 14: True, 60: True}


def test_too_few_rows_are_shown_and_not_judged() -> None:
    report = detect_drift(baseline_of(1), profile_of(299, [3.0]), POLICY, days=3)
    assert (report.too_few, report.alert, report.rows) == (True, False, 299)
    assert report.columns[0].value > 1
    assert report.columns[0].p_value is None
    assert report.columns[0].threshold is None


def test_no_rows_have_no_distance() -> None:
    report = detect_drift(baseline_of(1), Profile(), POLICY, days=3)
    assert (report.too_few, report.alert, report.columns) == (True, False, ())


@pytest.mark.parametrize("profile", [Profile(rows=300), Profile(rows=300, features={"x0": (300,)}, scores={"score": drawn(300)})])
def test_a_profile_of_another_version_is_refused(profile: Profile) -> None:
    with pytest.raises(InputError, match="another version"):
        detect_drift(baseline_of(1), profile, POLICY, days=3)


@given(st.lists(st.floats(0, 0.6), min_size=1, max_size=4), st.sampled_from([400, 3000]), st.booleans())
def test_a_column_has_drifted_exactly_if_it_reaches_its_threshold(shifts: list[float], rows: int, days_differ: bool) -> None:  # noqa: FBT001 - drawn
    excess = [DayExcess(days=3, mean=0.01, variance=0.0001)] if days_differ else []
    report = detect_drift(baseline_of(len(shifts), *excess), profile_of(rows, shifts), POLICY, days=3)
    for column in report.columns:
        assert column.threshold is not None
        if abs(column.value - column.threshold) > 1e-9:
            assert column.drifted == (column.value > column.threshold)
    assert report.alert == any(column.drifted for column in report.columns)
