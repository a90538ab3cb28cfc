"""A gate that compares what wrong answers cost."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.decision import Verdict
from functions.shared.domain.gate.comparison import Holdout, judge
from functions.shared.domain.gate.cost import ComparedCosts, predicted_by_others_days
from functions.shared.domain.policy import Costs, GatePolicy, Policy
from functions.shared.domain.spec import Task
from functions.shared.domain.thresholds import sentences

POLICY = GatePolicy(metric="cost", resamples=500)
FIRST = np.datetime64("2013-01-01")
DEAR_MISSES = Costs(false_positive=1, false_negative=20)
DAYS, A_DAY = 28, 100
ROWS = np.arange(DAYS * A_DAY)
DAY = FIRST + (ROWS // A_DAY).astype("timedelta64[D]")
POSITIVE = ROWS % 5 == 0
SAME_SCORES = np.where(POSITIVE, 0.7, 0.2)[:, np.newaxis]


def holdout(champion: np.ndarray, challenger: np.ndarray, each: Costs = DEAR_MISSES) -> Holdout:
    return Holdout(Task.BINARY, DAY, POSITIVE.astype(np.int64), SAME_SCORES, SAME_SCORES, costs=ComparedCosts(champion, challenger, each))


def decided(found: Holdout, policy: GatePolicy = POLICY) -> tuple[Verdict, str, str]:
    comparison = judge(found, policy, retry=0, rng=np.random.default_rng(7))
    return comparison.verdict, comparison.reasons[0].code, comparison.reasons[0].message


def test_of_two_versions_with_the_same_loss_the_one_whose_answers_cost_less_wins_by_what_it_saves() -> None:
    champion = np.where(ROWS % 10 == 0, 20.0, 0.0)  # misses every second positive
    challenger = np.where(ROWS % 20 == 0, 20.0, np.where(ROWS % 20 == 1, 1.0, 0.0))
    comparison = judge(holdout(champion, challenger), POLICY, retry=0, rng=np.random.default_rng(7))
    # 1/10 of the rows cost 20, against 1/20 that cost 20 and 1/20 that cost 1: 2 - 1.05.
    assert comparison.difference == pytest.approx(0.95)
    assert comparison.minimum_effect == pytest.approx(0.02 * 2)
    assert (comparison.verdict, comparison.reasons[0].code) == (Verdict.PROMOTE, "better")
    assert comparison.reasons[0].message.startswith("by cost per row: gains at least 0.9")
    assert judge(replace(holdout(champion, challenger), costs=None), POLICY, retry=0, rng=np.random.default_rng(7)).difference == 0


def test_answers_that_cost_more_are_kept_out() -> None:
    nothing, some = np.zeros(ROWS.size), np.where(ROWS % 10 == 0, 20.0, 0.0)
    assert decided(holdout(some / 2, some))[:2] == (Verdict.KEEP, "no_gain")
    assert decided(holdout(nothing, some))[:2] == (Verdict.KEEP, "no_gain")


def test_few_rows_that_cost_differently_decide_nothing() -> None:
    champion = np.where(ROWS % 28 == 1, 1.0, 0.0)  # 100 false positives that the challenger does not make
    verdict, code, message = decided(holdout(champion, np.zeros(ROWS.size)))
    assert (verdict, code) == (Verdict.KEEP, "cannot_tell")
    assert message == "by cost per row: the two versions cost differently in 100 rows, at least 105 are needed"
    assert decided(holdout(champion, np.zeros(ROWS.size), Costs(false_positive=1, false_negative=1)))[0] is Verdict.PROMOTE


def test_a_slice_in_which_answers_cost_more_speaks_against_a_version_that_costs_less() -> None:
    champion = np.where(ROWS % 10 == 0, 20.0, 0.0)
    inside = ROWS % 4 == 1
    challenger = np.where(inside & (ROWS % 10 == 1), 1.0, 0.0)
    harmed = replace(holdout(champion, challenger), slices={"shop=north": inside})
    verdict, code, message = decided(harmed)
    assert (verdict, code) == (Verdict.KEEP, "veto_slice")
    assert message.startswith("by cost per row: the cost where shop=north is worse by")


def test_a_version_that_costs_the_same_seldom_wins_by_luck_where_few_more_rows_differ_than_must() -> None:
    rng, wins, tries = np.random.default_rng(3), 0, 200
    needed = ComparedCosts(np.zeros(1), np.zeros(1), DEAR_MISSES).needed
    policy = POLICY.model_copy(update={"minimum_effect": 0.0, "resamples": 300})
    for _ in range(tries):
        differs = rng.permutation(ROWS.size) < needed + 10
        misses = differs & (rng.random(ROWS.size) < 1 / 21)
        wins += decided(holdout(1.0 * (differs & ~misses), 20.0 * misses), policy)[0] is Verdict.PROMOTE
    # The chance is to be 0.05; above 0.1 that many of 200 are, with a chance of 0.002 if it is.
    assert wins <= 20


scored = st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 20)), min_size=1, max_size=60)


@given(scored, st.data())
def test_no_label_of_a_day_has_a_say_in_what_is_predicted_on_that_day(rows: list[tuple[int, bool, int]], data: st.DataObject) -> None:
    numbers, truth, scores = (np.array(column) for column in zip(*rows, strict=True))
    days, scores = FIRST + numbers.astype("timedelta64[D]"), scores / 20
    changed = data.draw(st.sampled_from(sorted(set(numbers))))
    flipped = np.where(numbers == changed, ~truth, truth)
    first, second = (predicted_by_others_days(days, labels, scores, DEAR_MISSES) for labels in (truth, flipped))
    if len(set(numbers)) > 1:
        assert np.array_equal(first[numbers == changed], second[numbers == changed])


@given(scored)
def test_each_half_of_the_days_is_decided_by_the_threshold_that_costs_least_on_the_other(rows: list[tuple[int, bool, int]]) -> None:
    numbers, truth, scores = (np.array(column) for column in zip(*rows, strict=True))
    days, scores = FIRST + numbers.astype("timedelta64[D]"), scores / 20
    predicted = predicted_by_others_days(days, truth, scores, DEAR_MISSES)
    odd = np.isin(numbers, sorted(set(numbers))[1::2])
    for mine in (odd, ~odd):
        others = ~mine if (~mine).any() else mine
        least = min(_cost(truth[others], scores[others] >= threshold) for threshold in (*np.unique(scores), 2.0))
        # A threshold between two scores of the other days may be any: the prediction must be that of one which costs least there.
        candidates = [t for t in np.linspace(-0.01, 1.01, 205) if _cost(truth[others], scores[others] >= t) == least]
        assert any(np.array_equal(predicted[mine], scores[mine] >= threshold) for threshold in candidates)


def _cost(truth: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.sum(predicted & ~truth) + 20 * np.sum(truth & ~predicted))


def test_a_gate_of_costs_needs_costs() -> None:
    with pytest.raises(ValueError, match=r"gate\.metric=cost compares what wrong answers cost: set decision.costs too") as refused:
        Policy(gate={"metric": "cost"})  # type: ignore[arg-type]
    assert sentences(refused.value)  # type: ignore[arg-type]
    assert Policy(gate={"metric": "cost"}, decision={"costs": "false_positive=1,false_negative=20"}).gate.metric == "cost"  # type: ignore[arg-type]
