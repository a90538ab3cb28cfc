"""Whether the newest rows can be trusted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.gate.admission import LabelProbe, as_many, probe_folds, suspect_labels, suspect_units
from functions.shared.domain.policy import GatePolicy
from functions.shared.domain.spec import Task

POLICY = GatePolicy()
FACTORS = st.floats(4, 1e6) | st.floats(1e-6, 0.25)


@given(st.integers(0, 10_000), FACTORS)
def test_a_positive_feature_in_another_unit_is_found_with_its_factor(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    suspects = suspect_units({"km": rng.lognormal(3, 0.5, 5000)}, {"km": rng.lognormal(3, 0.5, 3000) * factor})
    assert [suspect.feature for suspect in suspects] == ["km"]
    assert suspects[0].factor == pytest.approx(factor, rel=0.2)


@given(st.integers(0, 10_000), FACTORS, st.floats(-4, 4))
def test_a_signed_feature_in_another_unit_and_origin_is_found(seed: int, factor: float, origin: float) -> None:
    rng = np.random.default_rng(seed)
    suspects = suspect_units({"t": rng.normal(0, 5, 5000)}, {"t": rng.normal(0, 5, 3000) * factor + origin * factor})
    assert [suspect.feature for suspect in suspects] == ["t"]
    assert suspects[0].factor == pytest.approx(factor, rel=0.2)


@given(st.integers(0, 10_000), st.floats(0.5, 2), st.floats(-2, 2))
def test_ordinary_drift_is_not_taken_for_a_unit(seed: int, stretch: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    before = {"positive": rng.lognormal(0, 0.5, 5000), "signed": rng.normal(size=5000)}
    now = {"positive": rng.lognormal(shift / 8, 0.5, 1000) * stretch, "signed": rng.normal(shift, stretch, 1000)}
    assert suspect_units(before, now) == ()


def test_a_factor_below_three_is_not_suspected() -> None:
    values = np.linspace(1, 10, 1000)
    assert suspect_units({"x": values}, {"x": 2.9 * values}) == ()
    assert suspect_units({"x": values}, {"x": 3.1 * values})[0].factor == pytest.approx(3.1)


def test_a_real_change_moves_deciles_unequally_and_is_not_suspected() -> None:
    rng = np.random.default_rng(0)
    assert suspect_units({"x": rng.lognormal(0, 0.5, 5000)}, {"x": rng.lognormal(2, 1.5, 5000)}) == ()


def test_missing_values_do_not_count_and_too_few_rows_are_passed() -> None:
    values = np.linspace(1, 10, 1000)
    holes = np.where(np.arange(1000) % 10 < 9, np.nan, 1000 * values)
    assert [suspect.feature for suspect in suspect_units({"x": values}, {"x": holes})] == ["x"]
    assert suspect_units({"x": values}, {"x": holes[:500]}) == ()
    assert suspect_units({"x": values}, {"new": values}) == ()


@pytest.mark.parametrize("constant", [0.0, 5.0])
def test_a_feature_that_is_mostly_constant_has_no_unit(constant: float) -> None:
    before = np.where(np.arange(1000) % 20 == 0, 7.0, constant)
    assert suspect_units({"x": before}, {"x": before}) == ()


def test_counts_with_zeros_are_compared_by_a_line() -> None:
    counts = np.repeat([0.0, 0.0, 1.0, 2.0, 3.0, 8.0], 200)
    assert suspect_units({"x": counts}, {"x": 60 * counts})[0].factor == pytest.approx(60)
    assert suspect_units({"x": counts}, {"x": counts}) == ()


@pytest.mark.parametrize(
    ("task", "labels", "suspected"),
    [
        (Task.BINARY, LabelProbe(probe=0.72, at_training=0.80, champion_now_high=0.78), False),
        (Task.BINARY, LabelProbe(probe=0.55, at_training=0.80, champion_now_high=0.56), True),
        (Task.BINARY, LabelProbe(probe=0.78, at_training=0.80, champion_now_high=0.30), True),
        (Task.BINARY, LabelProbe(probe=0.78, at_training=0.80, champion_now_high=0.51), False),
        (Task.MULTICLASS, LabelProbe(probe=0.60, at_training=0.80, champion_now_high=None), True),
        (Task.REGRESSION, LabelProbe(probe=0.36, at_training=0.50, champion_now_high=0.1), False),
        (Task.REGRESSION, LabelProbe(probe=0.34, at_training=0.50, champion_now_high=0.1), True),
        (Task.BINARY, LabelProbe(probe=None, at_training=0.80, champion_now_high=None), False),
        (Task.BINARY, LabelProbe(probe=0.50, at_training=None, champion_now_high=None), False),
    ],
)
def test_labels_are_suspected_when_nothing_learns_them_or_they_look_inverted(task: Task, labels: LabelProbe, *, suspected: bool) -> None:
    reason = suspect_labels(task, labels, POLICY)
    assert (reason is not None and reason.code == "suspect_labels") is suspected


def test_suspected_labels_are_reported_with_what_was_tested_and_what_decides() -> None:
    reached = LabelProbe(probe=0.34, at_training=0.50, champion_now_high=None)
    reason = suspect_labels(Task.REGRESSION, reached, POLICY)
    assert reason is not None
    assert "models of every second week of them: they reach R² 0.340 on the other weeks. At least 0.350 is needed" in reason.message
    assert "the champion's training set reach, 0.500, less gate.label_probe_margin_r2 0.15" in reason.message
    none = suspect_labels(Task.REGRESSION, LabelProbe(0.0, 0.5, None, unlearnt="38 rows are too few"), POLICY)
    assert none is not None
    assert "none could be trained: 38 rows are too few." in none.message


@given(st.lists(st.integers(0, 60), min_size=1, max_size=50))
def test_a_week_is_never_divided_and_weeks_alternate(offsets: list[int]) -> None:
    days = np.datetime64("2013-03-30") + np.array(offsets).astype("timedelta64[D]")
    folds = probe_folds(days)
    for offset, fold in zip(offsets, folds, strict=True):
        assert fold == ((offset - min(offsets)) // 7 % 2 == 1)


@given(st.lists(st.integers(0, 60), max_size=80), st.lists(st.integers(0, 40), max_size=40), st.integers(0, 9))
def test_rows_of_another_stretch_are_as_many_and_as_new_as_they_can_be(days: list[int], wanted: list[int], seed: int) -> None:
    offered, asked = (np.datetime64("2013-01-01") + np.array(sorted(some), dtype="timedelta64[D]") for some in (days, wanted))
    chosen = as_many(offered, asked, np.random.default_rng(seed))
    assert chosen.sum() == (min(len(days), len(wanted)) if days and wanted else 0)
    if chosen.any():
        span = asked[-1] - asked[0]
        oldest_needed = offered[-min(len(wanted), len(days))]
        assert offered[chosen].min() >= min(offered[-1] - span, oldest_needed)
