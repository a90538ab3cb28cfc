"""A batch's loss while only some of its labels have come.

What was expected of all its rows is corrected by the labels that are there.
"""

import math
from collections.abc import Iterable

from functions.shared.domain.document import Value
from functions.shared.domain.performance.confidence import unit_margin
from functions.shared.domain.performance.days import BatchLosses, ExpectedLosses

LEAST_LABELS = 200
"""Fewer labels say little of how losses vary."""

_ALPHA = 0.05
_TIGHTEST_AT_LABELS = 500


class EarlyLoss(Value):
    """The mean loss over a batch's rows, by `labelled` of its `rows`.

    Its 95 % interval may be looked at as often as one likes.
    """

    value: float
    low: float
    high: float
    labelled: int
    rows: int


def early_loss(expected: float, rows: int, batches: Iterable[BatchLosses]) -> EarlyLoss | None:
    """Return the mean loss over all of a batch's rows, of which some are labelled.

    None below `LEAST_LABELS`.

    The truth is the mean loss θ over these N rows, and all chance is in which n of them have a label by now: it takes for
    granted that these are *like the others*, as if drawn at random. Where quick labels are of another kind, it is biased.

    Let f be the loss that the calibration expects of a row and F its mean over all N rows, which is known without labels. For any b the
    mean of (loss - b f) over labelled rows plus b F is an estimate of θ without bias; b by least squares makes its variance least. This
    is survey sampling's regression estimator (Cochran, Sampling Techniques, 1977, chapter 7), which prediction-powered inference
    found again (Angelopoulos, Duchi and Zrnic, "PPI++", arXiv 2311.01453). Whatever f is worth, the interval holds; if f is worth
    nothing, b is 0 and the interval that of the labels alone.

    Interval: for S the sum of the first n residuals, (S - nθ)/(1 - n/N) is a martingale when rows are drawn without replacement, and its
    variance is s² n/(1 - n/N). So time runs as u = n/(1 - n/N), and the bounds that hold at all times (`unit_margin`) are at
    s · unit_margin(u) from the estimate: with all labels the interval is a point.

    Args:
        expected: F.
        rows: N.
        batches: sums over the labelled rows of this batch, by event day, with what the same calibration expects of them.
    """
    found = [(batch.rows, batch.loss_sum, batch.expected) for batch in batches]
    if any(sums is None for _, _, sums in found):
        return None
    n = sum(count for count, _, _ in found)
    if not LEAST_LABELS <= n <= rows:
        return None
    loss = math.fsum(total for _, total, _ in found) / n
    sums = ExpectedLosses.added(sums for _, _, sums in found if sums)
    guess = sums.sum / n
    of_loss, of_guess = (max(0.0, squares - n * mean**2) for squares, mean in ((sums.loss_squares, loss), (sums.squares, guess)))
    together = sums.products - n * loss * guess
    slope = together / of_guess if of_guess > 0 else 0.0
    deviation = math.sqrt(max(0.0, of_loss - slope * together) / (n - 2))
    value = loss + slope * (expected - guess)
    margin = deviation * unit_margin(n / (1 - n / rows), _ALPHA / 2, tightest=_TIGHTEST_AT_LABELS) if n < rows else 0.0
    return EarlyLoss(value=value, low=value - margin, high=value + margin, labelled=n, rows=rows)
