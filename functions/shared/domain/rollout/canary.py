"""A rollout: which model answers whom, and whether its share may grow.

A salted hash of the id decides the first, labels and guardrails the second.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.decision import Reason
from functions.shared.domain.ids import id_texts
from functions.shared.domain.performance.confidence import Bounds, DaySums, confidence_sequence
from functions.shared.domain.policy import CanaryPolicy
from functions.shared.domain.release import ServedChallenger
from functions.shared.domain.rollout.agreement import Agreement
from functions.shared.domain.rollout.guardrails import Traffic, agreement_breaches, traffic_breaches
from functions.shared.foundation.arrow import valid_mask
from functions.shared.foundation.counted import counted

type Hashes = NDArray[np.uint64]

_MULTIPLIER = 6364136223846793005
_INVERSE = pow(_MULTIPLIER, -1, 1 << 64)
_BLOCK_ROWS = 4096


def answered_by_challenger(ids: pa.Array, *, salt: str, share: float) -> NDArray[np.bool_]:
    """Say for each row whether the challenger answers it.

    Sticky: under one salt a larger share only adds ids. An id's answer depends on its one text alone (`id_texts`), so
    7 read as a number and "7" read as text fall alike. A row without id is the champion's.

    The hash is fixed for ever, since a rollout must survive an update. With all numbers modulo 2⁶⁴:
    h = 1, then h = h · 6364136223846793005 + byte for each byte of the id's UTF-8; h is xored with the first 8 bytes,
    little-endian, of the salt's SHA-256, and mixed by h ^= h >> 30, h *= 0xbf58476d1ce4e5b9, h ^= h >> 27,
    h *= 0x94d049bb133111eb, h ^= h >> 31 (the finalizer of SplitMix64: Steele, Lea and Flood, OOPSLA 2014). The
    challenger answers where (h >> 11) / 2⁵³ < share. It spreads ids evenly; it does not withstand someone who crafts
    ids to fall on one side.

    Args:
        ids: n ids of any type that ids have.
        salt: changed from rollout to rollout, so that not the same entities try every challenger.
        share: 0 (nobody) to 1 (everybody with an id).

    Returns:
        n booleans.

    >>> answered_by_challenger(pa.array(["a", "b", None, "c"]), salt="rollout 1", share=1.0).tolist()
    [True, True, False, True]
    """
    text = id_texts(ids).cast(pa.large_string())
    salted = _polynomials(text) ^ np.uint64(int.from_bytes(hashlib.sha256(salt.encode()).digest()[:8], "little"))
    chosen: NDArray[np.bool_] = (_mixed(salted) >> np.uint64(11)) < np.uint64(math.ceil(share * 2**53))
    if text.null_count:
        chosen &= valid_mask(text)
    return chosen


class Action(StrEnum):
    """What a tick does to a rollout.

    It gives the challenger more rows, the same, all for good or none for good; `none` if there is no rollout.

    With `wait` the share stays the same until a person approves more.
    """

    EXPAND = "expand"
    HOLD = "hold"
    WAIT = "wait"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Step:
    """One decision on a rollout; `share` is what the challenger answers from now on."""

    action: Action
    share: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class RolloutEvidence:
    """All that a step is decided on.

    `gate` is the decision's agreement, None for a challenger that never met this champion at the gate; `agreement` the one on all rows of
    the rollout. `before` are the last batches without any challenger, `rollout` all of this one, `now` those of them at the
    current share. `paired` are the sums of clip(challenger's loss - champion's loss, ±2) of all rows of the rollout on
    event days whose labels are complete; positive is harm. `minimum_effect` is in the unit of that loss.
    """

    gate: Agreement | None
    agreement: Agreement
    before: Traffic
    rollout: Traffic
    now: Traffic
    paired: Sequence[DaySums]
    minimum_effect: float


def decide_step(challenger: ServedChallenger | None, policy: CanaryPolicy, evidence: RolloutEvidence) -> Step:
    """Decide one step of a rollout; the same evidence gives the same step.

    It ends at once if a guardrail without labels is breached, or if labels show harm: the lower bound of the confidence
    sequence is above 0. It grows, and after the last step ends in promotion, only if labels show that the challenger is
    not worse by the minimum effect, on enough days and rows, and enough batches were scored at the present share. So a
    challenger without gate record stays at the first step until labels decide. A shadow grows by a person's hand only.
    Where the policy ignores labels, guardrails and batches alone are looked at, and the caller asks a person before each step.
    """
    if challenger is None:
        return Step(Action.NONE, 0.0, (Reason(code="no_challenger", message="no challenger is on its way"),))
    bounds = confidence_sequence(evidence.paired, policy.alpha)
    ignored = policy.labels == "ignore"
    if harm := (*_breaches(policy, evidence), *(() if ignored else _proven_harm(bounds, policy))):
        return Step(Action.ROLLBACK, 0.0, harm)
    if waiting := tuple(_missing(challenger, bounds, policy, evidence)):
        return Step(Action.HOLD, challenger.share, waiting)
    share = min((share for share in policy.steps if share > challenger.share), default=1.0)
    safe = _unjudged(evidence) if ignored else _not_worse(bounds)
    return Step(Action.PROMOTE if share == 1.0 else Action.EXPAND, share, (safe,))


def _not_worse(bounds: Bounds) -> Reason:
    extent = f"better by at least {-bounds.high:.4g}" if bounds.high < 0 else f"worse by at most {bounds.high:.4g}"
    return Reason(code="not_worse", message=f"{extent} as measured on {counted(bounds.rows, 'labels')}")


def _unjudged(evidence: RolloutEvidence) -> Reason:
    message = f"batches at this share: {evidence.now.batches:,}, and no guardrail is breached; labels decide nothing (canary.labels)"
    return Reason(code="labels_ignored", message=message)


def _breaches(policy: CanaryPolicy, evidence: RolloutEvidence) -> Iterator[Reason]:
    """Guardrails that act without labels.

    A batch that comes late from an earlier share counts, and many good ones of it hide nothing.
    """
    by_code = {
        reason.code: reason
        for traffic in (evidence.rollout, evidence.now)
        for reason in traffic_breaches(evidence.before, traffic, policy.guardrails)
    }
    yield from by_code.values()
    if evidence.gate is not None:
        yield from agreement_breaches(evidence.gate, evidence.agreement, policy.guardrails)


def _enough_labels(bounds: Bounds, policy: CanaryPolicy) -> bool:
    """Return whether there are enough labels for the normal approximation."""
    return bounds.days >= policy.min_days and bounds.rows >= policy.min_labels


def _proven_harm(bounds: Bounds, policy: CanaryPolicy) -> Iterator[Reason]:
    """Yield labels that speak against the challenger."""
    if _enough_labels(bounds, policy) and bounds.low > 0:
        message = f"its loss is higher by at least {bounds.low:.4g} on {counted(bounds.rows, 'labels')} of {counted(bounds.days, 'days')}"
        yield Reason(code="worse", message=message)


def _missing(challenger: ServedChallenger, bounds: Bounds, policy: CanaryPolicy, evidence: RolloutEvidence) -> Iterator[Reason]:
    """Yield what must be seen before the share may grow."""
    if policy.labels == "ignore":
        pass
    elif not _enough_labels(bounds, policy):
        labels, days = counted(bounds.rows, "labels"), counted(bounds.days, "days")
        message = f"{labels} of {days}, at least {policy.min_labels} of {policy.min_days} are needed"
        yield Reason(code="too_few_labels", message=message)
    elif bounds.high >= evidence.minimum_effect:
        message = f"its loss may be higher by {bounds.high:.4g}, must be by less than {evidence.minimum_effect:.4g}"
        yield Reason(code="cannot_tell", message=message)
    if evidence.now.batches < policy.min_batches:
        message = f"{counted(evidence.now.batches, 'batches')} at this share, at least {policy.min_batches} are needed"
        yield Reason(code="too_few_batches", message=message)
    if challenger.mode == "shadow":
        yield Reason(code="shadow", message="a shadow answers nobody: promote it by hand, or begin a canary")


def _polynomials(text: pa.Array) -> Hashes:
    """Return each text's bytes as digits to the base of `_MULTIPLIER`.

    A leading 1 comes first.

    A running sum over all bytes of a block, weighted by falling powers, gives every text's polynomial as a difference
    of two of its terms: no loop over rows, whatever their lengths.
    """
    rows = len(text)
    _, offset_buffer, byte_buffer = text.buffers()
    hashes = np.empty(rows, dtype=np.uint64)
    if not rows:
        return hashes
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[text.offset : text.offset + rows + 1]
    letters = np.frombuffer(byte_buffer or b"", dtype=np.uint8)
    block_starts = np.arange(0, rows, _BLOCK_ROWS)
    longest = int((offsets[np.minimum(block_starts + _BLOCK_ROWS, rows)] - offsets[block_starts]).max())
    rising, falling = _powers(_MULTIPLIER, longest + 1), _powers(_INVERSE, longest + 1)
    terms = np.empty(longest, dtype=np.uint64)
    sums = np.zeros(longest + 1, dtype=np.uint64)
    for start in range(0, rows, _BLOCK_ROWS):
        block = offsets[start : start + _BLOCK_ROWS + 1]
        ends = block - block[0]
        size = int(ends[-1])
        np.multiply(letters[block[0] : block[-1]], falling[1 : size + 1], out=terms[:size])
        np.cumsum(terms[:size], out=sums[1 : size + 1])
        polynomials = hashes[start : start + _BLOCK_ROWS]
        np.multiply(np.diff(sums[ends]), rising[ends[1:]], out=polynomials)
        polynomials += rising[np.diff(ends)]
    return hashes


def _powers(base: int, count: int) -> Hashes:
    """`base` to the power of 0 to `count` - 1, modulo 2⁶⁴."""
    powers = np.full(count, base, dtype=np.uint64)
    powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)


def _mixed(values: Hashes) -> Hashes:
    """Spread every bit over all others, in place."""
    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values
