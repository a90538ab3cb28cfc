"""How far two sets of binned counts lie apart."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

type Counts = NDArray[np.integer[Any]]


def smoothed(counts: Counts) -> NDArray[np.float64]:
    """Return shares of the bins (last axis) that sum to 1.

    Half a row is added to each bin, so that none is zero.
    """
    raised = counts + 0.5
    return raised / raised.sum(axis=-1, keepdims=True)


def psi(baseline: Counts, counts: Counts) -> NDArray[np.float64]:
    """Return the population stability index Σ (q - p) ln(q / p).

    It is taken over smoothed shares: 0 for equal shares, without an upper bound.

    Args:
        baseline: shape (…, bins).
        counts: shape (…, bins), broadcast against `baseline`.

    Returns:
        Shape (…), natural logarithm.

    >>> float(psi(np.array([10, 30]), np.array([100, 300])).round(4))
    0.0002
    """
    p, q = smoothed(baseline), smoothed(counts)
    return np.asarray(np.sum((q - p) * np.log(q / p), axis=-1))


def jensen_shannon(baseline: Counts, counts: Counts) -> NDArray[np.float64]:
    """Return the Jensen-Shannon distance of smoothed shares, base 2.

    It is 0 for equal shares, and 1 for shares without a common bin.
    """
    p, q = smoothed(baseline), smoothed(counts)
    middle = (p + q) / 2
    divergence = np.sum(p * np.log2(p / middle) + q * np.log2(q / middle), axis=-1) / 2
    return np.asarray(np.sqrt(np.maximum(divergence, 0.0)))


def sampling_noise(baseline: Counts, counts: Counts) -> NDArray[np.float64]:
    """PSI to be expected of two samples of one distribution: (B - 1)(1/n + 1/m).

    Source: Yurdakul and Naranjo, Statistical properties of the population stability index, 2020.
    """
    rows = 1 / baseline.sum(axis=-1) + 1 / counts.sum(axis=-1)
    return np.asarray((baseline.shape[-1] - 1) * rows)
