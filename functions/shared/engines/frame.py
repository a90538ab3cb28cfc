"""Convert Arrow rows to data frames for pipelines, in training and in scoring."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.spec import Feature, FeatureKind

if TYPE_CHECKING:
    import pandas as pd


def to_frame(rows: pa.RecordBatch | pa.Table, features: Sequence[Feature]) -> "pd.DataFrame":
    """Return the features of `rows`, in the order of `features`, as a data frame.

    Numbers and booleans become float64 (booleans 0 and 1). Categories become `object` columns of `str`. A null becomes NaN.

    Raises:
        KeyError: if a feature is not a column of `rows`.
    """
    import pandas as pd

    columns = {feature.name: _values(rows.column(feature.name), feature.kind) for feature in features}
    index = pd.RangeIndex(rows.num_rows)
    return pd.DataFrame({name: pd.Series(values, index=index, dtype=values.dtype) for name, values in columns.items()}, index=index)


def _values(column: pa.Array | pa.ChunkedArray, kind: FeatureKind) -> NDArray[np.float64] | NDArray[np.object_]:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if kind is not FeatureKind.CATEGORY:
        floats: NDArray[np.float64] = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return floats
    encoded = array if isinstance(array, pa.DictionaryArray) else array.dictionary_encode()
    texts = np.append(encoded.dictionary.to_numpy(zero_copy_only=False), np.nan).astype(object)
    texts[encoded.dictionary.is_null().to_numpy(zero_copy_only=False).nonzero()] = np.nan
    codes = encoded.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)
    chosen: NDArray[np.object_] = texts[codes]
    return chosen
