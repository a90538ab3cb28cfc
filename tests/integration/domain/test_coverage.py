"""Bounds and intervals hold as often as they say, in simulations of which the truth is known."""

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from functions.shared.domain.gate.bootstrap import mean_over_days
from functions.shared.domain.performance.confidence import DaySums, confidence_sequence
from functions.shared.domain.performance.intervals import intervals
from functions.shared.domain.performance.metrics import measure
from functions.shared.domain.spec import Task
from tests.unit.shared.domain.performance.test_estimate import drawn, estimated, fitted

type Floats = NDArray[np.float64]

FIRST = date(2013, 1, 1)


def test_looking_after_every_day_rarely_condemns_a_harmless_challenger() -> None:
    """120 streams without harm, 40 looks each: the share ever condemned stays near 5 %, far from a repeated test's."""
    rng = np.random.default_rng(5)
    condemned = 0
    for _ in range(120):
        days = [
            DaySums(day=FIRST + timedelta(number), rows=100, sum=float(values.sum()), sum_squares=float(values @ values))
            for number, values in enumerate(rng.normal(rng.normal(0, 0.03, 45)[:, np.newaxis], 0.25, (45, 100)))
        ]
        condemned += any(confidence_sequence(days[:seen], 0.05).low > 0 for seen in range(7, 46))
    assert condemned <= 12


def test_estimates_cover_the_truth_when_nothing_has_changed() -> None:
    covered = dict.fromkeys(("accuracy", "auc", "log_loss", "brier"), 0)
    trials = 12
    for seed in range(trials):
        positive, scores = drawn(1000, seed=1000 + seed)
        estimate = estimated(fitted(8000, seed=2000 + seed), scores)
        truth = measure(Task.BINARY, positive, scores[:, np.newaxis], (scores > 0.5).astype(np.intp))
        for name in covered:
            value = truth[name]
            assert value is not None
            covered[name] += estimate.metrics[name].low <= value <= estimate.metrics[name].high
    # With .95 each, fewer than 9 of 12 come once in two thousand times.
    assert min(covered.values()) >= 9


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(7)
    # Scores of N(1, 1) against N(0, 1), as the probability of the positive class: all true values are known.
    rows, repeats = 200, 300
    large = np.random.default_rng(8)
    truth_large = large.random(400_000) < 0.3
    score_large = posterior(large.normal(size=400_000) + truth_large)
    true = measure(Task.BINARY, truth_large, score_large[:, np.newaxis], (score_large > 0.5).astype(np.intp))
    true["auc"] = float(norm.cdf(1 / np.sqrt(2)))
    covered = dict.fromkeys(("accuracy", "precision", "recall", "f1", "auc", "log_loss", "brier"), 0)
    for _ in range(repeats):
        truth = rng.random(rows) < 0.3
        scores = posterior(rng.normal(size=rows) + truth)
        found = intervals(Task.BINARY, truth, scores[:, np.newaxis], (scores > 0.5).astype(np.intp))
        for name in covered:
            value = true[name]
            assert value is not None
            covered[name] += found[name].low <= value <= found[name].high
    # Four standard errors of a share of .95 in 300 trials are .05.
    assert {name: count / repeats for name, count in covered.items() if count / repeats < 0.90} == {}


def posterior(value: Floats) -> Floats:
    """Probability of the class whose values are N(1, 1), three in ten, against N(0, 1)."""
    odds = 0.3 / 0.7 * np.exp(value - 0.5)
    return odds / (1 + odds)


def test_bounds_hold_as_often_as_they_say_when_days_have_shocks() -> None:
    rng = np.random.default_rng(3)
    days = np.datetime64(FIRST) + np.repeat(np.arange(14), 40).astype("timedelta64[D]")
    missed = 0
    for _ in range(300):
        values = np.repeat(rng.normal(0, 0.5, 14), 40) + rng.normal(size=560)
        missed += mean_over_days(days, values, resamples=400, rng=rng).low(0.05) > 0
    assert 0.02 < missed / 300 < 0.09
