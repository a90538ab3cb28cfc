"""Find out whether the newest rows can be trusted at all.

This comes before any comparison, since winning on corrupt rows proves nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.decision import Reason
from functions.shared.domain.gate.bootstrap import Days, Floats
from functions.shared.domain.gate.codes import GateCode
from functions.shared.domain.policy import GatePolicy
from functions.shared.domain.spec import Task

_DECILES = np.arange(0.1, 0.95, 0.1)
_MIN_ROWS = 100
_FACTOR = 3.0
_MAX_LOG_SPREAD = 0.15
_MIN_FIT = 0.99
_BLIND_AUC = 0.5


@dataclass(frozen=True, slots=True)
class SuspectUnit:
    """A feature that looks as if its unit changed.

    Today's value is about `factor` times what it would have been.
    """

    feature: str
    factor: float


def suspect_units(baseline: Mapping[str, Floats], newest: Mapping[str, Floats]) -> tuple[SuspectUnit, ...]:
    """Return numeric features whose unit seems to have changed.

    Their newest values have the baseline's distribution on another scale.

    A feature whose nine deciles are all positive: the deciles' ratios have a median beyond a factor of 3 and agree
    (standard deviation of their logarithms below 0.15). Any other: the newest deciles are the baseline's by a straight
    line (R² above 0.99) whose slope lies outside [1/3, 3]. A real change of distribution moves deciles unequally. Counts
    of few distinct values may escape: one decile that falls on the next value breaks the proportion.

    Args:
        baseline: values by feature that the champion was trained on; missing as NaN.
        newest: values by feature of the newest window. A feature with fewer than 100 values on either side is passed.
    """
    found = []
    for feature, new_values in newest.items():
        known = [values[np.isfinite(values)] for values in (baseline.get(feature, np.empty(0)), new_values)]
        if min(values.size for values in known) >= _MIN_ROWS:
            before, now = (np.quantile(values, _DECILES) for values in known)
            factor = _ratio(before, now) if min(before[0], now[0]) > 0 else _slope(before, now)
            if factor is not None and not 1 / _FACTOR <= factor <= _FACTOR:
                found.append(SuspectUnit(feature, factor))
    return tuple(found)


def _ratio(before: Floats, now: Floats) -> float | None:
    """Return the common ratio of positive deciles; None if there is none."""
    logs = np.log(now / before)
    return math.exp(np.median(logs)) if logs.std() < _MAX_LOG_SPREAD else None


def _slope(before: Floats, now: Floats) -> float | None:
    """Return the slope of the line through the deciles; None if they lie on no line."""
    if before[0] == before[-1] or now[0] == now[-1]:
        return None
    if np.corrcoef(before, now)[0, 1] ** 2 <= _MIN_FIT:
        return None
    return float(np.polyfit(before, now, 1)[0])


@dataclass(frozen=True, slots=True)
class LabelProbe:
    """How learnable the newest labels are, in AUC (R² for a regression).

    It is None where it is undefined.

    `probe`: models by the champion's recipe, trained on every second week of the newest window and measured on the others.
    `at_training`: the same for as many rows of those that the champion learnt. A model of few rows reaches less than one of
    many, so nothing else shows what the labels were worth.
    `champion_now_high`: upper confidence bound of the champion's AUC on the newest window.
    `unlearnt`: why no such model could be trained, so that `probe` is that of one which has learnt nothing.
    """

    probe: float | None
    at_training: float | None
    champion_now_high: float | None
    unlearnt: str = ""


def suspect_labels(task: Task, labels: LabelProbe, policy: GatePolicy) -> Reason | None:
    """Return why the newest labels must not be learnt from, or None if they may.

    Features that predicted the label once and now predict nothing, not even for a model that is trained and tested
    within the newest days alone, speak of wrong labels; a changed concept stays learnable. A champion that ranks the
    newest rows significantly the wrong way round speaks of inverted ones.
    """
    if task is not Task.REGRESSION and labels.champion_now_high is not None and labels.champion_now_high < _BLIND_AUC:
        message = (
            f"the champion's AUC on the newest labels is at most {labels.champion_now_high:.3f}, below that of a coin: they look inverted. "
            "Were the classes renamed or swapped?"
        )
        return Reason(code=GateCode.SUSPECT_LABELS, message=message)
    if labels.probe is None or labels.at_training is None:
        return None
    margin = policy.label_probe_margin_r2 if task is Task.REGRESSION else policy.label_probe_margin
    needed = labels.at_training - margin
    if labels.probe >= needed:
        return None
    metric, name = ("R²", "label_probe_margin_r2") if task is Task.REGRESSION else ("AUC", "label_probe_margin")
    found = f"none could be trained: {labels.unlearnt}" if labels.unlearnt else f"they reach {metric} {labels.probe:.3f} on the other weeks"
    message = (
        f"the newest labels cannot be learnt. Tested were models of every second week of them: {found}. At least {needed:.3f} is "
        f"needed: what as many rows of the champion's training set reach, {labels.at_training:.3f}, less gate.{name} {margin:g}. "
        "Look whether labels are shuffled, joined to wrong ids, or of something else"
    )
    return Reason(code=GateCode.SUSPECT_LABELS, message=message)


def as_many(days: Days, wanted: Days, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose rows of a long stretch of days that are like another stretch.

    They are as many, and of as many days if these hold enough.

    The newest days are taken, and of their rows a random part.

    Args:
        days: n event days, in order.
        wanted: m event days of the other stretch, in order.
        rng: chooses the rows.

    Returns:
        Shape (n,): m rows, or all if there are fewer.

    >>> days = np.array(["2013-01-01", "2013-01-02", "2013-01-02", "2013-01-03"], dtype="datetime64[D]")
    >>> as_many(days, days[:1], np.random.default_rng(1)).tolist(), as_many(days, days[:2], np.random.default_rng(1)).sum()
    ([False, False, False, True], np.int64(2))
    """
    if not days.size or not wanted.size:
        return np.zeros(days.shape, dtype=bool)
    since = min(days[-1] - (wanted[-1] - wanted[0]), days[-min(wanted.size, days.size)])
    possible = np.flatnonzero(days >= since)
    chosen = np.zeros(days.shape, dtype=bool)
    chosen[rng.choice(possible, min(wanted.size, possible.size), replace=False)] = True
    return chosen


def probe_folds(days: Days) -> NDArray[np.bool_]:
    """Divide rows in two by alternating weeks.

    A probe is trained on either half and tested on the other.

    Whole weeks, since neighbouring rows and days share what a model could learn of them by heart.

    Args:
        days: n event days.

    >>> probe_folds(np.array(["2013-01-01", "2013-01-07", "2013-01-08", "2013-01-15"], dtype="datetime64[D]")).tolist()
    [False, False, True, False]
    """
    weeks = (days - days.min()) // np.timedelta64(7, "D")
    return np.asarray(weeks % 2 == 1, dtype=np.bool_)
