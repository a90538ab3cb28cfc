"""Measure a version on labelled rows, with the predictions that it would serve."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.retraining.training_set import TrainingSet
from functions.shared.domain.decision_rule import Codes, above
from functions.shared.domain.gate.cost import predicted_by_others_days
from functions.shared.domain.performance.error_curve import COST, cost_by_row
from functions.shared.domain.performance.metrics import measure
from functions.shared.domain.policy import DecisionPolicy
from functions.shared.domain.spec import ModelSpec, Task

type Floats = NDArray[np.float64]


class Predicting(Protocol):
    """A version, released or not yet."""

    @property
    def spec(self) -> ModelSpec:
        """Return the version's spec."""
        ...

    def predict(self, rows: pa.RecordBatch, scores: Floats) -> Codes | None:
        """Return the predicted outcomes' numbers, shape (rows,); None for a regression."""
        ...


def held_out_answers(version: Predicting, rows: TrainingSet, scores: Floats, decision: DecisionPolicy) -> Codes | None:
    """Return what a challenger predicts for held-out rows.

    It predicts by the rule that the policy sets; None for a regression.

    A threshold that costs choose is chosen on other days than those it decides, since a served version's is chosen on earlier rows.
    """
    if version.spec.task is Task.BINARY and decision.threshold is not None:
        return above(decision.threshold, inclusive=True).decide(scores)
    if version.spec.task is Task.BINARY and decision.costs is not None:
        return predicted_by_others_days(rows.days, rows.truth() == 1, scores[:, 0], decision.costs).astype(np.intp)
    return predicted(version, rows, scores)


def costs_of(rows: TrainingSet, answers: Codes | None, decision: DecisionPolicy) -> Floats | None:
    """Return what a binary model's answers cost by row.

    It is None if the policy knows no costs.
    """
    if rows.spec.task is not Task.BINARY or answers is None or decision.costs is None:
        return None
    return cost_by_row(rows.truth() == 1, answers == 1, decision.costs)


def measured(rows: TrainingSet, scores: Floats, answers: Codes | None, costs: Floats | None) -> dict[str, float | None]:
    """Return the metrics of scores and answers, and the mean cost if costs are known."""
    cost = {} if costs is None or not costs.size else {COST: float(costs.mean())}
    return measure(rows.spec.task, rows.truth(), scores, answers) | cost


def measure_rows(version: Predicting, rows: TrainingSet, scores: Floats) -> Mapping[str, float | None]:
    """Return the metrics of scores, shape (rows, outputs), on labelled rows."""
    return measure(version.spec.task, rows.truth(), scores, predicted(version, rows, scores))


def predicted(version: Predicting, rows: TrainingSet, scores: Floats) -> Codes | None:
    """Return predicted outcomes by number, (rows,); None for a regression."""
    found, start = [np.empty(0, dtype=np.intp)], 0
    for batch in rows.table.to_batches():
        codes = version.predict(batch, scores[start : start + batch.num_rows])
        if codes is None:
            return None
        found.append(codes)
        start += batch.num_rows
    return np.concatenate(found)
