"""Guardrails of a rollout that need no labels.

The challenger must behave as it did when the gate let it pass.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from functions.shared.domain.decision import Reason
from functions.shared.domain.policy import GuardrailPolicy
from functions.shared.domain.rollout.agreement import Agreement, mean_difference, rank_correlation
from functions.shared.foundation.counted import counted

# Beyond it, Fisher's z grows without bound and would turn rounding into an alarm.
_HIGHEST_CORRELATION = 0.99
_FEWEST_ROWS = 10
_ROWS_TO_TIME = 1000
# Seconds that a batch's predictions may take longer for no fault of a model's: a function that is new, a busy processor.
_HICCUP_S = 0.2
# One failed batch may be one bad file.
_FEWEST_FAILURES = 2


@dataclass(frozen=True, slots=True)
class Traffic:
    """What became of some batches.

    `failed` ended without scores. In `suspended` the challenger could not score, in `mismatched` because its bundle was
    not the one released. `predict_s` is the time all predictions took, by one model or two.
    """

    batches: int = 0
    failed: int = 0
    suspended: int = 0
    mismatched: int = 0
    rows_in: int = 0
    rows_quarantined: int = 0
    predict_s: float = 0.0

    @property
    def quarantined_share(self) -> float:
        """Share of rows quarantined, 0 without rows."""
        return self.rows_quarantined / self.rows_in if self.rows_in else 0.0

    @property
    def failed_share(self) -> float:
        """Share of batches that failed, 0 without batches."""
        return self.failed / self.batches if self.batches else 0.0

    @property
    def rows_scored(self) -> int:
        """Rows that were not quarantined."""
        return self.rows_in - self.rows_quarantined


def traffic_breaches(before: Traffic, now: Traffic, policy: GuardrailPolicy) -> Iterator[Reason]:
    """Compare batches of the rollout with those before it.

    Args:
        before: batches that the champion scored alone.
        now: batches of the rollout, or of its present share.
        policy: margins.
    """
    if now.mismatched:
        yield Reason(code="digest", message=f"in {counted(now.mismatched, 'batches')} the challenger's bundle was not the one released")
    if now.suspended >= _FEWEST_FAILURES and now.suspended > policy.failures * now.batches:
        yield Reason(code="suspended", message=f"the challenger could not score {now.suspended} of {counted(now.batches, 'batches')}")
    if now.failed >= _FEWEST_FAILURES and now.failed_share - before.failed_share > policy.failures:
        message = f"{now.failed} of {counted(now.batches, 'batches')} failed, {before.failed} of {before.batches} before the rollout"
        yield Reason(code="failures", message=message)
    if before.rows_in and now.rows_in:
        allowed = before.quarantined_share + policy.quarantine
        noise = math.sqrt(max(allowed * (1 - allowed), 0.0) * (1 / now.rows_in + 1 / before.rows_in))
        if now.quarantined_share > allowed + policy.deviations * noise:
            message = f"{now.quarantined_share:.1%} of rows quarantined, {before.quarantined_share:.1%} before the rollout"
            yield Reason(code="quarantine", message=message)
    if min(before.rows_scored, now.rows_scored) >= _ROWS_TO_TIME:
        row_s, row_s_before = (traffic.predict_s / traffic.rows_scored for traffic in (now, before))
        if now.predict_s > policy.slowdown * row_s_before * now.rows_scored + _HICCUP_S * now.batches:
            message = f"a prediction takes {row_s * 1e6:.1f} µs per row, {row_s_before * 1e6:.1f} before the rollout"
            yield Reason(code="slow", message=message)


def agreement_breaches(gate: Agreement, now: Agreement, policy: GuardrailPolicy) -> Iterator[Reason]:
    """Compare the two models' agreement on the same rows with the gate's.

    Absolute limits would be wrong: a challenger that learnt a changed concept may well agree little with the champion,
    and did so at the gate. Two moves are bounded, each by a margin for what real days differ (policy; simulated in
    docs/updating.md) plus a number of standard errors:

    - the rank correlation's fall on Fisher's z scale, with standard error √[(1 + rho²/2)/(n - 3)] a side (Bonett and
      Wright, "Sample size requirements for estimating Pearson, Kendall and Spearman correlations", Psychometrika 65,
      2000). Binned scores are compared, and a challenger that gives all rows one score has correlation 0;
    - the mean difference's move, the margin being in standard deviations of the rows' differences at the gate.

    Args:
        gate: the agreement on the holdout.
        now: the agreement on the rollout's batches, in the same bins.
        policy: margins.
    """
    if min(gate.rows, now.rows) < _FEWEST_ROWS:
        return
    correlation_then = rank_correlation(gate) or 0.0
    correlation = rank_correlation(now) or 0.0
    noise = math.hypot(_z_error(correlation_then, gate.rows), _z_error(correlation, now.rows))
    if _z(correlation_then) - _z(correlation) > policy.rank_correlation + policy.deviations * noise:
        message = f"rank correlation with the champion's scores is {correlation:.2f}, at the gate {correlation_then:.2f}"
        yield Reason(code="rank_correlation", message=message)
    difference_then, difference = mean_difference(gate) or 0.0, mean_difference(now) or 0.0
    deviation_then, deviation = _difference_deviation(gate), _difference_deviation(now)
    noise = math.hypot(deviation_then / math.sqrt(gate.rows), deviation / math.sqrt(now.rows))
    if abs(difference - difference_then) > policy.mean_difference * deviation_then + policy.deviations * noise:
        message = f"scores differ from the champion's by {difference:+.4g} on average, at the gate by {difference_then:+.4g}"
        yield Reason(code="mean_difference", message=message)


def _z(correlation: float) -> float:
    return math.atanh(max(-_HIGHEST_CORRELATION, min(_HIGHEST_CORRELATION, correlation)))


def _z_error(correlation: float, rows: int) -> float:
    return math.sqrt((1 + correlation**2 / 2) / (rows - 3))


def _difference_deviation(agreement: Agreement) -> float:
    """Standard deviation of challenger's score minus champion's over rows."""
    mean = agreement.difference_sum / agreement.rows
    return math.sqrt(max(agreement.difference_squares / agreement.rows - mean**2, 0.0))
