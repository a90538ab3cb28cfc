"""Labelled rows of one event day into the parts of its `DayPerformance`."""

from datetime import date

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.decision_rule import PREDICTED_POSITIVE, Codes
from functions.shared.domain.performance.confidence import DaySums
from functions.shared.domain.performance.days import GroupPerformance, PairedLosses
from functions.shared.domain.performance.error_curve import COST, cost_by_row
from functions.shared.domain.performance.intervals import interval_from_zero, intervals, wilson
from functions.shared.domain.performance.losses import Scores, Truth, losses
from functions.shared.domain.performance.metrics import measure
from functions.shared.domain.policy import Costs
from functions.shared.domain.release import Role
from functions.shared.domain.spec import Task

MAX_LOG_LOSS_DIFFERENCE = 2.0

type Losses = NDArray[np.float64]


def grade_version(
    role: Role,
    version: str,
    task: Task,
    truth: Truth,
    scores: Scores,
    predicted: Codes | None,
    costs: Costs | None = None,
    ceiling: float | NDArray[np.float64] | None = None,
) -> GroupPerformance:
    """Return metrics, intervals and loss sums of one version in one role.

    Args:
        role: in which it scored.
        version: that scored.
        task: of the model.
        truth: of every labelled row of the day that it scored; shape (rows,), see `performance`.
        scores: of the same rows; shape (rows, outputs).
        predicted: for the same rows, by the rule that was in force, shape (rows,); None for a regression.
        costs: of wrong answers, with which a binary model also has `cost`, the mean per row.
        ceiling: the most that one row counts with in the sums of losses, or that of each row; metrics have none.
    """
    loss = losses(task, truth, scores, ceiling)
    metrics, bounds = measure(task, truth, scores, predicted), intervals(task, truth, scores, predicted)
    if predicted is not None and task is Task.BINARY and loss.size:
        positives = int(np.count_nonzero(predicted == 1))
        metrics[PREDICTED_POSITIVE] = positives / loss.size
        if share := wilson(positives, loss.size):
            bounds[PREDICTED_POSITIVE] = share
    if costs is not None and predicted is not None and task is Task.BINARY and loss.size:
        cost = cost_by_row(truth == 1, predicted == 1, costs)
        metrics[COST] = float(cost.mean())
        if bound := interval_from_zero(cost):
            bounds[COST] = bound
    return GroupPerformance(
        role=role,
        version=version,
        rows=loss.size,
        metrics=metrics,
        intervals=bounds,
        loss_sum=float(loss.sum()),
        loss_sum_squares=float(loss @ loss),
        prevalence=float(np.mean(truth == 1)) if task is Task.BINARY and loss.size else None,
    )


def grade_pair(day: date, task: Task, champion: tuple[str, Losses], challenger: tuple[str, Losses]) -> PairedLosses:
    """Return the paired sums of two versions on one event day.

    They are over the labelled rows that both scored.

    Args:
        day: the rows' event day.
        task: of the model.
        champion: its version, and its `losses` by the first label that came for each row, shape (rows,).
        challenger: the same, on the same rows in the same order.
    """
    difference = challenger[1] - champion[1]
    # A squared error has the target's unit, in which 2 means nothing; a log loss has none and a long tail.
    if task is not Task.REGRESSION:
        difference = np.clip(difference, -MAX_LOG_LOSS_DIFFERENCE, MAX_LOG_LOSS_DIFFERENCE)
    sums = DaySums(day=day, rows=difference.size, sum=float(difference.sum()), sum_squares=float(difference @ difference))
    return PairedLosses(champion=champion[0], challenger=challenger[0], sums=sums)
