"""What PSI is when nothing has changed: by drawing rows, and by drawing days."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.drift.baseline import DayExcess
from functions.shared.domain.drift.divergence import psi

DRAWS = 4000
# Beyond this share of exceeding draws a gamma continues them: too few draws are left there to count.
TAIL_SHARE = 0.01


class Null(Protocol):
    """A distribution of PSI without drift."""

    def tail(self, value: float) -> float:
        """Chance of a PSI of at least `value`."""

    def value_at(self, chance: float) -> float:
        """Return the PSI whose tail is `chance`, in (0, 1)."""


@dataclass(frozen=True, slots=True)
class Gamma:
    """The gamma distribution of this mean and variance."""

    mean: float
    variance: float

    def tail(self, value: float) -> float:
        """Chance of a PSI of at least `value`."""
        from scipy.special import gammaincc

        return float(gammaincc(self.mean**2 / self.variance, value * self.mean / self.variance))

    def value_at(self, chance: float) -> float:
        """Return the PSI whose tail is `chance`, in (0, 1)."""
        from scipy.special import gammainccinv

        return float(gammainccinv(self.mean**2 / self.variance, chance) * self.variance / self.mean)


@dataclass(frozen=True, slots=True)
class RowNull:
    """The distribution of PSI of independent rows.

    It is counted from draws; its last hundredth is the tail of a gamma distribution that is fitted to them.
    """

    draws: NDArray[np.float64]
    fitted: Gamma

    def tail(self, value: float) -> float:
        """Chance of a PSI of at least `value`."""
        if value >= self._tail_start:
            return TAIL_SHARE * self.fitted.tail(value) / self.fitted.tail(self._tail_start)
        return 1 - float(np.searchsorted(self.draws, value)) / DRAWS

    def value_at(self, chance: float) -> float:
        """Return the PSI whose tail is `chance`, in (0, 1)."""
        if chance < TAIL_SHARE:
            return self.fitted.value_at(chance / TAIL_SHARE * self.fitted.tail(self._tail_start))
        return float(self.draws[int((1 - chance) * DRAWS)])

    @property
    def _tail_start(self) -> float:
        return float(self.draws[int((1 - TAIL_SHARE) * DRAWS)])


@lru_cache(maxsize=512)
def row_null(baseline: tuple[int, ...], rows: int) -> RowNull:
    """Return the PSI that `rows` rows of the baseline's own source show by chance.

    The true shares are unknown, so each of 4,000 draws takes them from their posterior: shares ~ Dirichlet(counts + ½),
    then counts ~ Multinomial(rows, shares). Seeded by the arguments, so equal questions have equal answers.

    Args:
        baseline: rows in each bin at training.
        rows: rows to compare, at least 1.
    """
    rng = np.random.default_rng((rows, *baseline))
    counts = np.array(baseline)
    shares = rng.dirichlet(counts + 0.5, size=DRAWS)
    draws = np.sort(psi(counts, rng.multinomial(rows, shares)))
    return RowNull(draws=draws, fitted=Gamma(mean=float(draws.mean()), variance=float(draws.var())))


def day_null(baseline: tuple[int, ...], rows: int, excess: DayExcess) -> Gamma:
    """PSI of rows that come in days which differ as those of training did.

    A gamma of mean (B - 1) s + e and variance 2 (B - 1) s² + 4 e s + v, with s = 1/rows + 1/baseline rows, excess mean e
    and excess variance v.
    """
    spread = 1 / rows + 1 / sum(baseline)
    freedom = len(baseline) - 1
    return Gamma(
        mean=freedom * spread + excess.mean,
        variance=2 * freedom * spread**2 + 4 * excess.mean * spread + excess.variance,
    )
