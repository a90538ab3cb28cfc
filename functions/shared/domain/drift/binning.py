"""Put columns into bins.

A column's bins are fitted on training values; then each later value has its bin.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.document import Value
from functions.shared.domain.spec import FeatureKind

NUMBER_BINS = 10
COMMONEST_CATEGORIES = 20

type Column = pa.Array | pa.ChunkedArray
type Codes = NDArray[np.uint8]


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


def bin_count(bins: Bins) -> int:
    """Number of bins of a column, the one of missing values included (see `Bins`).

    >>> bin_count(Bins(name="colour", kind=FeatureKind.CATEGORY, categories=("red", "blue")))
    5
    """
    match bins.kind:
        case FeatureKind.NUMBER:
            return len(bins.edges) + 2
        case FeatureKind.CATEGORY:
            return len(bins.categories) + 3
        case FeatureKind.BOOLEAN:
            return 3


def fit_bins(name: str, kind: FeatureKind, values: Column) -> Bins:
    """Bins of a column from its training values.

    A number gets ten bins of nearly equal mass that never split a value: a value heavier than a tenth of the rows has
    a bin of its own and the others share the rest, so a column that is mostly zero still shows a change of its tail.
    A number with at most ten distinct values has a bin for each and one for anything greater. A category gets its 20
    commonest values (ties by name).

    Args:
        values: numbers, booleans, or text (plain or dictionary-encoded); null and NaN are missing.
    """
    match kind:
        case FeatureKind.NUMBER:
            return Bins(name=name, kind=kind, edges=_equal_mass_edges(_numbers(values)))
        case FeatureKind.CATEGORY:
            ranked = _by_frequency(values)
            commonest, others = ranked[:COMMONEST_CATEGORIES], ranked[COMMONEST_CATEGORIES:]
            return Bins(name=name, kind=kind, categories=commonest, known=tuple(sorted(others)))
        case FeatureKind.BOOLEAN:
            return Bins(name=name, kind=kind)


def bin_codes(bins: Bins, values: Column) -> Codes:
    """Return the bin of every value, shape (rows,).

    A missing value has 0; all are below `bin_count(bins)`.

    >>> bin_codes(Bins(name="x", kind=FeatureKind.NUMBER, edges=(1.0, 2.0)), pa.array([None, 1.0, 1.5, 9.0])).tolist()
    [0, 1, 2, 3]
    """
    match bins.kind:
        case FeatureKind.NUMBER:
            return number_codes(bins.edges, _numbers(values))
        case FeatureKind.CATEGORY:
            return _category_codes(bins, values)
        case FeatureKind.BOOLEAN:
            return _boolean_codes(values)


def number_codes(edges: tuple[float, ...], values: NDArray[np.float64]) -> Codes:
    """`bin_codes` of a plain float64 array, shape (rows,), NaN being missing."""
    codes = np.ones(values.shape, np.uint8)
    # A comparison per edge is vectorised by the processor: five times faster than a binary search for ten bins.
    for edge in edges:
        codes += values > edge
    codes[np.isnan(values)] = 0
    return codes


def column_counts(bins: Bins, values: Column) -> NDArray[np.int64]:
    """Return rows in each bin, shape (bin_count(bins),); fast `bin_counts`."""
    if bins.kind is FeatureKind.NUMBER:
        return number_counts(bins.edges, _numbers(values))
    return bin_counts(bins, bin_codes(bins, values))


def number_counts(edges: tuple[float, ...], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the rows in each bin of a plain float64 array.

    The bins are: missing, up to the first edge, up to each next one, beyond the last.

    >>> number_counts((1.0, 2.0), np.array([np.nan, 1.0, 1.5, 9.0, 9.0])).tolist()
    [1, 1, 1, 2]
    """
    missing = int(np.count_nonzero(np.isnan(values)))
    above = np.array([values.size - missing, *(np.count_nonzero(values > edge) for edge in edges), 0], np.int64)
    return np.concatenate([[missing], -np.diff(above)])


def bin_counts(bins: Bins, codes: Codes) -> NDArray[np.int64]:
    """Return rows in each bin, shape (bin_count(bins),)."""
    return np.bincount(codes, minlength=bin_count(bins)).astype(np.int64, copy=False)


def _equal_mass_edges(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Return the upper edges, inclusive and rising; at most ten."""
    distinct, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if distinct.size <= NUMBER_BINS:
        return tuple(distinct.tolist())
    mass = np.cumsum(counts)
    total = int(mass[-1])
    edges: list[float] = []
    taken, first = 0, 0
    for bins_left in range(NUMBER_BINS, 1, -1):
        target = taken + (total - taken) / bins_left
        cut = int(np.searchsorted(mass, target))
        if cut > first and target - mass[cut - 1] < mass[cut] - target:
            cut -= 1
        if cut >= distinct.size - 1:
            break
        edges.append(float(distinct[cut]))
        taken, first = int(mass[cut]), cut + 1
    return tuple(edges)


def _by_frequency(values: Column) -> tuple[str, ...]:
    encoded = _dictionary(values)
    names = encoded.dictionary.to_pylist()
    counts = np.bincount(_fixed_width(encoded.indices.drop_null()), minlength=len(names))
    present = [(-count, name) for name, count in zip(names, counts.tolist(), strict=True) if count and name is not None]
    return tuple(name for _, name in sorted(present))


def _boolean_codes(values: Column) -> Codes:
    array = _one_array(values)
    return np.where(_present(array), _fixed_width(array.cast(pa.uint8())) + 1, 0).astype(np.uint8)


def _category_codes(bins: Bins, values: Column) -> Codes:
    other = len(bins.categories) + 1
    code_of: dict[str | None, int] = {None: 0} | dict.fromkeys(bins.known, other)
    code_of |= {name: code for code, name in enumerate(bins.categories, start=1)}
    encoded = _dictionary(values)
    code_of_entry = [code_of.get(name, other + 1) for name in encoded.dictionary.to_pylist()]
    missing = len(code_of_entry)
    entries = np.where(_present(encoded), _fixed_width(encoded.indices), missing)
    return np.array([*code_of_entry, 0], np.uint8).take(entries)


def _numbers(values: Column) -> NDArray[np.float64]:
    array = _one_array(values).cast(pa.float64())
    if not array.null_count:
        return _fixed_width(array)
    return np.where(_present(array), _fixed_width(array), np.nan)


def _dictionary(values: Column) -> pa.DictionaryArray:
    array = _one_array(values)
    return array if pa.types.is_dictionary(array.type) else array.dictionary_encode()


def _present(array: pa.Array) -> NDArray[np.bool_]:
    return np.from_dlpack(array.is_valid().cast(pa.uint8())).view(np.bool_)


def _fixed_width(array: pa.Array) -> NDArray[Any]:
    """Return the values from their buffer, undefined where null.

    `to_numpy` would import pandas, and scoring must do without it.
    """
    values = pa.Array.from_buffers(array.type, len(array), [None, array.buffers()[1]], offset=array.offset)
    return np.from_dlpack(values)


def _one_array(values: Column) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        return values.unify_dictionaries().combine_chunks()
    return values
