"""Inverse link functions: turn the raw sums of compiled estimators into scores.

In double precision, scores agree with the library's in all digits that matter. In single precision they agree to the last bit,
so that predictions are the same.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.shared.engines.engine import Floats
from functions.shared.kernels.exponential import exponential

type _Sums = NDArray[Any]

_LARGEST_EXPONENT = np.float32(88.7)
"""XGBoost's own limit: exp of a larger number overflows in single precision."""


def _identity(raw: _Sums) -> _Sums:
    return raw


def _exp(raw: _Sums) -> _Sums:
    if raw.dtype == np.float32:
        return exponential(raw)
    with np.errstate(over="ignore", under="ignore"):
        np.exp(raw, out=raw)
    return raw


def _expit(raw: _Sums) -> _Sums:
    """Return 1 / (1 + exp(-raw)); if exp overflows to infinity, 0 is correct."""
    with np.errstate(over="ignore", under="ignore"):
        np.negative(raw, out=raw)
        if raw.dtype == np.float32:
            np.minimum(raw, _LARGEST_EXPONENT, out=raw)
        raw = _exp(raw)
        np.add(raw, raw.dtype.type(1), out=raw)
        np.divide(raw.dtype.type(1), raw, out=raw)
    return raw


def _expit_of_twice(raw: _Sums) -> _Sums:
    """Return the probability for exponential loss, which models half the log odds.

    Source: Friedman, Hastie and Tibshirani, Ann. Statist. 2000.
    """
    return _expit(np.multiply(raw, 2.0, out=raw))


def _softmax(raw: _Sums) -> _Sums:
    with np.errstate(under="ignore"):
        np.subtract(raw, raw.max(axis=1, keepdims=True), out=raw)
        raw = _exp(raw)
        return np.divide(raw, _total(raw), out=raw)


def _total(parts: _Sums) -> _Sums:
    """Return the sum of each row; single precision is added in double, then rounded."""
    if parts.dtype != np.float32:
        return parts.sum(axis=1, keepdims=True)
    totals = np.zeros((len(parts), 1))
    for part in parts.T:
        totals[:, 0] += part
    return totals.astype(np.float32)


def _one_versus_rest(raw: _Sums) -> _Sums:
    """Return each class's own probability, normalised; uniform if all are 0."""
    _expit(raw)
    raw[~raw.any(axis=1)] = 1.0
    return np.divide(raw, raw.sum(axis=1, keepdims=True), out=raw)


def _signed_square(raw: _Sums) -> _Sums:
    """Undo the signed square root that LightGBM applies to its target (`reg_sqrt`)."""
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
"""Functions by name; each takes raw sums of shape (rows, outputs) and may change them."""


def scores(raw: _Sums, link: str, *, divisor: float, scale: float) -> Floats:
    """Return `link(scale * raw / divisor)`; changes `raw`, (rows, outputs), in place."""
    if divisor != 1.0:
        raw /= raw.dtype.type(divisor)
    if scale != 1.0:
        raw *= raw.dtype.type(scale)
    linked = INVERSE_LINKS[link](raw)
    return linked.astype(np.float64, copy=False)
