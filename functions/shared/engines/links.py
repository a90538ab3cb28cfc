"""From a model's raw sum to its score: the inverse link functions of the estimators we compile.

Sums in double precision give scores to the last digits that matter; sums in single precision give those of the library that works in it
to the last bit, so that what is predicted from them is the same.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.shared.engines.engine import Floats
from functions.shared.kernels.exponential import exponential

type _Sums = NDArray[Any]

_LARGEST_EXPONENT = np.float32(88.7)
"""XGBoost's own limit: exp of more would overflow in single precision."""


def _identity(raw: _Sums) -> _Sums:
    return raw


def _exp(raw: _Sums) -> _Sums:
    if raw.dtype == np.float32:
        return exponential(raw)
    with np.errstate(over="ignore", under="ignore"):
        np.exp(raw, out=raw)
    return raw


def _expit(raw: _Sums) -> _Sums:
    """1 / (1 + exp(-raw)). exp may overflow in double precision, and 1 / infinity is the right answer then."""
    with np.errstate(over="ignore", under="ignore"):
        np.negative(raw, out=raw)
        if raw.dtype == np.float32:
            np.minimum(raw, _LARGEST_EXPONENT, out=raw)
        raw = _exp(raw)
        np.add(raw, raw.dtype.type(1), out=raw)
        np.divide(raw.dtype.type(1), raw, out=raw)
    return raw


def _expit_of_twice(raw: _Sums) -> _Sums:
    """The exponential loss models half the log odds (Friedman, Hastie and Tibshirani, Ann. Statist. 2000)."""
    return _expit(np.multiply(raw, 2.0, out=raw))


def _softmax(raw: _Sums) -> _Sums:
    with np.errstate(under="ignore"):
        np.subtract(raw, raw.max(axis=1, keepdims=True), out=raw)
        raw = _exp(raw)
        return np.divide(raw, _total(raw), out=raw)


def _total(parts: _Sums) -> _Sums:
    """The sum of each row; of single precision it is made in double, one by one, and rounded."""
    if parts.dtype != np.float32:
        return parts.sum(axis=1, keepdims=True)
    totals = np.zeros((len(parts), 1))
    for part in parts.T:
        totals[:, 0] += part
    return totals.astype(np.float32)


def _one_versus_rest(raw: _Sums) -> _Sums:
    """Each class's own probability, normalised; uniform where all of them are 0."""
    _expit(raw)
    raw[~raw.any(axis=1)] = 1.0
    return np.divide(raw, raw.sum(axis=1, keepdims=True), out=raw)


def _signed_square(raw: _Sums) -> _Sums:
    """LightGBM's way back from the square root of what it learns."""
    return np.multiply(raw, np.abs(raw), out=raw)


INVERSE_LINKS: Mapping[str, Callable[[_Sums], _Sums]] = {
    "identity": _identity,
    "exp": _exp,
    "expit": _expit,
    "expit_of_twice": _expit_of_twice,
    "softmax": _softmax,
    "one_versus_rest": _one_versus_rest,
    "signed_square": _signed_square,
}
"""By name; each takes raw sums of shape (rows, outputs) and may work in place."""


def scores(raw: _Sums, link: str, *, divisor: float, scale: float) -> Floats:
    """`link(scale * raw / divisor)` of raw sums, shape (rows, outputs), which are worked on in place."""
    if divisor != 1.0:
        raw /= raw.dtype.type(divisor)
    if scale != 1.0:
        raw *= raw.dtype.type(scale)
    linked = INVERSE_LINKS[link](raw)
    return linked.astype(np.float64, copy=False)
