"""Profiles: mergeable counts of a batch's features and scores in the bins its model's baseline fixed at training."""

from collections.abc import Mapping

from pydantic import Field

from functions.shared.domain.document import Document, Value
from functions.shared.domain.drift.effect import BinMeans
from functions.shared.domain.performance.calibration import Calibration
from functions.shared.domain.performance.error_curve import ErrorCurve
from functions.shared.domain.spec import FeatureKind


class Bins(Value):
    """The bins of one column, fixed at training and never refitted.

    A number has `len(edges) + 2` bins: missing, then `value <= edges[0]`, …, `value > edges[-1]`.
    A category has `len(categories) + 3`: missing, each of `categories` (the commonest, at most 20), all other `known`
    ones, and the unseen. A boolean has three: missing, false, true.
    """

    name: str
    kind: FeatureKind
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    known: tuple[str, ...] = ()


class DayExcess(Value):
    """By how much runs of `days` successive days differ beyond random draws: mean and variance of PSI in excess."""

    days: int
    mean: float
    variance: float


class ColumnBaseline(Value):
    """One column at training: its bins, the training rows in each, and what real days are known to differ by.

    `excess` holds an entry for each length of run that training had enough days for, in rising order. `means` holds, by
    output and bin, the mean score if this feature lay in that bin; nothing where the version does not tell.
    """

    bins: Bins
    counts: tuple[int, ...]
    excess: tuple[DayExcess, ...] = ()
    means: BinMeans = ()


class Baseline(Document):
    """What a version's features and scores looked like at training, and how well it did on rows it had not seen.

    `out_of_time` holds the metrics on the newest rows, which the fit did not see; `loss` the mean loss there
    (log loss, or squared error for a regression) and `prevalence` the share of the positive class (binary only).
    `calibration` serves the estimate of performance before labels, `error_curve` the choice of a threshold by costs (binary only).
    """

    model: str
    version: str
    rows: int
    days: int
    features: tuple[ColumnBaseline, ...]
    scores: tuple[ColumnBaseline, ...]
    out_of_time: Mapping[str, float | None] = Field(default_factory=dict)
    loss: float | None = None
    prevalence: float | None = None
    calibration: Calibration | None = None
    error_curve: ErrorCurve | None = None


class Profile(Value):
    """Counts of one batch (or partition, or day) by column name, in the order of the baseline's bins.

    Profiles of one version add up: the profile of two batches is the sum of theirs.
    """

    rows: int = 0
    features: Mapping[str, tuple[int, ...]] = Field(default_factory=dict)
    scores: Mapping[str, tuple[int, ...]] = Field(default_factory=dict)
    score_sums: Mapping[str, float] = Field(default_factory=dict)


class Agreement(Value):
    """How two models scored the same rows: joint counts over score bins, champion's bin first.

    `counts[i][j]` rows had the champion's score in bin i and the challenger's in bin j of the *champion's* score bins;
    `difference_sum` is the sum of challenger's score minus champion's, `difference_squares` that of its squares. All
    add up over batches.
    """

    rows: int = 0
    counts: tuple[tuple[int, ...], ...] = ()
    difference_sum: float = 0.0
    difference_squares: float = 0.0
