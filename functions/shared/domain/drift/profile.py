"""Profiles: mergeable counts of a batch's features and scores.

They count in the bins that the model's baseline fixed at training.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from functions.shared.domain.decision_rule import Codes
from functions.shared.domain.document import Value
from functions.shared.domain.drift.baseline import Baseline
from functions.shared.domain.drift.binning import column_counts, number_counts
from functions.shared.domain.errors import InputError
from functions.shared.domain.spec import FeatureKind


class Profile(Value):
    """Counts of one batch, partition or day by column name.

    They are in the order of the baseline's bins.

    `positives` is how many rows are predicted to be of the positive class; None where no threshold decides, and in earlier profiles.

    Profiles of one version add up: the profile of two batches is the sum of theirs.
    """

    rows: int = 0
    features: Mapping[str, tuple[int, ...]] = Field(default_factory=dict)
    scores: Mapping[str, tuple[int, ...]] = Field(default_factory=dict)
    score_sums: Mapping[str, float] = Field(default_factory=dict)
    positives: int | None = None


def profile_batch(baseline: Baseline, batch: pa.RecordBatch, scores: NDArray[np.float64], predicted: Codes | None = None) -> Profile:
    """Count a batch's rows in the bins of its model's baseline.

    Args:
        batch: typed rows with all of the baseline's features by name; other columns are ignored.
        scores: shape (rows, outputs), in the order of `baseline.scores`.
        predicted: what a binary model predicts, shape (rows,), 1 for the positive class.
    """
    features = {
        column.bins.name: tuple(column_counts(column.bins, batch.column(column.bins.name)).tolist()) for column in baseline.features
    }
    outputs = [(column.bins, output) for column, output in zip(baseline.scores, scores.T, strict=True)]
    return Profile(
        rows=batch.num_rows,
        features=features,
        scores={bins.name: tuple(number_counts(bins.edges, output).tolist()) for bins, output in outputs},
        score_sums={bins.name: float(np.sum(output)) for bins, output in outputs},
        positives=None if predicted is None else int(np.count_nonzero(predicted)),
    )


def unseen_rows(baseline: Baseline, profile: Profile) -> dict[str, int]:
    """Return rows of a profile with a category that training lacked, by feature.

    Features whose values were all known are left out.
    """
    categories = [column.bins.name for column in baseline.features if column.bins.kind is FeatureKind.CATEGORY]
    counts = {name: profile.features[name][-1] for name in categories if name in profile.features}
    return {name: rows for name, rows in counts.items() if rows}


def merge_profiles(profiles: Iterable[Profile]) -> Profile:
    """Return the profile of all rows of `profiles`.

    Without any profiles it is empty.

    Raises:
        InputError: if they were counted in bins of different baselines.
    """
    counted = [profile for profile in profiles if profile.rows]
    positives = [profile.positives for profile in counted if profile.positives is not None]
    return Profile(
        rows=sum(profile.rows for profile in counted),
        features=_added([profile.features for profile in counted]),
        scores=_added([profile.scores for profile in counted]),
        score_sums={name: sum(profile.score_sums[name] for profile in counted) for name in _names([p.score_sums for p in counted])},
        positives=sum(positives) if counted and len(positives) == len(counted) else None,
    )


def _added(columns: list[Mapping[str, tuple[int, ...]]]) -> dict[str, tuple[int, ...]]:
    names = _names(columns)
    if any(len(column[name]) != len(columns[0][name]) for column in columns for name in names):
        message = "profiles counted in different bins do not add up: merge those of one version only"
        raise InputError(message)
    return {name: tuple(map(sum, zip(*(column[name] for column in columns), strict=True))) for name in names}


def _names(columns: list[Mapping[str, tuple[int, ...]]] | list[Mapping[str, float]]) -> tuple[str, ...]:
    names = tuple(columns[0]) if columns else ()
    if any(set(column) != set(names) for column in columns):
        message = "profiles of different columns do not add up: merge those of one version only"
        raise InputError(message)
    return names
