"""Turn a typed column into slot numbers: the first stage of all compiled engines.

Every pipeline that we compile computes each of its columns from one feature, so whatever it does to a feature is a
function of that feature's slot: a known category, an interval of numbers, or missing.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from functions.shared.domain.errors import InvalidBundleError
from functions.shared.domain.spec import FeatureKind
from functions.shared.engines.arrays import Arrays
from functions.shared.engines.engine import Floats
from functions.shared.engines.grid import Grid
from functions.shared.foundation import arrow
from functions.shared.kernels.trees import Numbers

type Codes = NDArray[np.intp]


class Slots(Protocol):
    """The slots of one feature, numbered from 0 to `size` - 1.

    A missing value has the last slot; in drift's bins it has the first.
    """

    @property
    def size(self) -> int:
        """Number of slots."""
        ...

    def codes(self, column: pa.Array) -> Codes:
        """Return the slot of each row."""
        ...

    def arrays(self, feature: int) -> dict[str, NDArray[Any]]:
        """Return arrays for `read_slots`; `feature` is the position in the model."""
        ...


def numbers_of(column: pa.Array) -> Floats:
    """Return a column of numbers as float64, NaN where null."""
    array = column.cast(pa.float64())
    values = arrow.numbers_of(array, np.float64)
    return values if array.null_count == 0 else np.where(arrow.valid_mask(array), values, np.nan)


class NumberSlots:
    """Intervals between strictly increasing edges, and a last one for missing values.

    Intervals include their upper edge: `value <= edges[0]` is slot 0.
    """

    def __init__(self, edges: Floats) -> None:
        """Take finite edges."""
        self.edges = edges
        self._grid = Grid(edges)

    @property
    def size(self) -> int:
        """Return the number of intervals, plus one for missing values."""
        return len(self.edges) + 2

    def codes(self, column: pa.Array) -> Codes:
        """Return the slot of each row."""
        return self._grid.interval(numbers_of(column))

    def numbers(self, column: pa.Array) -> Numbers:
        """Return what a kernel finds the slots of."""
        array = column.cast(pa.float64())
        values = arrow.numbers_of(array, np.float64)
        validity = array.buffers()[0] if array.null_count else None
        return Numbers(values, self.edges, None if validity is None else np.frombuffer(validity, np.uint8), array.offset)

    def arrays(self, feature: int) -> dict[str, NDArray[Any]]:
        """Return the edges."""
        return {f"edges_{feature}": self.edges}


@dataclass(frozen=True, slots=True)
class CategorySlots:
    """Slots of known texts, unseen texts, and missing values.

    `rows` holds their slots in this order, so that categories with equal effect can share one.
    """

    texts: pa.StringArray
    rows: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of distinct slots."""
        return int(self.rows.max()) + 1

    def codes(self, column: pa.Array) -> Codes:
        """Return the slot of each row; only the dictionary is looked up."""
        encoded = column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()
        dictionary, indices = encoded.dictionary.cast(pa.string()), encoded.indices.cast(pa.int32())
        unseen, missing = len(self.texts), len(self.texts) + 1
        found = pc.index_in(dictionary, value_set=self.texts)
        known = np.where(arrow.valid_mask(found), arrow.numbers_of(found, np.int32), unseen)
        known = np.where(arrow.valid_mask(dictionary), known, missing)
        by_index = self.rows[np.append(known, missing)]
        places = np.where(arrow.valid_mask(indices), arrow.numbers_of(indices, np.int32), len(dictionary))
        codes: Codes = by_index.astype(np.intp, copy=False).take(places)
        return codes

    def arrays(self, feature: int) -> dict[str, NDArray[Any]]:
        """UTF-8 bytes of all texts, where each ends, and the slots."""
        encoded = [text.encode() for text in self.texts.to_pylist()]
        ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
        octets = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        return {f"octets_{feature}": octets, f"ends_{feature}": ends, f"rows_{feature}": self.rows}


@dataclass(frozen=True, slots=True)
class BooleanSlots:
    """Bins for false, true and missing."""

    @property
    def size(self) -> int:
        """Return three."""
        return 3

    def codes(self, column: pa.Array) -> Codes:
        """Return the slot of each row."""
        return np.where(arrow.valid_mask(column), arrow.mask_of(column), np.intp(2))

    def arrays(self, feature: int) -> dict[str, NDArray[Any]]:  # noqa: ARG002 - one interface for all kinds
        """Return no arrays: the kind is enough."""
        return {}


def read_slots(stored: Arrays, feature: int, kind: FeatureKind) -> Slots:
    """Return the slots of one feature as `Slots.arrays` stored them.

    Raises:
        InvalidBundleError: if the arrays are not such slots.
    """
    if kind is FeatureKind.NUMBER:
        return NumberSlots(stored.edges(f"edges_{feature}"))
    if kind is FeatureKind.BOOLEAN:
        return BooleanSlots()
    octets, ends = stored.octets(f"octets_{feature}"), stored.integers(f"ends_{feature}")
    rows = stored.integers(f"rows_{feature}", below=len(ends) + 2)
    if len(rows) != len(ends) + 2:
        message = f"feature {feature} has {len(rows)} slots for {len(ends)} categories, the unseen and missing"
        raise InvalidBundleError(message)
    return CategorySlots(_texts(octets, ends, feature), rows)


def _texts(octets: NDArray[np.uint8], ends: NDArray[np.int64], feature: int) -> pa.StringArray:
    offsets = np.concatenate([[0], ends])
    if np.any(np.diff(offsets) < 0) or offsets[-1] != len(octets):
        message = f"the categories of feature {feature} do not fill their bytes"
        raise InvalidBundleError(message)
    array = pa.LargeStringArray.from_buffers(len(ends), pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(octets))
    try:
        array.validate(full=True)
    except pa.ArrowInvalid as error:
        message = f"the categories of feature {feature} are no UTF-8: {error}"
        raise InvalidBundleError(message) from error
    return array.cast(pa.string())
