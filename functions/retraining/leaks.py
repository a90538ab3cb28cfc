"""Find columns that leak the target.

Facts that are known only afterwards predict well in training, but are not available when rows are scored.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.retraining.training_set import TrainingSet
from functions.shared.domain.performance.metrics import auc
from functions.shared.domain.spec import Feature, FeatureKind, Task

GIVEN_AWAY: Final = 0.99
"""The AUC (R² for a regression) from which a single column is suspicious."""
MOST_ROWS, MOST_VALUES = 20_000, 20_000_000
FEWEST_ROWS, FEWEST_OF_A_CLASS = 50, 10
_FOLDS, _BINS, _ROWS_A_BIN = 5, 64, 10

type Floats = NDArray[np.float64]


def giveaways(rows: TrainingSet) -> dict[str, float]:
    """Return features that alone predict the target nearly perfectly, with AUC or R².

    For several classes, the AUC is the mean of each class against the rest. A feature predicts a row by the mean target of rows of
    other folds in the same bin. Numbers have up to 64 bins of equal mass, categories and booleans one bin per value, and missing
    values a bin of their own. A number may also predict directly, by order or on a straight line.
    """
    count = min(rows.rows, MOST_ROWS, max(FEWEST_ROWS, MOST_VALUES // len(rows.spec.features)))
    sample = TrainingSet(rows.spec, rows.table.take(pa.array(np.linspace(0, rows.rows - 1, count).astype(np.int64))))
    outcomes = list(_outcomes(sample)) if count >= FEWEST_ROWS else []
    if not outcomes:
        return {}
    folds = np.random.default_rng(0).permutation(count) % _FOLDS
    found = {
        feature.name: float(np.mean([_strength(sample, feature, outcome, folds) for outcome in outcomes])) for feature in rows.spec.features
    }
    return {name: value for name, value in found.items() if value >= GIVEN_AWAY}


def _outcomes(rows: TrainingSet) -> Iterator[Floats]:
    """Yield the outcomes to predict: values, or membership in a class (one of two)."""
    if rows.spec.task is Task.REGRESSION:
        values = np.asarray(rows.truth(), dtype=np.float64)
        if np.ptp(values):
            yield values
        return
    labels = rows.table[rows.spec.target].to_numpy()
    classes, counts = np.unique(labels.astype(str), return_counts=True)
    common = classes[np.minimum(counts, rows.rows - counts) >= FEWEST_OF_A_CLASS]
    for name in common[:1] if len(classes) == 2 else common:
        yield np.asarray(labels == name, dtype=np.float64)


def _strength(rows: TrainingSet, feature: Feature, outcome: Floats, folds: NDArray[np.int64]) -> float:
    """Return how well a feature alone predicts an outcome, 0 to 1."""
    values = rows.table[feature.name].combine_chunks()
    regression = rows.spec.task is Task.REGRESSION
    if feature.kind is FeatureKind.NUMBER:
        numbers = np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
        found = [_by_bin(_bins(numbers), outcome, folds)]
        if np.isfinite(numbers).all():
            found += [numbers, -numbers]
    else:
        encoded = values.cast(pa.string()).dictionary_encode()
        found = [_by_bin(np.asarray(encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False)), outcome, folds)]
    return max(_r2(outcome, prediction) if regression else auc(outcome > 0, prediction) or 0.0 for prediction in found)


def _bins(numbers: Floats) -> NDArray[np.int64]:
    """Return bins of nearly equal mass; NaN, which sorts last, has its own."""
    present = numbers[np.isfinite(numbers)]
    if not present.size:
        return np.zeros(numbers.size, np.int64)
    count = max(2, min(_BINS, present.size // _ROWS_A_BIN))
    edges = np.unique(np.quantile(present, np.arange(1, count) / count))
    return np.where(np.isnan(numbers), len(edges) + 1, np.searchsorted(edges, numbers)).astype(np.int64)


def _by_bin(bins: NDArray[np.int64], outcome: Floats, folds: NDArray[np.int64]) -> Floats:
    """Predict each row by its bin's mean outcome over the other folds.

    One extra row with the overall mean smooths small bins.
    """
    size = int(bins.max()) + 1
    predicted = np.empty(outcome.size)
    for fold in range(_FOLDS):
        inside, others = folds == fold, folds != fold
        sums = np.bincount(bins[others], weights=outcome[others], minlength=size) + outcome[others].mean()
        predicted[inside] = (sums / (np.bincount(bins[others], minlength=size) + 1))[bins[inside]]
    return predicted


def _r2(outcome: Floats, prediction: Floats) -> float:
    """Return the share of variance that a straight line through predictions explains."""
    return float(np.corrcoef(outcome, prediction)[0, 1] ** 2) if np.ptp(prediction) else 0.0
