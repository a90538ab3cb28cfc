"""Guardrails from scores as they are counted, batch by batch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from functions.shared.domain.drift.baseline import Baseline, ColumnBaseline
from functions.shared.domain.drift.binning import Bins
from functions.shared.domain.policy import GuardrailPolicy
from functions.shared.domain.rollout.agreement import Agreement, compare_scores, merge_agreements
from functions.shared.domain.rollout.guardrails import Traffic, agreement_breaches, traffic_breaches
from functions.shared.domain.spec import FeatureKind

EDGES = tuple(np.arange(0.1, 0.95, 0.1).tolist())
BASELINE = Baseline(
    model="m",
    version="1",
    rows=100,
    days=1,
    features=(),
    scores=(ColumnBaseline(bins=Bins(name="score", kind=FeatureKind.NUMBER, edges=EDGES), counts=(0,) * 11),),
)


def scores(seed: int, rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A champion's and a similar challenger's, shape (rows, 1) each."""
    rng = np.random.default_rng(seed)
    champion = rng.beta(2, 2, (rows, 1))
    return champion, np.clip(champion + rng.normal(0, 0.05, (rows, 1)), 0, 1)


def codes(gate: Agreement, now: Agreement) -> list[str]:
    return [reason.code for reason in agreement_breaches(gate, now, GuardrailPolicy())]


@given(st.integers(0, 1000), st.integers(1, 299))
def test_squares_of_differences_add_up_over_batches(seed: int, cut: int) -> None:
    champion, challenger = scores(seed, 300)
    parts = [compare_scores(BASELINE, champion[part], challenger[part]) for part in (slice(0, cut), slice(cut, 300))]
    assert merge_agreements(parts).difference_squares == pytest.approx(float(((challenger - champion) ** 2).sum()))


@given(st.integers(0, 1000), st.integers(20, 500))
def test_the_same_challenger_on_other_rows_breaches_nothing(seed: int, rows: int) -> None:
    gate, now = compare_scores(BASELINE, *scores(seed, 2000)), compare_scores(BASELINE, *scores(seed + 5000, rows))
    assert codes(gate, now) == []


@given(st.integers(0, 1000), st.integers(50, 500))
def test_scores_in_random_order_lose_their_rank_correlation(seed: int, rows: int) -> None:
    champion, challenger = scores(seed + 5000, rows)
    shuffled = np.random.default_rng(seed).permutation(challenger)
    assert "rank_correlation" in codes(compare_scores(BASELINE, *scores(seed, 2000)), compare_scores(BASELINE, champion, shuffled))


@given(st.integers(0, 1000), st.integers(50, 500))
def test_scores_that_are_all_halved_move_the_mean_difference(seed: int, rows: int) -> None:
    champion, challenger = scores(seed + 5000, rows)
    assert "mean_difference" in codes(compare_scores(BASELINE, *scores(seed, 2000)), compare_scores(BASELINE, champion, challenger / 2))


def test_the_allowed_fall_is_the_margin_and_four_standard_errors() -> None:
    """Two bins of 50 rows: correlation c with (1 + c)/4 of the rows in each agreeing cell.

    At the gate c = 0.8, z = 1.0986, error √(1.32/99997) = 0.0036. Now 100 rows: c = 0.24 has z = 0.2448 and error
    √(1.0288/97) = 0.1030, so the fall 0.854 is below 0.5 + 4 · 0.1031 = 0.912; c = 0.16 has z = 0.1614 and error 0.1022,
    so the fall 0.937 is above 0.909.
    """
    gate = two_bins(100_000, 0.8)
    assert codes(gate, two_bins(100, 0.24)) == []
    assert codes(gate, two_bins(100, 0.16)) == ["rank_correlation"]


def two_bins(rows: int, correlation: float) -> Agreement:
    agree, differ = round(rows * (1 + correlation) / 4), round(rows * (1 - correlation) / 4)
    return Agreement(rows=rows, counts=((agree, differ), (differ, agree)))


@pytest.mark.parametrize(("batches", "predict_s", "said"), [(1, 0.2, []), (1, 0.22, ["slow"]), (3, 0.6, []), (3, 0.65, ["slow"])])
def test_what_a_new_function_or_a_busy_processor_costs_a_batch_is_not_slow(batches: int, predict_s: float, said: list[str]) -> None:
    before, now = Traffic(batches=9, rows_in=9000, predict_s=0.009), Traffic(batches=batches, rows_in=1000, predict_s=predict_s)
    assert [reason.code for reason in traffic_breaches(before, now, GuardrailPolicy())] == said
