"""What is known of a running rollout: traffic, agreement and labels, from stored documents only."""

from collections.abc import Iterable, Sequence

from functions.release.batches import RolloutBatches, has_met
from functions.shared.domain.calendar import last_mature_day
from functions.shared.domain.decision import Decision
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.domain.performance.measures import DayPerformance, paired_days
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import Release
from functions.shared.domain.rollout.agreement import merge_agreements
from functions.shared.domain.rollout.canary import RolloutEvidence
from functions.shared.domain.rollout.guardrails import Traffic


def rollout_evidence(
    rollout: Sequence[Release], decision: Decision | None, batches: RolloutBatches, days: Sequence[DayPerformance], policy: Policy
) -> RolloutEvidence:
    """The evidence on a challenger. How it behaves is told by this rollout alone, how it does by all labels of it.

    Args:
        rollout: its releases, oldest first; the last is served.
        decision: the gate's, None for a challenger that never met this champion there.
        batches: of the rollout and before it.
        days: the model's performance.
        policy: in force.
    """
    release = rollout[-1]
    assert release.challenger is not None, "only a rollout has evidence"
    challenger = release.challenger
    grown = next(past for past in rollout if past.challenger is not None and past.challenger.share == challenger.share)
    mature = last_mature_day(batches.seen, policy.labels.delay_days)
    paired = [sums for sums in paired_days(days, release.champion.version, challenger.version) if mature and sums.day <= mature]
    return RolloutEvidence(
        gate=decision.agreement if decision else None,
        agreement=merge_agreements([manifest.agreement for manifest in batches.met if manifest.agreement]),
        before=_traffic(batches.before),
        rollout=_traffic(batches.met),
        now=_traffic(manifest for manifest in batches.met if has_met(grown, manifest)),
        paired=paired,
        minimum_effect=(decision.minimum_effect or 0.0) if decision else 0.0,
    )


def _traffic(manifests: Iterable[Manifest]) -> Traffic:
    batches = list(manifests)
    return Traffic(
        batches=len(batches),
        failed=sum(batch.status is Status.FAILED for batch in batches),
        suspended=sum(batch.release is not None and batch.release.challenger_suspended is not None for batch in batches),
        mismatched=sum(batch.release is not None and batch.release.challenger_damaged for batch in batches),
        rows_in=sum(batch.rows_in for batch in batches),
        rows_quarantined=sum(batch.rows_quarantined for batch in batches),
        predict_s=sum(batch.timings.predict_s for batch in batches),
    )
