"""Whether a challenger beats the champion."""

import math
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from functions.shared.domain.decision import Verdict
from functions.shared.domain.gate.comparison import Comparison, Holdout, judge
from functions.shared.domain.policy import GatePolicy, VetoPolicy
from functions.shared.domain.spec import Task

POLICY = GatePolicy(resamples=500)
FIRST = np.datetime64("2013-01-01")
Floats = NDArray[np.float64]


def binary_holdout(seed: int = 0, *, champion: float = 0.5, challenger: float = 1.0, days: int = 28, rows_a_day: int = 100) -> Holdout:
    """Rows whose true logit is x; each model uses its own share of it."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), rows_a_day)
    x = rng.normal(0, 1.5, day.size) + rng.normal(0, 0.3, days)[day]
    truth = (rng.random(day.size) < sigmoid(x)).astype(np.int64)
    champion_scores, challenger_scores = (sigmoid(share * x)[:, np.newaxis] for share in (champion, challenger))
    return Holdout(Task.BINARY, FIRST + day.astype("timedelta64[D]"), truth, champion_scores, challenger_scores)


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


def judged(holdout: Holdout, policy: GatePolicy = POLICY, retry: int = 0) -> Comparison:
    return judge(holdout, policy, retry=retry, rng=np.random.default_rng(7))


def codes(comparison: Comparison) -> list[str]:
    return [reason.code for reason in comparison.reasons]


def test_a_clearly_better_challenger_is_promoted() -> None:
    comparison = judged(binary_holdout(champion=0.2))
    assert comparison.verdict is Verdict.PROMOTE
    assert codes(comparison) == ["better"]


def test_the_same_model_gains_nothing() -> None:
    comparison = judged(binary_holdout(champion=1.0))
    assert (comparison.verdict, codes(comparison)) == (Verdict.KEEP, ["no_gain"])
    assert comparison.difference == comparison.ci_low == comparison.ci_high == 0.0


def test_a_worse_challenger_is_kept_out() -> None:
    assert codes(judged(binary_holdout(champion=1.0, challenger=-0.5))) == ["no_gain"]


def test_a_gain_near_the_minimum_effect_cannot_be_decided() -> None:
    comparison = judged(binary_holdout(champion=0.75, days=14, rows_a_day=72))
    assert codes(comparison) == ["cannot_tell"]
    assert comparison.verdict is Verdict.KEEP


def test_numbers_are_those_of_the_losses() -> None:
    holdout = binary_holdout()
    positive = holdout.truth == 1
    champion, challenger = (
        -np.log(np.where(positive, scores[:, 0], 1 - scores[:, 0])) for scores in (holdout.champion, holdout.challenger)
    )
    comparison = judged(holdout)
    assert comparison.difference == pytest.approx((champion - challenger).mean())
    assert comparison.minimum_effect == pytest.approx(0.02 * champion.mean())
    assert (comparison.rows, comparison.days, comparison.alpha) == (2800, 28, 0.05)


def test_one_absurd_value_of_a_regression_hides_no_better_challenger() -> None:
    rng = np.random.default_rng(3)
    day = FIRST + np.repeat(np.arange(28), 100).astype("timedelta64[D]")
    truth = rng.normal(size=day.size)
    better, worse = (truth[:, np.newaxis] + rng.normal(scale=scale, size=(day.size, 1)) for scale in (0.5, 1.0))
    slipped = np.where(np.arange(day.size) == 5, 1e6, truth)
    holdout = Holdout(Task.REGRESSION, day, slipped, worse, better, ceiling=17.0)
    assert judged(holdout).verdict is Verdict.PROMOTE
    assert judged(holdout).difference == pytest.approx(0.75, abs=0.1)
    assert judged(replace(holdout, ceiling=None)).verdict is Verdict.KEEP


@pytest.mark.parametrize(
    ("holdout", "word"),
    [
        (binary_holdout(days=13), "days"),
        (binary_holdout(rows_a_day=30), "rows in the holdout"),
        (replace(binary_holdout(), truth=np.repeat([0, 1], [2701, 99])), "commonest class"),
    ],
)
def test_too_small_a_holdout_cannot_decide_and_says_what_is_short(holdout: Holdout, word: str) -> None:
    comparison = judged(holdout)
    assert codes(comparison) == ["cannot_tell"]
    assert word in comparison.reasons[0].message


def test_no_rows_at_all_cannot_decide() -> None:
    empty = Holdout(Task.BINARY, np.array([], "datetime64[D]"), np.array([], np.int64), np.empty((0, 1)), np.empty((0, 1)))
    comparison = judged(empty)
    assert (codes(comparison), comparison.difference, comparison.rows) == (["cannot_tell"], None, 0)


def test_a_single_day_has_no_bounds() -> None:
    comparison = judged(binary_holdout(days=1))
    assert (comparison.ci_low, comparison.ci_high) == (-math.inf, math.inf)


def test_a_bound_that_is_not_known_is_not_shown_as_infinite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.shared.domain.gate.bootstrap.DayClusteredMean.low", lambda *_: -math.inf)
    [reason] = judged(binary_holdout(champion=0.2)).reasons
    assert re.fullmatch(r"gains at most 0\.\d+, which may be less than the minimum 0\.\d+", reason.message)


@given(st.integers(0, 1000), st.floats(0, 1.2), st.integers(0, 4))
def test_a_retry_is_never_easier(seed: int, share: float, retry: int) -> None:
    holdout = binary_holdout(seed, champion=share, rows_a_day=50)
    first, later = judged(holdout), judged(holdout, retry=retry)
    assert later.alpha == POLICY.alpha / 2**retry
    assert first.ci_low is not None
    assert later.ci_low is not None
    assert later.ci_low <= first.ci_low
    assert first.verdict is Verdict.PROMOTE or later.verdict is Verdict.KEEP


@given(st.integers(0, 1000), st.floats(-1, 2))
def test_the_same_rows_and_the_same_chance_give_the_same_decision(seed: int, share: float) -> None:
    assert judged(binary_holdout(seed, champion=share)) == judged(binary_holdout(seed, champion=share))


@given(st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    holdout = binary_holdout(seed)
    order = np.random.default_rng(seed).permutation(holdout.days.size)
    shuffled = Holdout(Task.BINARY, holdout.days[order], holdout.truth[order], holdout.champion[order], holdout.challenger[order])
    one, other = judged(holdout), judged(shuffled)
    assert one.verdict is other.verdict
    assert other.ci_low == pytest.approx(one.ci_low)


def test_a_slice_that_is_harmed_forbids_a_promotion() -> None:
    holdout = binary_holdout(champion=0.0, rows_a_day=200)
    harmed = np.arange(holdout.days.size) % 10 == 0
    challenger = np.where(harmed[:, np.newaxis], 1 - holdout.challenger, holdout.challenger)
    comparison = judged(replace(holdout, challenger=challenger, slices={"airport is LGA": harmed, "airport is JFK": ~harmed}))
    assert comparison.verdict is Verdict.KEEP
    assert ["LGA" in reason.message for reason in comparison.reasons if reason.code == "veto_slice"] == [True]


def test_a_harmed_slice_of_few_rows_is_not_judged() -> None:
    holdout = binary_holdout(champion=0.0, rows_a_day=200)
    harmed = np.arange(holdout.days.size) % 29 == 0
    challenger = np.where(harmed[:, np.newaxis], 1 - holdout.challenger, holdout.challenger)
    policy = POLICY.model_copy(update={"vetoes": VetoPolicy(ece=1.0)})
    assert codes(judged(replace(holdout, challenger=challenger, slices={"few": harmed}), policy)) == ["better"]


def test_a_worse_ranking_forbids_a_promotion_although_the_loss_improves() -> None:
    """The champion ranks perfectly but is far too sure; the challenger is modest and ranks at random a tenth of rows."""
    holdout = binary_holdout(rows_a_day=100)
    x = np.log(holdout.challenger / (1 - holdout.challenger))
    overconfident = sigmoid(6 * x)
    blind = np.arange(x.size) % 10 == 0
    modest = np.where(blind[:, np.newaxis], 0.5, sigmoid(x))
    comparison = judged(replace(holdout, champion=overconfident, challenger=modest))
    assert codes(comparison) == ["veto_auc"]


def test_a_worse_calibration_forbids_a_promotion_although_the_loss_improves() -> None:
    """The champion is calibrated but knows little, the challenger knows much and exaggerates."""
    holdout = binary_holdout(rows_a_day=100, champion=0.0)
    x = np.log(holdout.challenger / (1 - holdout.challenger))
    comparison = judged(replace(holdout, champion=np.full_like(x, holdout.truth.mean()), challenger=sigmoid(1.8 * x)))
    assert codes(comparison) == ["veto_ece"]


def test_a_regression_is_judged_by_squared_error_and_its_slices() -> None:
    rng = np.random.default_rng(0)
    days = FIRST + np.repeat(np.arange(28), 50).astype("timedelta64[D]")
    truth = rng.normal(size=days.size)
    champion, challenger = ((truth + rng.normal(0, sd, days.size))[:, np.newaxis] for sd in (1.0, 0.5))
    holdout = Holdout(Task.REGRESSION, days, truth, champion, challenger)
    comparison = judged(holdout)
    assert codes(comparison) == ["better"]
    assert comparison.difference == pytest.approx(float(((champion[:, 0] - truth) ** 2 - (challenger[:, 0] - truth) ** 2).mean()))
    harmed = np.arange(days.size) % 5 == 0
    swapped = np.where(harmed[:, np.newaxis], champion + 1.0, challenger)
    assert codes(judged(replace(holdout, challenger=swapped, slices={"odd": harmed}))) == ["veto_slice"]


def test_several_classes_are_judged_like_two() -> None:
    rng = np.random.default_rng(1)
    days = FIRST + np.repeat(np.arange(28), 60).astype("timedelta64[D]")
    logits = rng.normal(0, 1.5, (days.size, 3))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (rng.random((days.size, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    flat = np.full_like(probabilities, 1 / 3)
    assert codes(judged(Holdout(Task.MULTICLASS, days, truth, flat, probabilities))) == ["better"]
    assert codes(judged(Holdout(Task.MULTICLASS, days, truth, probabilities, flat))) == ["no_gain"]


def test_each_retry_is_held_to_a_surer_bound_until_none_can_be_sure_enough() -> None:
    holdout = binary_holdout(champion=0.2)
    lows = [judged(holdout, retry=retry).ci_low for retry in (4, 6, 8, 10)]
    assert all(later < earlier for earlier, later in pairwise(lows))
    comparison = judged(holdout, retry=12)
    assert (comparison.verdict, codes(comparison)) == (Verdict.KEEP, ["cannot_tell"])


def test_a_policy_may_ask_for_more_resamples_than_any_retry_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.shared.domain.gate.comparison._MOST_RESAMPLES", 1000)
    assert codes(judged(binary_holdout(champion=0.2), GatePolicy(resamples=1001))) == ["better"]
