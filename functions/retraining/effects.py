"""Compute mean scores for each bin of each feature, which later explain alerts."""

import warnings
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.drift.baseline import Baseline, ColumnBaseline
from functions.shared.domain.drift.binning import Bins, bin_codes
from functions.shared.domain.drift.effect import BinMeans
from functions.shared.domain.spec import FeatureKind
from functions.shared.engines.engine import Engine
from functions.shared.engines.native import REFUSALS

MOST_ROWS, FEWEST_ROWS = 256, 32
SCORED_ROWS = 200_000
"""Scores to compute in total, unless `FEWEST_ROWS` per bin need more."""
DIGITS = 6


def with_effects(baseline: Baseline, engine: Engine, learnt: pa.Table, usual: pa.Table, *, seed: int) -> Baseline:
    """Return the baseline with each feature's mean scores by bin.

    The same usual rows are scored with the feature's values from one bin after another, so bins differ in nothing else. A bin without
    training rows is represented by a value that falls into it, since missing and unseen values cause most trouble.

    Args:
        baseline: the baseline to complete.
        engine: the version's engine.
        learnt: training rows, whose values fill the bins.
        usual: rows that the fit did not see, of which at most `MOST_ROWS` are scored.
        seed: seed for the choice of rows and values.
    """
    rng = np.random.default_rng(seed)
    bins = sum(len(column.counts) for column in baseline.features)
    rows = min(usual.num_rows, max(FEWEST_ROWS, min(MOST_ROWS, SCORED_ROWS // bins)))
    chosen = usual.take(np.sort(rng.choice(usual.num_rows, rows, replace=False)))
    names = [column.bins.name for column in baseline.features]
    [background] = chosen.select(names).combine_chunks().to_batches()
    features = [
        column.model_copy(update={"means": _bin_means(column, engine, learnt[column.bins.name], background, rng)})
        for column in baseline.features
    ]
    return baseline.model_copy(update={"features": tuple(features)})


def _bin_means(
    column: ColumnBaseline, engine: Engine, values: pa.ChunkedArray, background: pa.RecordBatch, rng: np.random.Generator
) -> BinMeans:
    codes = bin_codes(column.bins, values)
    bins = np.arange(len(column.counts))
    seen = bins[np.array(column.counts) > 0]
    drawn = [values.take(pa.array(rng.choice(np.flatnonzero(codes == code), background.num_rows))).combine_chunks() for code in seen]
    known = _mean_scores(column.bins.name, engine, drawn, background)
    means = np.tile(np.average(known, axis=0, weights=np.array(column.counts)[seen]), (len(bins), 1))
    means[seen] = known
    for code in np.setdiff1d(bins, seen).tolist():
        stand_in = pa.array([_stand_in(column.bins, code)] * background.num_rows, values.type)
        with suppress(*REFUSALS):  # rows that the pipeline refuses are never scored: the bin keeps the usual mean
            means[code] = _mean_scores(column.bins.name, engine, [stand_in], background)[0]
    return tuple(tuple(_rounded(output)) for output in means.T)


def _mean_scores(name: str, engine: Engine, groups: Sequence[pa.Array], background: pa.RecordBatch) -> NDArray[np.float64]:
    """Return mean scores per group of a feature's values, shape (groups, outputs)."""
    repeated = background.take(pa.array(np.tile(np.arange(background.num_rows), len(groups))))
    asked = repeated.set_column(repeated.schema.get_field_index(name), name, pa.concat_arrays(groups))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns about categories unseen in training
        scores = engine.score(asked)
    return np.asarray(scores.reshape(len(groups), background.num_rows, -1).mean(axis=1))


def _stand_in(bins: Bins, code: int) -> object:
    """Return a value for a bin without training rows."""
    if code == 0:
        return None
    match bins.kind:
        case FeatureKind.NUMBER:
            return float(np.nextafter(bins.edges[code - 2], np.inf)) if code > 1 else 0.0
        case FeatureKind.CATEGORY:
            return "?" * (1 + max(map(len, (*bins.categories, *bins.known)), default=0))
        case FeatureKind.BOOLEAN:
            return code == 2


def _rounded(means: NDArray[np.float64]) -> Sequence[float]:
    return [float(f"{mean:.{DIGITS}g}") for mean in means]
