"""The engine of linear models: a multiply-add per number, a look-up per category."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.errors import InvalidBundleError
from functions.shared.domain.spec import Feature
from functions.shared.engines.arrays import Arrays
from functions.shared.engines.engine import Backend, Floats
from functions.shared.engines.links import INVERSE_LINKS
from functions.shared.engines.slots import Slots, numbers_of, read_slots


@dataclass(frozen=True, slots=True)
class NumberTerm:
    """The term of one number in each raw sum: `(value - center) * weights`.

    A null adds `missing` instead. `weights` and `missing` have shape (sums,).
    """

    feature: int
    center: float
    weights: Floats
    missing: Floats


@dataclass(frozen=True, slots=True)
class BinTerm:
    """The term of one feature's bin in each raw sum: `table` has shape (bins, sums)."""

    feature: int
    bins: Slots
    table: Floats


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A linear model over raw features.

    `link` names one of `INVERSE_LINKS`; `intercept` has shape (sums,).
    """

    link: str
    intercept: Floats
    numbers: tuple[NumberTerm, ...]
    bins: tuple[BinTerm, ...]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that `LinearEngine` reads."""
        sums = len(self.intercept)
        stored: dict[str, NDArray[Any]] = {
            "link": np.array(self.link),
            "intercept": self.intercept,
            "number_features": np.array([term.feature for term in self.numbers], dtype=np.int64),
            "centers": np.array([term.center for term in self.numbers], dtype=np.float64),
            "weights": np.array([term.weights for term in self.numbers], dtype=np.float64).reshape(-1, sums),
            "missing": np.array([term.missing for term in self.numbers], dtype=np.float64).reshape(-1, sums),
            "bin_features": np.array([term.feature for term in self.bins], dtype=np.int64),
        }
        for term in self.bins:
            stored |= {f"table_{term.feature}": term.table, **term.bins.arrays(term.feature)}
        return stored


class LinearEngine:
    """Scores with a `LinearModel` in NumPy."""

    backend = Backend.NUMPY

    def __init__(self, arrays: Arrays, features: Sequence[Feature], outputs: int) -> None:
        """Read the model; raise `InvalidBundleError` if the arrays do not fit it."""
        self._names = [feature.name for feature in features]
        self._model = _read(arrays, features, outputs)

    def score(self, batch: pa.RecordBatch) -> Floats:
        """See `Engine.score`."""
        model = self._model
        sums = np.empty((len(model.intercept), batch.num_rows))
        sums[:] = model.intercept[:, np.newaxis]
        work = np.empty(batch.num_rows)
        for number in model.numbers:
            values = numbers_of(batch.column(self._names[number.feature])) - number.center
            missing = np.isnan(values)
            some_missing = bool(missing.any())
            if some_missing:
                values[missing] = 0.0
            for k, (weight, instead) in enumerate(zip(number.weights, number.missing, strict=True)):
                sums[k] += np.multiply(values, weight, out=work)
                if some_missing:
                    sums[k] += np.multiply(missing, instead, out=work)
        for term in model.bins:
            codes = term.bins.codes(batch.column(self._names[term.feature]))
            for k, column in enumerate(term.table.T):
                sums[k] += np.take(column, codes, out=work, mode="clip")
        return INVERSE_LINKS[model.link](np.ascontiguousarray(sums.T))


def _read(arrays: Arrays, features: Sequence[Feature], outputs: int) -> LinearModel:
    link = arrays.text("link")
    if link not in INVERSE_LINKS:
        message = f"there is no link {link!r}"
        raise InvalidBundleError(message)
    number_features = arrays.integers("number_features", below=len(features))
    count = len(number_features)
    centers = arrays.floats("centers", count)
    weights, missing = arrays.floats("weights", count, outputs), arrays.floats("missing", count, outputs)
    numbers = tuple(NumberTerm(int(feature), float(centers[k]), weights[k], missing[k]) for k, feature in enumerate(number_features))
    terms = []
    for feature in arrays.integers("bin_features", below=len(features)).tolist():
        bins = read_slots(arrays, feature, features[feature].kind)
        terms.append(BinTerm(feature, bins, arrays.floats(f"table_{feature}", bins.size, outputs)))
    return LinearModel(link, arrays.floats("intercept", outputs), numbers, tuple(terms))
