"""Gather the evidence for the domain's rules on whether new rows may be used."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.retraining.measuring import measure_rows
from functions.retraining.recipe import Recipe
from functions.retraining.training_set import TrainingSet
from functions.shared.domain.decision import Reason
from functions.shared.domain.errors import TrainingError
from functions.shared.domain.gate.admission import LabelProbe, as_many, probe_folds, suspect_labels, suspect_units
from functions.shared.domain.gate.bootstrap import mean_over_days
from functions.shared.domain.gate.codes import GateCode
from functions.shared.domain.gate.harm import auc_by_row
from functions.shared.domain.policy import GatePolicy
from functions.shared.domain.spec import FeatureKind, Task

_BLIND = {"auc": 0.5, "r2": 0.0}
"""The metric's value for a model that has learnt nothing."""


def admission_reasons(
    recipe: Recipe,
    champion_scores: NDArray[np.float64],
    trained: TrainingSet,
    newest: TrainingSet,
    policy: GatePolicy,
) -> tuple[Reason, ...]:
    """Return why the newest rows must not decide anything; empty if they may.

    Args:
        recipe: how the champion was made, and so the probes are: whether labels can be learnt is asked of what did learn them.
        champion_scores: its scores of the newest rows.
        trained: the rows that it was trained on.
        newest: the holdout.
        policy: thresholds.
    """
    units = suspect_units(_numbers(trained), _numbers(newest))
    reasons = [
        Reason(code=GateCode.SUSPECT_UNITS, message=f"{unit.feature} is {unit.factor:.3g} times what it was at training: another unit?")
        for unit in units
    ]
    if labels := suspect_labels(newest.spec.task, _probe(recipe, champion_scores, trained, newest, policy), policy):
        reasons.append(labels)
    return tuple(reasons)


def _numbers(rows: TrainingSet) -> dict[str, NDArray[np.float64]]:
    return {
        feature.name: np.asarray(rows.table[feature.name].to_numpy(), dtype=np.float64)
        for feature in rows.spec.features
        if feature.kind is FeatureKind.NUMBER
    }


def _ranking_metric(task: Task) -> str:
    return "r2" if task is Task.REGRESSION else "auc"


def _probe(recipe: Recipe, scores: NDArray[np.float64], trained: TrainingSet, newest: TrainingSet, policy: GatePolicy) -> LabelProbe:
    """Test the champion's recipe on weeks of the newest rows, and of rows it learnt."""
    high = None
    rng = np.random.default_rng(newest.spec.seed)
    if newest.spec.task is Task.BINARY and len(np.unique(newest.truth())) > 1:
        ranks = auc_by_row(newest.truth() == 1, scores[:, 0])
        high = mean_over_days(newest.days, ranks, resamples=policy.resamples, rng=rng).high(policy.alpha)
    found, unlearnt = _probe_metric(recipe, newest)
    before, _ = _probe_metric(recipe, TrainingSet(trained.spec, trained.table.filter(pa.array(as_many(trained.days, newest.days, rng)))))
    return LabelProbe(probe=found, at_training=before, champion_now_high=high, unlearnt=unlearnt)


def _probe_metric(recipe: Recipe, rows: TrainingSet) -> tuple[float | None, str]:
    """Return the mean metric of models of every second week on the other weeks.

    Return None if all days are of one week.

    Weeks that teach or show nothing, since a class is absent, give that of a blind model, and the reason.
    """
    fold = probe_folds(rows.days) if rows.rows else np.zeros(0, dtype=bool)
    if not fold.any():
        return None, ""
    try:
        return float(np.mean([_learnt(recipe, rows, learnt) for learnt in (fold, ~fold)])), ""
    except TrainingError as error:
        return _BLIND[_ranking_metric(rows.spec.task)], str(error)


def _learnt(recipe: Recipe, rows: TrainingSet, learnt: NDArray[np.bool_]) -> float:
    """Return what a model of some rows reaches on the others."""
    name = _ranking_metric(rows.spec.task)
    probe = recipe.fit(TrainingSet(recipe.spec, rows.table.filter(pa.array(learnt))))
    rest = TrainingSet(probe.spec, rows.table.filter(pa.array(~learnt))).known()
    found = measure_rows(probe, rest, probe.score(rest))[name] if rest.rows else None
    return _BLIND[name] if found is None else found
