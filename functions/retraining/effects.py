"""What the scores are on average in each bin of each feature: what later explains an alert."""

import warnings
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.binning import Codes, bin_codes, bin_count
from functions.shared.domain.effect import BinMeans
from functions.shared.domain.profile import Baseline, Bins, ColumnBaseline
from functions.shared.domain.spec import FeatureKind
from functions.shared.engines.engine import Engine

MOST_ROWS, FEWEST_ROWS = 256, 32
SCORED_ROWS = 200_000
"""As many scores are made in all as far as `FEWEST_ROWS` a bin allow."""
DIGITS = 6


def with_effects(baseline: Baseline, engine: Engine, learnt: pa.Table, usual: pa.Table, *, seed: int) -> Baseline:
    """The baseline with each feature's mean scores by bin.

    The same usual rows are scored with a feature's values of one bin after the other, so bins differ by nothing else. A bin
    without a training row is asked by a value that would fall into it: missing and unseen ones are what goes wrong most.

    Args:
        engine: the version's.
        learnt: training rows, whose values fill the bins.
        usual: rows that the fit did not see, of which at most `MOST_ROWS` are scored.
        seed: of the choice of rows and values.
    """
    rng = np.random.default_rng(seed)
    bins = sum(len(column.counts) for column in baseline.features)
    rows = min(usual.num_rows, max(FEWEST_ROWS, min(MOST_ROWS, SCORED_ROWS // bins)))
    chosen = usual.take(np.sort(rng.choice(usual.num_rows, rows, replace=False)))
    names = [column.bins.name for column in baseline.features]
    [background] = chosen.select(names).combine_chunks().to_batches()
    features = [_with_means(column, engine, learnt[column.bins.name], background, rng) for column in baseline.features]
    return baseline.model_copy(update={"features": tuple(features)})


def _with_means(
    column: ColumnBaseline, engine: Engine, values: pa.ChunkedArray, background: pa.RecordBatch, rng: np.random.Generator
) -> ColumnBaseline:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn's of categories that training had not
            return column.model_copy(update={"means": _bin_means(column.bins, engine, values, background, rng)})
    except ValueError:  # scikit-learn refuses what no row of this feature may hold; then nothing is known of it
        return column


def _bin_means(bins: Bins, engine: Engine, values: pa.ChunkedArray, background: pa.RecordBatch, rng: np.random.Generator) -> BinMeans:
    codes, count = bin_codes(bins, values), bin_count(bins)
    drawn = [_values_in(bins, code, codes, values, background.num_rows, rng) for code in range(count)]
    repeated = background.take(pa.array(np.tile(np.arange(background.num_rows), count)))
    asked = repeated.set_column(repeated.schema.get_field_index(bins.name), bins.name, pa.concat_arrays(drawn))
    scores = engine.score(asked).reshape(count, background.num_rows, -1)
    return tuple(tuple(_rounded(output)) for output in scores.mean(axis=1).T)


def _values_in(bins: Bins, code: int, codes: Codes, values: pa.ChunkedArray, rows: int, rng: np.random.Generator) -> pa.Array:
    """So many values of one bin: drawn from training, or one that would fall there."""
    places = np.flatnonzero(codes == code)
    if places.size:
        return values.take(pa.array(rng.choice(places, rows))).combine_chunks()
    return pa.array([_stand_in(bins, code)] * rows, values.type)


def _stand_in(bins: Bins, code: int) -> object:
    """A value of a bin that no training row lay in."""
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
