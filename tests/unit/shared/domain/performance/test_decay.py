"""When a champion that loses more than at its training counts as decayed."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.drift.baseline import Baseline
from functions.shared.domain.performance.days import DayPerformance, GroupPerformance
from functions.shared.domain.performance.decay import detect_decay
from functions.shared.domain.policy import PerformancePolicy
from functions.shared.domain.release import Role

DAY = date(2024, 3, 1)
BASELINE = Baseline(model="m", version="1", rows=1, days=28, features=(), scores=(), loss=0.5, prevalence=0.3)
POLICY = PerformancePolicy()


def lived_day(
    offset: int, *, loss: float, rows: int = 100, version: str = "1", role: Role = Role.CHAMPION, seed: int = 0
) -> DayPerformance:
    """A day whose rows' losses spread by .3 around `loss`, and whose mean varies by .03 from day to day."""
    rng = np.random.default_rng((seed, offset))
    values = loss + rng.normal(scale=0.03) + rng.normal(scale=0.3, size=rows)
    group = GroupPerformance(
        role=role, version=version, rows=rows, loss_sum=float(values.sum()), loss_sum_squares=float(values @ values), prevalence=0.4
    )
    return DayPerformance(model="m", day=DAY + timedelta(offset), rows_predicted=rows, rows_labelled=rows, groups=(group,))


def test_a_loss_like_that_at_training_is_no_decay() -> None:
    decay = detect_decay([lived_day(offset, loss=0.5) for offset in range(28)], BASELINE, POLICY)
    assert decay.ready
    assert not decay.alert
    assert decay.excess == pytest.approx(0, abs=0.02)
    assert decay.prevalence == pytest.approx(0.4)
    assert decay.baseline_prevalence == 0.3


def test_a_loss_above_that_at_training_is_decay() -> None:
    decay = detect_decay([lived_day(offset, loss=0.6) for offset in range(14)], BASELINE, POLICY)
    assert decay.alert
    assert decay.loss == pytest.approx(0.6, abs=0.02)
    assert decay.low is not None
    assert decay.margin == pytest.approx(0.01)
    assert 0.01 < decay.low < 0.1


def test_a_bad_month_is_seen_behind_a_good_year() -> None:
    days = [lived_day(offset, loss=0.45) for offset in range(337)] + [lived_day(offset, loss=0.6) for offset in range(337, 365)]
    assert detect_decay(days, BASELINE, POLICY).alert


@given(days=st.lists(st.dates(), min_size=1, max_size=8, unique=True), look_back=st.integers(2, 10**12))
def test_a_champion_is_judged_on_any_days(days: list[date], look_back: int) -> None:
    lived = [lived_day(0, loss=0.5).model_copy(update={"day": day}) for day in days]
    decay = detect_decay(lived, BASELINE, POLICY.model_copy(update={"look_back_days": look_back}))
    assert decay.days == sum((max(days) - day).days < look_back for day in days)


def test_excess_below_the_smallest_that_counts_is_no_decay() -> None:
    days = [lived_day(offset, loss=0.505, rows=20_000) for offset in range(28)]
    assert not detect_decay(days, BASELINE, POLICY).alert


@pytest.mark.parametrize(("days", "rows"), [(6, 1000), (20, 20)])
def test_few_days_or_labels_are_not_judged(days: int, rows: int) -> None:
    decay = detect_decay([lived_day(offset, loss=3.0, rows=rows) for offset in range(days)], BASELINE, POLICY)
    assert not decay.ready
    assert not decay.alert


def test_other_versions_and_roles_do_not_count() -> None:
    days = [lived_day(offset, loss=5.0, version="2") for offset in range(20)]
    days += [lived_day(offset, loss=5.0, role=Role.CHALLENGER) for offset in range(20)]
    decay = detect_decay(days, BASELINE, POLICY)
    assert (decay.rows, decay.days, decay.loss, decay.alert) == (0, 0, None, False)


def test_a_baseline_without_a_loss_has_no_decay() -> None:
    unmeasured = BASELINE.model_copy(update={"loss": None})
    decay = detect_decay([lived_day(offset, loss=5.0) for offset in range(20)], unmeasured, POLICY)
    assert (decay.excess, decay.ready, decay.alert) == (None, False, False)


def test_the_excess_of_one_day_has_no_bound() -> None:
    decay = detect_decay([lived_day(0, loss=0.7)], BASELINE, POLICY)
    assert decay.excess == pytest.approx(0.2, abs=0.15)
    assert decay.low is None
