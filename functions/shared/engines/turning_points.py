"""Find where a fitted classifier changes its prediction, to the last bit."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.spec import Feature, FeatureKind

PAIRS = 16
_PARTS = 16
_ROUNDS = 16
"""Rounds of the search. Each leaves a sixteenth of the distance, so together they resolve every bit."""

type Predict = Callable[[pa.RecordBatch], NDArray[np.intp]]


def turning_points(predict: Predict, rows: pa.RecordBatch, features: Sequence[Feature]) -> pa.RecordBatch:
    """Return rows on both sides of a change in prediction, and all rows tried.

    Between two rows with different predictions, the line along their numbers is cut repeatedly. If all predictions are equal, no
    row is returned.

    Args:
        predict: returns each row's prediction.
        rows: typed features, two or more.
        features: the model's features.
    """
    numbers = [feature.name for feature in features if feature.kind is FeatureKind.NUMBER]
    first, second = _pairs(predict(rows))
    if not numbers or not len(first):
        return rows.slice(0, 0)
    base = rows.take(pa.array(first))
    low, high = _matrix(base, numbers), _matrix(rows.take(pa.array(second)), numbers)
    before = predict(base)
    tried = []
    for _ in range(_ROUNDS):
        steps = np.linspace(0, 1, _PARTS + 1)[:, np.newaxis, np.newaxis]
        with np.errstate(all="ignore"):
            way = low * (1 - steps) + high * steps
        way[0], way[-1] = low, high
        # There is nothing between a missing value and a number: the switch comes at the end.
        way = np.where(np.isnan(way), low, way)
        tried.append(_laid(base, numbers, way))
        changed = predict(tried[-1]).reshape(len(steps), -1) != before
        changed[-1] = True
        turn = changed.argmax(axis=0).clip(1)
        pair = np.arange(len(before))
        low, high = way[turn - 1, pair], way[turn, pair]
    return pa.Table.from_batches(tried).combine_chunks().to_batches()[0]


def _pairs(predicted: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the places of neighbours with different predictions, evenly spread."""
    turns = np.flatnonzero(predicted[1:] != predicted[:-1])
    chosen = turns[np.linspace(0, len(turns) - 1, min(PAIRS, len(turns))).astype(int)] if len(turns) else turns
    return chosen, chosen + 1


def _matrix(rows: pa.RecordBatch, numbers: Sequence[str]) -> NDArray[np.float64]:
    """Return numbers of shape (rows, features); NaN for missing ones."""
    return np.stack([np.asarray(rows.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)) for name in numbers], axis=1)


def _laid(base: pa.RecordBatch, numbers: Sequence[str], way: NDArray[np.float64]) -> pa.RecordBatch:
    """Return the base's rows once per step of the way, with that step's numbers."""
    laid = base.take(pa.array(np.tile(np.arange(base.num_rows), len(way))))
    for place, name in enumerate(numbers):
        column = pa.array(way[:, :, place].ravel(), pa.float64(), from_pandas=True)
        laid = laid.set_column(laid.schema.get_field_index(name), name, column)
    return laid
