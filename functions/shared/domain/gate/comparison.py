"""The gate: whether a challenger beats the champion on unseen rows.

It must win by enough to be worth a change.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.decision import Reason, Verdict
from functions.shared.domain.gate.bootstrap import DayClusteredMean, Days, Floats, holm, mean_over_days
from functions.shared.domain.gate.codes import GateCode
from functions.shared.domain.gate.cost import ComparedCosts
from functions.shared.domain.gate.harm import auc_by_row, brier_by_row, ece_by_row
from functions.shared.domain.performance.losses import Truth, losses
from functions.shared.domain.policy import GatePolicy
from functions.shared.domain.spec import Task
from functions.shared.foundation.counted import counted

_RESAMPLES_BEYOND, _MOST_RESAMPLES = 4, 100_000
"""Resamples that should lie beyond a bound, which otherwise is the outermost one however sure it must be; and the most drawn."""

_OF_SCORES = frozenset({GateCode.VETO_AUC, GateCode.VETO_BRIER, GateCode.VETO_ECE})
"""Reasons that are about scores, whatever is compared."""


@dataclass(frozen=True, slots=True)
class Holdout:
    """Labelled rows that both models scored.

    They are newer than every row of the challenger's training.

    `days` is each row's event day. `truth` holds class numbers (in the order of the spec's classes) or, for a
    regression, values. `champion` and `challenger` are scores of shape (rows, outputs), as engines give them. `slices`
    names parts of the rows, as masks, that must not be harmed. `ceiling` is the champion's, the most that a row's loss counts with.
    `costs` is what each row's prediction by either model cost; it is compared instead of the loss where it is given.
    """

    task: Task
    days: Days
    truth: Truth
    champion: Floats
    challenger: Floats
    slices: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    ceiling: float | None = None
    costs: ComparedCosts | None = None

    @property
    def compared(self) -> tuple[Floats, Floats]:
        """What is compared, by row: the champion's and the challenger's cost or loss."""
        if self.costs is not None:
            return self.costs.champion, self.costs.challenger
        champion, challenger = (losses(self.task, self.truth, scores, self.ceiling) for scores in (self.champion, self.challenger))
        return champion, challenger


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the gate found.

    `difference` is the champion's mean loss or cost minus the challenger's: positive is better.

    `ci_low` and `ci_high` are its one-sided bounds at `alpha` each, `minimum_effect` is in the same unit. All four are
    None without rows; the bounds are infinite with a single day.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    rows: int
    days: int
    alpha: float
    difference: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    minimum_effect: float | None = None


@dataclass(frozen=True, slots=True)
class _Harm:
    """A metric's worsening as a mean over rows, and how much of it is tolerated."""

    code: GateCode
    what: str
    days: Days
    values: Floats
    margin: float


def judge(holdout: Holdout, policy: GatePolicy, *, retry: int, rng: np.random.Generator) -> Comparison:
    """Compare challenger and champion in pairs, row by row.

    Promote if and only if the lower bound of the mean improvement exceeds the minimum effect and no veto speaks; otherwise
    a `GateCode` says why not. Several slices share one chance of a false veto, by Holm.

    Args:
        holdout: the rows.
        policy: thresholds.
        retry: how many challengers of this champion were judged on overlapping days before, 0 for none: alpha halves each
            time, so that trying again and again does not win by luck.
        rng: source of the bootstrap's resamples.
    """
    alpha = policy.alpha / 2**retry
    if not holdout.days.size:
        return Comparison(Verdict.KEEP, (Reason(code=GateCode.CANNOT_TELL, message="the holdout has no rows"),), 0, 0, alpha)
    champion, challenger = holdout.compared
    needed = math.ceil(_RESAMPLES_BEYOND / alpha)
    resamples = max(policy.resamples, min(needed, _MOST_RESAMPLES))
    gain = mean_over_days(holdout.days, champion - challenger, resamples=resamples, rng=rng)
    low, high = gain.low(alpha), gain.high(alpha)
    minimum_effect = policy.minimum_effect * float(champion.mean())
    reasons: tuple[Reason, ...]
    if shortage := _shortage(holdout, gain, policy):
        reasons = (Reason(code=GateCode.CANNOT_TELL, message=shortage),)
    elif resamples < needed:
        message = f"after {counted(retry, 'challengers')} on overlapping days another cannot be surely enough better before newer ones come"
        reasons = (Reason(code=GateCode.CANNOT_TELL, message=message),)
    elif high < minimum_effect:
        reasons = (Reason(code=GateCode.NO_GAIN, message=f"gains at most {high:.4g}, less than the minimum {minimum_effect:.4g}"),)
    elif not low > minimum_effect:
        reasons = (Reason(code=GateCode.CANNOT_TELL, message=_unsure(low, high, minimum_effect)),)
    else:
        reasons = tuple(_vetoes(holdout, champion, challenger, policy, rng))
    verdict = Verdict.KEEP if reasons else Verdict.PROMOTE
    if not reasons:
        reasons = (Reason(code=GateCode.BETTER, message=f"gains at least {low:.4g}, more than the minimum {minimum_effect:.4g}"),)
    if holdout.costs is not None:
        reasons = tuple(_of_costs(reason) for reason in reasons)
    return Comparison(verdict, reasons, gain.rows, gain.days, alpha, gain.estimate, low, high, minimum_effect)


def _unsure(low: float, high: float, minimum: float) -> str:
    """Return that a gain may be too small; few days leave its bounds unknown.

    >>> _unsure(0.1, 0.25, 0.2)
    'gains between 0.1 and 0.25, which may be less than the minimum 0.2'
    >>> _unsure(-math.inf, 0.25, 0.2), _unsure(0.1, math.inf, 0.2)
    ('gains at most 0.25, which may be less than the minimum 0.2', 'gains at least 0.1, which may be less than the minimum 0.2')
    """
    if math.isfinite(low) and math.isfinite(high):
        return f"gains between {low:.4g} and {high:.4g}, which may be less than the minimum {minimum:.4g}"
    if math.isfinite(high):
        return f"gains at most {high:.4g}, which may be less than the minimum {minimum:.4g}"
    if math.isfinite(low):
        return f"gains at least {low:.4g}, which may be less than the minimum {minimum:.4g}"
    return f"gains an unknown amount, which may be less than the minimum {minimum:.4g}"


def _of_costs(reason: Reason) -> Reason:
    """Return a reason that says that gains are of costs."""
    return reason if reason.code in _OF_SCORES else reason.model_copy(update={"message": f"by cost per row: {reason.message}"})


def _shortage(holdout: Holdout, gain: DayClusteredMean, policy: GatePolicy) -> str:
    """Return what there is too little of to judge, or nothing."""
    if gain.days < policy.min_holdout_days:
        return f"{counted(gain.days, 'days')} in the holdout, at least {policy.min_holdout_days} are needed (gate.min_holdout_days)"
    if gain.rows < policy.min_rows:
        return f"{counted(gain.rows, 'rows')} in the holdout, at least {policy.min_rows} are needed (gate.min_rows)"
    if holdout.task is not Task.REGRESSION:
        rarer = gain.rows - int(np.unique(holdout.truth, return_counts=True)[1].max())
        if rarer < policy.min_rarer_class:
            return (
                f"{counted(rarer, 'rows')} outside the commonest class, at least {policy.min_rarer_class} are needed (gate.min_rarer_class)"
            )
    if holdout.costs is not None and holdout.costs.differing < holdout.costs.needed:
        return (
            f"the two versions cost differently in {counted(holdout.costs.differing, 'rows')}, at least {holdout.costs.needed} are needed"
        )
    return ""


def _vetoes(holdout: Holdout, champion: Floats, challenger: Floats, policy: GatePolicy, rng: np.random.Generator) -> Iterator[Reason]:
    """Yield every significant harm.

    Each family of harms shares one chance of a false veto.
    """
    families = [_slice_harms(holdout, champion, challenger, policy)]
    if holdout.task is not Task.REGRESSION:
        families = [*([harm] for harm in _metric_harms(holdout, policy)), *families]
    for family in families:
        found = [mean_over_days(harm.days, harm.values, resamples=policy.resamples, rng=rng) for harm in family]
        p_values = np.array([mean.p_above(harm.margin) for mean, harm in zip(found, family, strict=True)])
        for harm, mean, significant in zip(family, found, holm(p_values, policy.alpha), strict=True):
            if significant:
                message = f"{harm.what} is worse by {mean.estimate:.4g}, significantly above the {harm.margin:.4g} allowed"
                yield Reason(code=harm.code, message=message)


def _metric_harms(holdout: Holdout, policy: GatePolicy) -> list[_Harm]:
    """Ranking, squared error and calibration of the probabilities."""
    days, truth = holdout.days, holdout.truth.astype(np.intp)
    champion, challenger = holdout.champion, holdout.challenger
    auc = _mean_auc_by_row(truth, champion) - _mean_auc_by_row(truth, challenger)
    champion_brier = brier_by_row(truth, champion)
    brier = brier_by_row(truth, challenger) - champion_brier
    ece = ece_by_row(*_calibration(truth, challenger)) - ece_by_row(*_calibration(truth, champion))
    return [
        _Harm(GateCode.VETO_AUC, "AUC", days, auc, policy.vetoes.auc),
        _Harm(GateCode.VETO_BRIER, "the Brier score", days, brier, policy.vetoes.brier * float(champion_brier.mean())),
        _Harm(GateCode.VETO_ECE, "the calibration error", days, ece, policy.vetoes.ece),
    ]


def _slice_harms(holdout: Holdout, champion: Floats, challenger: Floats, policy: GatePolicy) -> list[_Harm]:
    """Return the loss within each slice that has enough rows."""
    return [
        _Harm(
            code=GateCode.VETO_SLICE,
            what=f"the loss where {name}" if holdout.costs is None else f"the cost where {name}",
            days=holdout.days[mask],
            values=challenger[mask] - champion[mask],
            margin=policy.vetoes.slices * float(champion[mask].mean()),
        )
        for name, mask in holdout.slices.items()
        if np.count_nonzero(mask) >= policy.vetoes.min_slice_rows
    ]


def _mean_auc_by_row(truth: NDArray[np.intp], scores: Floats) -> Floats:
    """Return the AUC of one class against the rest, averaged over the classes.

    Only classes that occur count. Of two classes, the positive one is measured against the other.
    """
    if scores.shape[1] == 1:
        return auc_by_row(truth == 1, scores[:, 0])
    return np.mean([auc_by_row(truth == number, scores[:, number]) for number in np.unique(truth)], axis=0)


def _calibration(truth: NDArray[np.intp], scores: Floats) -> tuple[NDArray[np.bool_], Floats]:
    """Return the event whose probability is checked for calibration.

    Of two classes it is the positive one; of more, that the first choice is right.
    """
    if scores.shape[1] == 1:
        return truth == 1, scores[:, 0]
    return truth == scores.argmax(axis=1), scores.max(axis=1)
