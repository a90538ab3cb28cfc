"""What is known of a running rollout: traffic, agreement and labels, from stored documents only."""

from collections.abc import Iterable, Sequence
from itertools import islice

from functions.shared.domain.agreement import merge_agreements
from functions.shared.domain.calendar import last_mature_day
from functions.shared.domain.canary import RolloutEvidence
from functions.shared.domain.decision import Decision
from functions.shared.domain.guardrails import Traffic
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.domain.performance import DayPerformance, paired_days
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import Release

_BATCHES_BEFORE = 20


def first_of_rollout(release: Release, history: Sequence[Release]) -> int:
    """The `seq` with which the release's rollout began: its challenger may have been tried before, under another salt.

    Args:
        release: what is served, with a challenger.
        history: the model's releases, in any order.
    """
    assert release.challenger is not None, "only a rollout has a beginning"
    salt = release.challenger.salt
    return min(past.seq for past in (release, *history) if past.challenger is not None and past.challenger.salt == salt)


def rollout_evidence(
    release: Release, first: int, decision: Decision | None, manifests: Sequence[Manifest], days: Sequence[DayPerformance], policy: Policy
) -> RolloutEvidence:
    """The evidence on the release's challenger. How it behaves is told by this rollout alone, how it does by all labels of it.

    Args:
        release: what is served, with a challenger.
        first: the `seq` with which the rollout began.
        decision: the gate's, None for a challenger that never met this champion there.
        manifests: the model's batches, newest first.
        days: its performance.
        policy: in force.
    """
    assert release.challenger is not None, "only a rollout has evidence"
    challenger = release.challenger.version
    tried = [manifest for manifest in manifests if is_of_rollout(manifest, first)]
    began = min([release.decided_at, *(manifest.created_at for manifest in tried)])
    alone = (manifest for manifest in manifests if _challenger(manifest) is None and manifest.created_at < began)
    now = [manifest for manifest in manifests if _is_of(release, manifest)]
    mature = last_mature_day(manifests, policy.labels.delay_days)
    paired = [sums for sums in paired_days(days, release.champion.version, challenger) if mature and sums.day <= mature]
    return RolloutEvidence(
        gate=decision.agreement if decision else None,
        agreement=merge_agreements([manifest.agreement for manifest in tried if manifest.agreement]),
        before=_traffic(islice(alone, _BATCHES_BEFORE)),
        now=_traffic(now),
        paired=paired,
        minimum_effect=(decision.minimum_effect or 0.0) if decision else 0.0,
    )


def _is_of(release: Release, manifest: Manifest) -> bool:
    """Whether a batch met this release. One that failed names none, so its time tells."""
    return manifest.release.seq == release.seq if manifest.release else manifest.created_at >= release.decided_at


def is_of_rollout(manifest: Manifest, first: int) -> bool:
    """Whether a batch was scored in the newest rollout, which began with the release `first`."""
    return manifest.release is not None and manifest.release.seq >= first and manifest.release.challenger is not None


def _challenger(manifest: Manifest) -> str | None:
    """The version that challenged when a batch was scored, None if none did."""
    return manifest.release.challenger.version if manifest.release and manifest.release.challenger else None


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
