"""How far two models agree on the same rows.

It comes from counts that add up over batches.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.document import Value
from functions.shared.domain.drift.baseline import Baseline
from functions.shared.domain.drift.binning import number_codes
from functions.shared.domain.errors import InputError

# Probabilities of a class that is a model's first choice lie high: the bins are finer there.
TOP_CLASS_EDGES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


class Agreement(Value):
    """How two models scored the same rows.

    It is joint counts over score bins, the champion's bin first.

    `counts[i][j]` rows had the champion's score in bin i and the challenger's in bin j of the *champion's* score bins;
    `difference_sum` is the sum of challenger's score minus champion's, `difference_squares` that of its squares. All
    add up over batches.
    """

    rows: int = 0
    counts: tuple[tuple[int, ...], ...] = ()
    difference_sum: float = 0.0
    difference_squares: float = 0.0


def compare_scores(baseline: Baseline, champion: NDArray[np.float64], challenger: NDArray[np.float64]) -> Agreement:
    """Joint counts of two models' scores on the same rows, in the champion's bins.

    With one output (binary, regression) the scores are compared in the bins of the champion's baseline. With several
    (multiclass) each row gives the two probabilities of the class that the champion ranks first, in the bins of
    `TOP_CLASS_EDGES`: differences over all classes would sum to nothing, and one class's would not see the others.

    Args:
        baseline: the champion's.
        champion: shape (rows, outputs).
        challenger: shape (rows, outputs), the same rows in the same order.
    """
    if champion.shape[1] == 1:
        edges = baseline.scores[0].bins.edges
        first, second = champion[:, 0], challenger[:, 0]
    else:
        edges = TOP_CLASS_EDGES
        top = champion.argmax(axis=1)[:, np.newaxis]
        first, second = (np.take_along_axis(scores, top, axis=1)[:, 0] for scores in (champion, challenger))
    bins = len(edges) + 2
    cells = number_codes(edges, first).astype(np.intp) * bins + number_codes(edges, second)
    counts = np.bincount(cells, minlength=bins * bins).reshape(bins, bins)
    difference = second - first
    return Agreement(
        rows=len(first),
        counts=_as_tuples(counts),
        difference_sum=float(np.sum(difference)),
        difference_squares=float(np.sum(difference**2)),
    )


def merge_agreements(agreements: Iterable[Agreement]) -> Agreement:
    """Return the agreement over all rows of `agreements`.

    Without any agreements it is empty.

    Raises:
        InputError: if they were counted in bins of different champions.
    """
    counted = [agreement for agreement in agreements if agreement.rows]
    if not counted:
        return Agreement()
    if len({len(agreement.counts) for agreement in counted}) > 1:
        message = "agreements counted in different bins do not add up: merge those of one champion only"
        raise InputError(message)
    return Agreement(
        rows=sum(agreement.rows for agreement in counted),
        counts=_as_tuples(np.sum([agreement.counts for agreement in counted], axis=0)),
        difference_sum=sum(agreement.difference_sum for agreement in counted),
        difference_squares=sum(agreement.difference_squares for agreement in counted),
    )


def rank_correlation(agreement: Agreement) -> float | None:
    """Return Spearman's correlation of the two models' binned scores, -1 to 1.

    Rows of one bin share their mean rank.

    None without rows, or if all scores of one model lie in a single bin.
    """
    counts = np.array(agreement.counts, dtype=np.float64)
    if not counts.sum():
        return None
    champion = counts.sum(axis=1)
    challenger = counts.sum(axis=0)
    x, y = _centred_ranks(champion), _centred_ranks(challenger)
    spread = float(np.sum(champion * x**2) * np.sum(challenger * y**2))
    return float(x @ counts @ y / np.sqrt(spread)) if spread else None


def mean_difference(agreement: Agreement) -> float | None:
    """Mean of challenger's score minus champion's, in the score's unit.

    It is None without rows.
    """
    return agreement.difference_sum / agreement.rows if agreement.rows else None


def _centred_ranks(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mid-rank of the rows in each bin, less the mean rank of all rows."""
    below: NDArray[np.float64] = np.cumsum(counts) - counts
    return below + counts / 2 - counts.sum() / 2


def _as_tuples(counts: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row) for row in counts.tolist())
