"""What a feature's drift does to the scores.

It is how far the mass that moved between the feature's bins moves what the model answers there.

Each bin's mean score is Friedman's partial dependence (Greedy function approximation, Ann. Statist. 2001), recorded at
training: the mean answer if the feature lay in this bin and all others stayed as they are. It asks the model and not the
rows, so a feature that only comes along with another one has no effect. What it cannot see is change of several features at
once: the effects of features that move together need not add up.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.document import Value
from functions.shared.domain.drift.divergence import Counts

type Floats = NDArray[np.float64]
type BinMeans = tuple[tuple[float, ...], ...]
"""Mean scores by output, then by bin."""


class Effect(Value):
    """The output that a feature's drift moves most, and by how much.

    The unit is the score's.

    `moved` is how far a score is carried on average (the 1-Wasserstein distance between the bins' means, weighted as at
    training and as now), never below 0; `shift` its direction, the change of the mean score. They differ in size where
    some scores rise and others fall.
    """

    output: str
    moved: float
    shift: float


def effect_of_drift(baseline: Counts, counts: Counts, means: BinMeans, outputs: Sequence[str]) -> Effect | None:
    """Return what the change from `baseline` to `counts` does to the scores.

    It is None where no means were recorded.

    Args:
        baseline: rows in each bin at training, shape (bins,).
        counts: rows in each bin now, shape (bins,), at least one.
        means: by output and bin, in the order of `outputs`.

    >>> effect_of_drift(np.array([0, 50, 50]), np.array([0, 25, 75]), ((0.5, 0.25, 0.75),), ["score"])
    Effect(output='score', moved=0.125, shift=0.125)
    """
    before, now = baseline / baseline.sum(), counts / counts.sum()
    found = (
        Effect(output=output, moved=_carried(before, now, np.array(by_bin)), shift=float((now - before) @ by_bin))
        for output, by_bin in zip(outputs, means, strict=False)
    )
    return max(found, key=lambda effect: effect.moved, default=None)


def _carried(before: Floats, now: Floats, means: Floats) -> float:
    """Return the Wasserstein distance of order 1 between two weightings.

    Both weigh the same values; each has shape (bins,).
    """
    order = np.argsort(means)
    apart = np.abs(np.cumsum(now[order] - before[order]))[:-1]
    return float(apart @ np.diff(means[order]))
