"""From a model's raw sum to its score: the inverse link functions of the estimators we compile."""

from collections.abc import Callable, Mapping

import numpy as np

from functions.shared.engines.engine import Floats


def _identity(raw: Floats) -> Floats:
    return raw


def _exp(raw: Floats) -> Floats:
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(raw, out=raw)


def _expit(raw: Floats) -> Floats:
    """1 / (1 + exp(-raw)). exp may overflow, and 1 / infinity is the right answer then."""
    with np.errstate(over="ignore", under="ignore"):
        np.negative(raw, out=raw)
        np.exp(raw, out=raw)
        np.add(raw, 1.0, out=raw)
        return np.divide(1.0, raw, out=raw)


def _expit_of_twice(raw: Floats) -> Floats:
    """The exponential loss models half the log odds (Friedman, Hastie and Tibshirani, Ann. Statist. 2000)."""
    return _expit(np.multiply(raw, 2.0, out=raw))


def _softmax(raw: Floats) -> Floats:
    with np.errstate(under="ignore"):
        np.subtract(raw, raw.max(axis=1, keepdims=True), out=raw)
        np.exp(raw, out=raw)
        return np.divide(raw, raw.sum(axis=1, keepdims=True), out=raw)


def _one_versus_rest(raw: Floats) -> Floats:
    """Each class's own probability, normalised; uniform where all of them are 0."""
    _expit(raw)
    raw[~raw.any(axis=1)] = 1.0
    return np.divide(raw, raw.sum(axis=1, keepdims=True), out=raw)


INVERSE_LINKS: Mapping[str, Callable[[Floats], Floats]] = {
    "identity": _identity,
    "exp": _exp,
    "expit": _expit,
    "expit_of_twice": _expit_of_twice,
    "softmax": _softmax,
    "one_versus_rest": _one_versus_rest,
}
"""By name; each takes raw sums of shape (rows, outputs) and may work in place."""
