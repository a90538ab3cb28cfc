"""Judge a batch: its drift, and its performance before labels.

Drift is pooled over a batch and those before it.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from functions.metric_emission.estimation import estimate_batch
from functions.metric_emission.ports import Model
from functions.shared.domain.drift.detection import DriftReport, detect_drift
from functions.shared.domain.drift.positives import Positives
from functions.shared.domain.drift.profile import merge_profiles
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.performance.estimate import Estimate
from functions.shared.domain.release import Role


def judge(manifest: Manifest, model: Model) -> BatchJudgement:
    """Judge a batch by the champion that serves and the policy in force.

    A batch that another version scored has no drift and no estimate.
    """
    return BatchJudgement(
        batch_id=manifest.batch_id,
        model=manifest.model,
        version=manifest.release.champion if manifest.release else None,
        drift=_drift(manifest, model),
        estimate=_estimate(manifest, model),
        emitted_at=model.ports.now(),
    )


def _is_of_champion(manifest: Manifest, model: Model) -> bool:
    scored_by = manifest.release.champion if manifest.release else None
    return model.release is not None and model.release.champion.version == scored_by and Role.CHAMPION in manifest.profiles


def _drift(manifest: Manifest, model: Model) -> DriftReport | None:
    """Drift over the last batches, up to this one, that the champion scored."""
    if not _is_of_champion(manifest, model):
        return None
    pooled = list(islice(_up_to(manifest, model), model.policy.drift.pooled_batches))
    if not pooled:
        return None
    profile = merge_profiles([batch.profiles[Role.CHAMPION] for batch in pooled])
    return detect_drift(model.champion.baseline, profile, model.policy.drift, days=_days(pooled), predicted=_positives(pooled))


def _positives(pooled: Sequence[Manifest]) -> Positives | None:
    """Count rows predicted positive in batches with the newest one's threshold."""
    threshold = _threshold(pooled[0])
    decided = [batch for batch in pooled if _threshold(batch) == threshold]
    profiles = [batch.profiles[Role.CHAMPION] for batch in decided]
    if threshold is None or any(profile.positives is None for profile in profiles):
        return None
    return Positives(
        rows=sum(profile.rows for profile in profiles),
        positives=sum(profile.positives or 0 for profile in profiles),
        threshold=threshold,
        days=_days(decided),
    )


def _days(batches: Iterable[Manifest]) -> int:
    """Return on how many event days the rows of batches lie."""
    return len({day for batch in batches for day in batch.event_days})


def _threshold(manifest: Manifest) -> float | None:
    """Return the threshold by which the champion's scores became predictions."""
    rule = manifest.release.decision_rules.get(Role.CHAMPION) if manifest.release else None
    return rule.threshold if rule else None


def _up_to(manifest: Manifest, model: Model) -> Iterator[Manifest]:
    """Return a batch and those before it of the same champion, the newest first.

    Batches whose rows nobody counted are left out.
    """
    others = map(model.manifest, model.scored_before(manifest))
    return (batch for batch in chain([manifest], others) if batch.rows_scored and Role.CHAMPION in batch.profiles)


def _estimate(manifest: Manifest, model: Model) -> Estimate | None:
    """Return the estimate of a batch, if the champion that serves scored it."""
    if not manifest.outputs or not _is_of_champion(manifest, model):
        return None
    return estimate_batch(manifest, model)
