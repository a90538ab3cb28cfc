"""Publish a judged version: snapshot, bundle, registry entry, then its decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from functions.retraining.effects import with_effects
from functions.retraining.fitting import Fitted
from functions.retraining.measuring import measure_rows
from functions.retraining.ports import Ports
from functions.retraining.recording import record, unregistered
from functions.retraining.training_set import DAY, TrainingSet
from functions.shared.domain.decision import Decision, Fold, Reason, Snapshot, Verdict
from functions.shared.domain.drift.baseline import build_baseline
from functions.shared.domain.errors import InvalidBundleError, RegistryUnavailableError, TrainingError
from functions.shared.domain.gate.comparison import Comparison
from functions.shared.domain.performance.calibration import Calibration, fit_calibration
from functions.shared.domain.performance.error_curve import error_curve
from functions.shared.domain.performance.losses import loss_ceiling, losses
from functions.shared.domain.policy import Policy
from functions.shared.domain.rollout.agreement import Agreement
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.engines.bundle import bundle_digest, make_bundle
from functions.shared.ports import Registry
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.snapshots import Snapshots
from functions.shared.repositories.versions import Versions


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fitted version without a number yet, its rows, and its snapshot."""

    fitted: Fitted
    learnt: TrainingSet
    held: TrainingSet
    snapshot: TrainingSet

    @property
    def spec(self) -> ModelSpec:
        """Return the fitted spec."""
        return self.fitted.spec


@dataclass(frozen=True, slots=True)
class Judgement:
    """The decision on a candidate, with reasons; no comparison without a champion."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    trigger: str
    champion_version: str | None = None
    champion_metrics: Mapping[str, float | None] = field(default_factory=dict)
    challenger_metrics: Mapping[str, float | None] | None = None
    comparison: Comparison | None = None
    agreement: Agreement | None = None
    cross_validation: tuple[Fold, ...] = ()


def publish(candidate: Candidate, judgement: Judgement, policy: Policy, ports: Ports) -> Decision:
    """Store the version: snapshot, bundle, registry entry, and last the decision.

    The decision's arrival triggers `release`. An unavailable registry stops nothing: the next retraining records the version.

    Raises:
        TrainingError: if the pipeline contains a type that could not be loaded again; nothing is stored.
        ConflictError: if another training wrote a version of the same number meanwhile.
    """
    pipeline = _loadable(candidate.fitted)
    snapshot = Snapshots(ports.store).write(candidate.snapshot.table, candidate.snapshot.table[DAY].combine_chunks())
    scores = candidate.fitted.score(candidate.held)
    metrics = measure_rows(candidate.fitted, candidate.held, scores)
    versions = Versions(ports.store)
    version = versions.next_number(candidate.spec.name)
    files = bundle_files(candidate, pipeline, version, scores, metrics)
    versions.write(candidate.spec.name, version, files)
    decision = _decision(candidate, judgement, policy, version, snapshot, metrics, bundle_digest(files), ports.now())
    if ports.registry is not None:
        decision = _recorded(decision, candidate, files, ports.registry)
    Decisions(ports.store).write(decision)
    return decision


def _recorded(decision: Decision, candidate: Candidate, files: Mapping[str, bytes], registry: Registry) -> Decision:
    try:
        return record(decision, candidate.spec, candidate.fitted.pipeline, files, registry)
    except RegistryUnavailableError as away:
        return decision.model_copy(update={"reasons": (*decision.reasons, unregistered(away))})


def _loadable(fitted: Fitted) -> bytes:
    """Return the pipeline as a file; make it once, since a deep forest takes long.

    Raises:
        TrainingError: if it could not be loaded again.
    """
    from functions.shared.engines.skops_file import TRUST_GROUP, dump_pipeline

    try:
        return dump_pipeline(fitted.pipeline)
    except (InvalidBundleError, TypeError) as error:
        message = (
            f"a version of {fitted.spec.estimator} could not be loaded again: {error}; take another estimator or other parameters, "
            f"or put a package into the image that vouches for these types by entry points of the group {TRUST_GROUP}"
        )
        raise TrainingError(message) from error


def bundle_files(
    candidate: Candidate, pipeline: bytes, version: str, scores: NDArray[np.float64], metrics: Mapping[str, float | None]
) -> dict[str, bytes]:
    """Return a version's bundle; the same candidate gives the same bytes.

    Args:
        candidate: the future version.
        pipeline: its fitted pipeline, from `dump_pipeline`.
        version: its number.
        scores: the scores of its held-out rows.
        metrics: the metrics of its held-out rows.
    """
    spec, learnt, held = candidate.spec, candidate.learnt, candidate.held
    found = losses(spec.task, held.truth(), scores)
    ceiling = loss_ceiling(spec.task, found)
    baseline = build_baseline(
        spec.name,
        version,
        learnt.table,
        spec,
        scores,
        days=learnt.days if spec.time_column else None,
        score_days=held.days if spec.time_column else None,
        out_of_time=metrics,
        loss=float(np.mean(found if ceiling is None else np.minimum(found, ceiling))),
        loss_ceiling=ceiling,
        prevalence=float(np.mean(held.truth() == 1)) if spec.task is Task.BINARY else None,
        calibration=_calibration(candidate, scores),
        error_curve=error_curve(held.truth() == 1, scores[:, 0]) if spec.task is Task.BINARY else None,
    )
    explained = with_effects(baseline, candidate.fitted.engine, learnt.table, held.table, seed=spec.seed)
    return make_bundle(spec, explained, candidate.fitted.compiled, pipeline)


def _calibration(candidate: Candidate, scores: NDArray[np.float64]) -> Calibration | None:
    """Calibrate held-out scores to probabilities; binary classifiers only."""
    if candidate.spec.task is not Task.BINARY:
        return None
    return fit_calibration(candidate.held.truth() == 1, scores[:, 0], np.random.default_rng(candidate.spec.seed))


def _decision(
    candidate: Candidate,
    judgement: Judgement,
    policy: Policy,
    version: str,
    snapshot: Snapshot,
    metrics: Mapping[str, float | None],
    digest: str,
    now: datetime,
) -> Decision:
    comparison, learnt_days, held_days = judgement.comparison, candidate.learnt.distinct_days, candidate.held.distinct_days
    return Decision(
        model=candidate.spec.name,
        champion_version=judgement.champion_version,
        challenger_version=version,
        decision=judgement.verdict,
        reasons=judgement.reasons,
        metric=candidate.spec.metric,
        champion=judgement.champion_metrics,
        challenger=metrics if judgement.challenger_metrics is None else judgement.challenger_metrics,
        difference=comparison.difference if comparison else None,
        ci_low=_finite(comparison.ci_low) if comparison else None,
        ci_high=_finite(comparison.ci_high) if comparison else None,
        minimum_effect=comparison.minimum_effect if comparison else None,
        alpha=comparison.alpha if comparison else None,
        rows=candidate.held.rows,
        days=len(held_days),
        holdout_first_day=held_days[0],
        holdout_last_day=held_days[-1],
        snapshot=snapshot,
        digest=digest,
        engine=candidate.fitted.compiled.kind.value,
        engine_reason=candidate.fitted.compiled.reason,
        library=candidate.fitted.library,
        trained_rows=candidate.learnt.rows,
        trained_first_day=learnt_days[0],
        trained_last_day=learnt_days[-1],
        agreement=judgement.agreement,
        cross_validation=judgement.cross_validation,
        thresholds=policy.gate,
        trigger=judgement.trigger,
        decided_at=now,
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
