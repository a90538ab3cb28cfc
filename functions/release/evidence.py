"""Gather what stored documents show of a rollout: traffic, agreement, labels."""

from collections.abc import Sequence

from functions.shared.domain.calendar import mature_day
from functions.shared.domain.decision import Decision
from functions.shared.domain.performance.days import DayPerformance, paired_days
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import Release
from functions.shared.domain.rollout.canary import RolloutEvidence
from functions.shared.domain.rollout.tally import Sums, Tally


def rollout_evidence(
    rollout: Sequence[Release],
    decision: Decision | None,
    least_loss: float,
    tally: Tally,
    days: Sequence[DayPerformance],
    policy: Policy,
) -> RolloutEvidence:
    """Return the evidence on a challenger.

    Its behaviour is that of this rollout alone; its performance is that of all its labels.

    Args:
        rollout: its releases, oldest first; the last is served.
        decision: the gate's, None for a challenger that never met this champion there.
        least_loss: the smallest difference of the mean loss that counts.
        tally: what its batches add up to.
        days: the model's performance.
        policy: in force.
    """
    release = rollout[-1]
    assert release.challenger is not None, "only a rollout has evidence"
    challenger = release.challenger
    grown = next(past for past in rollout if past.challenger is not None and past.challenger.share == challenger.share)
    mature = mature_day([tally.reached], policy.labels.delay_days)
    paired = [sums for sums in paired_days(days, release.champion.version, challenger.version) if mature and sums.day <= mature]
    met = tally.since(rollout[0].seq)
    return RolloutEvidence(
        gate=decision.agreement if decision else None,
        agreement=met.agreement,
        before=(tally.before or Sums()).traffic,
        rollout=met.traffic,
        now=tally.since(grown.seq).traffic,
        paired=paired,
        minimum_effect=least_loss,
    )
