"""Run a fitted preprocessor on chosen values, instead of writing its rules again."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.spec import Feature, FeatureKind
from functions.shared.engines.engine import Floats
from functions.shared.engines.origins import ColumnOrigin, Line
from functions.shared.engines.slots import BooleanSlots, CategorySlots, NumberSlots, Slots

if TYPE_CHECKING:
    import pandas as pd

# Larger than any threshold of known trees, yet small enough to be scaled and squared without overflow.
EXTREME = 1e150
FAN = np.uint64(64)
"""Parts into which one search step cuts an interval: a preprocessor takes as long for one row as for a hundred."""
MAX_CELLS = 2**24
"""Values per call of a preprocessor; more would take gigabytes."""


class Probe:
    """Runs a fitted preprocessor, of one feature per column, on chosen values."""

    def __init__(self, features: Sequence[Feature], columns: Sequence[ColumnOrigin], transform: Callable[["pd.DataFrame"], Any]) -> None:
        """Take the preprocessor as `transform`, and the origins of its columns."""
        self._transform = transform
        self.features = tuple(features)
        self.columns = tuple(columns)
        self._columns_of: dict[str, list[int]] = {feature.name: [] for feature in features}
        for k, origin in enumerate(columns):
            self._columns_of[origin.feature].append(k)
        self._points = {feature.name: self._points_of(feature) for feature in features}

    def columns_of(self, feature: Feature) -> list[int]:
        """Return the positions of the columns that a feature decides."""
        return self._columns_of[feature.name]

    def values(self, chosen: Mapping[str, NDArray[Any]]) -> Floats:
        """Return the preprocessor's columns, (rows, columns), for chosen values.

        Shorter arrays are continued with their last value. Features that are not named keep a usual value.
        """
        import pandas as pd

        rows = max((len(values) for values in chosen.values()), default=1)
        frame = {}
        for feature in self.features:
            values = chosen.get(feature.name, np.array([self._usual(feature)]))
            dtype = np.dtype(object if feature.kind is FeatureKind.CATEGORY else np.float64)
            whole = np.full(rows, values[-1], dtype=dtype)
            whole[: len(values)] = values
            frame[feature.name] = pd.Series(whole, dtype=dtype)
        matrix = self._transform(pd.DataFrame(frame))
        dense: Floats = np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=np.float64)
        return dense

    def bins(self, feature: Feature, edges: Floats | None = None) -> tuple[Slots, NDArray[Any]]:
        """Return a feature's bins, one per step of its encoders, and a value inside each.

        `edges` are further steps of a number. Unseen categories and missing values have bins of their own.
        """
        if feature.kind is FeatureKind.BOOLEAN:
            return BooleanSlots(), np.array([0.0, 1.0, np.nan])
        if feature.kind is FeatureKind.CATEGORY:
            import pyarrow as pa

            texts = self._points[feature.name]
            bins = CategorySlots(pa.array(texts, pa.string()), np.arange(len(texts) + 2))
            return bins, np.array([*texts, self._unseen(feature), np.nan], dtype=object)
        steps = [edge for point in self._points[feature.name] for edge in (np.nextafter(point, -np.inf), point)]
        all_edges = np.unique(np.concatenate([np.array(steps, dtype=np.float64), np.empty(0) if edges is None else edges]))
        beyond = np.nextafter(all_edges[-1:], np.inf) if len(all_edges) else np.zeros(1)
        return NumberSlots(all_edges), np.concatenate([all_edges, beyond, [np.nan]])

    def _points_of(self, feature: Feature) -> list[Any]:
        points: set[Any] = {point for k in self.columns_of(feature) for point in self.columns[k].points}
        return sorted(points)

    def _usual(self, feature: Feature) -> object:
        points = self._points[feature.name]
        fallback: object = self._unseen(feature) if feature.kind is FeatureKind.CATEGORY else 0.0
        return points[0] if points else fallback

    def _unseen(self, feature: Feature) -> str:
        return "?" * (1 + max((len(text) for text in self._points[feature.name]), default=0))


def last_passing(probe: Probe, thresholds: Mapping[str, NDArray[np.void]], cast: type[np.floating[Any]]) -> dict[str, Floats]:
    """Find the largest float64 of each feature that still passes each threshold.

    Scaling rounds but never changes the order of two numbers, so the result is exact for any arithmetic of the preprocessor.

    Args:
        probe: the preprocessor.
        thresholds: per feature, records of a `column` and the `threshold` that its value, after the cast, must not exceed.
        cast: the precision in which the model compares.

    Returns:
        Per feature, the finite results, sorted. A threshold that all numbers pass, or none, separates nothing and has no result.
    """
    pieces: dict[str, list[Floats]] = {name: [] for name in thresholds}
    at_once = max(1, MAX_CELLS // (len(probe.features) * int(FAN + 1)))
    for start in range(0, max(map(len, thresholds.values()), default=0), at_once):
        piece = {name: pairs[start : start + at_once] for name, pairs in thresholds.items() if len(pairs) > start}
        for name, edges in _searched(probe, piece, cast).items():
            pieces[name].append(edges)
    return {name: np.unique(np.concatenate(edges)) for name, edges in pieces.items()}


def _searched(probe: Probe, thresholds: Mapping[str, NDArray[np.void]], cast: type[np.floating[Any]]) -> dict[str, Floats]:
    """Return the results of `last_passing`, unsorted."""
    passing = partial(_passing, probe, thresholds, cast)
    bounds = {name: _around(probe, pairs, cast) for name, pairs in thresholds.items()}
    passed = passing(bounds)
    for name, keys in bounds.items():
        astray = ~passed[name][:, 0] | passed[name][:, 1]
        keys[astray] = _key(np.array([-EXTREME, EXTREME]))
    passed = passing(bounds)
    separating = {name: passed[name][:, 0] & ~passed[name][:, 1] for name in thresholds}
    while any(np.any(keys[:, 1] - 1 > keys[:, 0]) for keys in bounds.values()):
        tried = {name: _spread(keys[:, 0], keys[:, 1]) for name, keys in bounds.items()}
        for name, passed_keys in passing(tried).items():
            each = np.arange(len(passed_keys))
            # The first is the lower bound itself, the last the upper one.
            last = np.maximum(passed_keys[:, :-1].sum(axis=1), 1) - 1
            bounds[name] = np.stack([tried[name][each, last], tried[name][each, last + 1]], axis=1)
    return {name: _number(bounds[name][:, 0])[separating[name]] for name in thresholds}


def _around(probe: Probe, pairs: NDArray[np.void], cast: type[np.floating[Any]]) -> NDArray[np.int64]:
    """Return keys just below and above each expected threshold, shape (pairs, 2).

    The expectation assumes exact arithmetic on the line. A value passes up to the middle between the last passing number of its
    precision and the next one.
    """
    lines = [probe.columns[column].line or Line() for column in pairs["column"].tolist()]
    center, scale = np.array([line.center for line in lines]), np.array([line.scale for line in lines])
    with np.errstate(over="ignore", invalid="ignore"):
        last = pairs["threshold"].astype(cast)
        last = np.where(last > pairs["threshold"], np.nextafter(last, cast(-np.inf)), last)
        middle = last / 2 + np.nextafter(last, cast(np.inf)).astype(np.float64) / 2
        distance = middle / scale
        slack = 4 * np.finfo(np.float64).eps * (np.abs(distance) + np.abs(center))
        near = np.stack([distance + center - slack, distance + center + slack], axis=1)
    return _key(np.clip(np.nan_to_num(near, nan=0.0), -EXTREME, EXTREME))


def _passing(
    probe: Probe, thresholds: Mapping[str, NDArray[np.void]], cast: type[np.floating[Any]], keys: Mapping[str, NDArray[np.int64]]
) -> dict[str, NDArray[np.bool_]]:
    """Return for each threshold which of its keys pass it."""
    values = probe.values({name: _number(key).ravel() for name, key in keys.items()})
    with np.errstate(over="ignore"):
        values = values.astype(cast)
    passed = {}
    for name, pairs in thresholds.items():
        columns = np.repeat(pairs["column"], keys[name].shape[1])
        passed[name] = values[np.arange(len(columns)), columns].reshape(keys[name].shape) <= pairs["threshold"][:, np.newaxis]
    return passed


def _spread(low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return evenly spaced keys from `low` to `high` inclusive: (bounds, FAN + 1)."""
    # Unsigned differences wrap to the right distance where signed ones would overflow.
    start, span = low.view(np.uint64)[:, np.newaxis], (high.view(np.uint64) - low.view(np.uint64))[:, np.newaxis]
    step = np.arange(FAN + 1, dtype=np.uint64)
    keys: NDArray[np.int64] = (start + span // FAN * step + span % FAN * step // FAN).view(np.int64)
    return keys


def _key(numbers: Floats) -> NDArray[np.int64]:
    """Return integers in the order of float64 values: neighbours differ by one."""
    bits = numbers.view(np.int64)
    return np.where(bits < 0, np.iinfo(np.int64).min - bits, bits)


def _number(keys: NDArray[np.int64]) -> Floats:
    return np.where(keys < 0, np.iinfo(np.int64).min - keys, keys).view(np.float64)


def source_origins(features: Sequence[Feature]) -> list[ColumnOrigin]:
    """Return the features themselves as columns, before any transformer."""
    return [ColumnOrigin(feature.name, Line() if feature.kind is FeatureKind.NUMBER else None) for feature in features]
