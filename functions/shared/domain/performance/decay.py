"""Find out whether a champion has become worse since it was made.

Labels that came since decide it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from math import isfinite

from functions.shared.domain.calendar import days_before
from functions.shared.domain.document import Value
from functions.shared.domain.drift.baseline import Baseline
from functions.shared.domain.performance.confidence import DaySums, confidence_sequence
from functions.shared.domain.performance.days import DayPerformance, GroupPerformance
from functions.shared.domain.policy import PerformancePolicy
from functions.shared.domain.release import Role


class Decay(Value):
    """A champion's mean loss over the judged days.

    It is compared with the out-of-time loss at training.

    `excess` is the first less the second, in the loss's unit; `low` its one-sided lower bound; `margin` the smallest
    excess that counts. Each is None where it is unknown: without labelled rows, without a baseline's loss, or, for
    `low`, before the second day. `ready` says that days and labels suffice; `alert` that moreover `low` is above `margin`.
    The two shares of the positive class (binary only) stand next to it: where they differ, the loss may have moved though
    the model is as good as it was.
    """

    alert: bool
    ready: bool
    rows: int
    days: int
    loss: float | None = None
    baseline_loss: float | None = None
    excess: float | None = None
    low: float | None = None
    margin: float | None = None
    prevalence: float | None = None
    baseline_prevalence: float | None = None


def detect_decay(days: Sequence[DayPerformance], baseline: Baseline, policy: PerformancePolicy) -> Decay:
    """Judge the champion's loss over its last days.

    The canary's confidence sequence is used.

    One may look after every day: within one run of `policy.look_back_days` the lower bound is wrong with probability
    about `policy.alpha` at most. Older days are left out, since the mean of a good year hides a bad month.

    Args:
        days: performance by event day, in any order; only days whose labels are mature.
        baseline: the champion's; its `version` says whose rows count.
        policy: thresholds.
    """
    judged = _last_days(_champion_days(days, baseline.version), policy.look_back_days)
    rows = sum(group.rows for group in judged.values())
    decay = Decay(
        alert=False,
        ready=False,
        rows=rows,
        days=len(judged),
        loss=sum(group.loss_sum for group in judged.values()) / rows if rows else None,
        baseline_loss=baseline.loss,
        prevalence=_prevalence(judged.values()),
        baseline_prevalence=baseline.prevalence,
    )
    if baseline.loss is None or not rows:
        return decay
    bounds = confidence_sequence([_excess(day, group, baseline.loss) for day, group in judged.items()], policy.alpha)
    margin = policy.minimum_effect * baseline.loss
    ready = len(judged) >= policy.min_days and rows >= policy.min_labels
    return decay.model_copy(
        update={
            "alert": ready and bounds.low > margin,
            "ready": ready,
            "excess": bounds.estimate,
            "low": bounds.low if isfinite(bounds.low) else None,
            "margin": margin,
        }
    )


def _champion_days(days: Iterable[DayPerformance], version: str) -> dict[date, GroupPerformance]:
    return {
        day.day: group for day in days for group in day.groups if group.role is Role.CHAMPION and group.version == version and group.rows
    }


def _last_days(groups: Mapping[date, GroupPerformance], look_back_days: int) -> dict[date, GroupPerformance]:
    if not groups:
        return {}
    first = days_before(max(groups), look_back_days - 1)
    return {day: group for day, group in groups.items() if day >= first}


def _excess(day: date, group: GroupPerformance, loss: float) -> DaySums:
    """Sums of the rows' losses less `loss`, from the sums of their losses."""
    squares = group.loss_sum_squares - 2 * loss * group.loss_sum + group.rows * loss**2
    return DaySums(day=day, rows=group.rows, sum=group.loss_sum - group.rows * loss, sum_squares=max(0.0, squares))


def _prevalence(groups: Iterable[GroupPerformance]) -> float | None:
    known = [(group.prevalence, group.rows) for group in groups if group.prevalence is not None]
    rows = sum(count for _, count in known)
    return sum(share * count for share, count in known) / rows if rows else None
