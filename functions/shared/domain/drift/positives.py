"""The share of rows that a binary model predicts positive.

It is compared with the share that the same rule gives at training.

The rule in force decides what is expected, so that a policy which changes the threshold is no drift.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from functions.shared.domain.decision_rule import PREDICTED_POSITIVE
from functions.shared.domain.document import Value
from functions.shared.domain.drift.baseline import Baseline, ColumnBaseline, DayExcess
from functions.shared.domain.drift.binning import Bins
from functions.shared.domain.drift.divergence import smoothed
from functions.shared.domain.performance.error_curve import ErrorCurve
from functions.shared.domain.spec import FeatureKind


class PositiveShare(Value):
    """The shares predicted positive, each 0 to 1.

    One is that of the rows, the other that of the version's held-out rows by the same threshold.
    """

    share: float
    expected: float


@dataclass(frozen=True, slots=True)
class Positives:
    """How many rows a threshold predicts positive, of rows on `days` event days."""

    rows: int
    positives: int
    threshold: float
    days: int

    @property
    def counts(self) -> tuple[int, int]:
        """Rows predicted negative, and positive."""
        return self.rows - self.positives, self.positives

    def shared(self, expected: ColumnBaseline) -> PositiveShare:
        """Return the share, and the share that is expected."""
        return PositiveShare(share=self.positives / self.rows, expected=expected.counts[1] / sum(expected.counts))


def expected_positives(baseline: Baseline, found: Positives) -> ColumnBaseline | None:
    """Return counts of held-out rows: predicted negative, and positive.

    They are the version's rows, predicted by the threshold.

    The curve knows the rows above each of at most 200 thresholds. Of rows between two of them, which may lie on either side, as many
    count as positive as come nearest to what was found: what is not known is no drift. None for versions without a curve.
    """
    curve = baseline.error_curve
    if curve is None or not curve.rows:
        return None
    fewest, most = _positives(curve, found.threshold)
    nearest = min(max(round(curve.rows * found.positives / found.rows), fewest), most)
    bins = Bins(name=PREDICTED_POSITIVE, kind=FeatureKind.NUMBER)
    return ColumnBaseline(bins=bins, counts=(curve.rows - nearest, nearest), excess=_day_excess(baseline, found.threshold))


def _day_excess(baseline: Baseline, threshold: float) -> tuple[DayExcess, ...]:
    """Return how much days differ in the share that a threshold predicts positive.

    Of the two nearest thresholds that the baseline knows, the days that differ more count, for each length of run. Versions that know none
    have the days of the score, which differ no less: the share follows from it.
    """
    known = baseline.threshold_days
    if not known:
        return baseline.scores[0].excess
    place = bisect_left(known, threshold, key=attrgetter("threshold"))
    near = known[max(place - 1, 0) : place + 1]
    lengths = zip(*(found.excess for found in near), strict=True)
    return tuple(max(excesses, key=attrgetter("mean", "variance")) for excesses in lengths)


def smallest_change(expected: ColumnBaseline, found: Sequence[int], floor: float) -> float:
    """Return the PSI from which on a change of the share is large enough to matter.

    That is where its odds have changed by a factor of exp(2 √floor), or by its inverse: for an even share a PSI of about `floor`. The
    PSI itself hardly counts what happens to a rare class: of a share of 2 %, three times as much is still below .05.

    Args:
        expected: rows predicted negative, and positive.
        found: the same of the rows that are judged.
        floor: as of features and scores.

    >>> from functions.shared.domain.drift.binning import Bins
    >>> def even(rows: int) -> ColumnBaseline:
    ...     return ColumnBaseline(bins=Bins(name="", kind=FeatureKind.NUMBER), counts=(rows, rows))
    >>> round(smallest_change(even(10**6), (4, 6), floor=0.05), 3)
    0.049
    """
    negative, positive = (float(share) for share in smoothed(np.array(expected.counts)))
    change = math.copysign(2 * math.sqrt(floor), found[1] * negative - found[0] * positive)
    moved = positive * math.exp(change) / (negative + positive * math.exp(change))
    return (moved - positive) * change


def _positives(curve: ErrorCurve, threshold: float) -> tuple[int, int]:
    """Return the fewest and most of the curve's rows predicted positive.

    >>> curve = ErrorCurve(rows=4, thresholds=(0.1, 0.5, 1.1), false_positives=(2, 1, 0), false_negatives=(0, 0, 2))
    >>> _positives(curve, 0.5), _positives(curve, 0.7), _positives(curve, 0.0), _positives(curve, 2.0)
    ((3, 3), (0, 3), (4, 4), (0, 0))
    """
    above = _above(curve)
    lower, upper = bisect_right(curve.thresholds, threshold) - 1, bisect_left(curve.thresholds, threshold)
    return above[min(upper, len(above) - 1)], above[max(lower, 0)]


def _above(curve: ErrorCurve) -> Sequence[int]:
    """Return how many rows reach each threshold: true and false positives."""
    positive = curve.false_negatives[-1]
    return [wrong + positive - missed for wrong, missed in zip(curve.false_positives, curve.false_negatives, strict=True)]
