"""A judged version becomes one that can be served: snapshot, registry entry, bundle, and last its decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from functions.retraining.effects import with_effects
from functions.retraining.fitting import Fitted
from functions.retraining.measuring import measure_rows
from functions.retraining.training_set import DAY, TrainingSet
from functions.shared.domain import layout
from functions.shared.domain.decision import Decision, Fold, Reason, Snapshot, Verdict
from functions.shared.domain.drift.baseline import build_baseline
from functions.shared.domain.drift.profile import Agreement
from functions.shared.domain.dvc import dvc_pointer
from functions.shared.domain.errors import InvalidBundleError, TrainingError
from functions.shared.domain.gate.comparison import Comparison
from functions.shared.domain.performance.calibration import Calibration, fit_calibration
from functions.shared.domain.performance.measures import losses
from functions.shared.domain.policy import Policy
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.engines.bundle import INDEX, bundle_digest, make_bundle
from functions.shared.ports import ObjectStore, RegisteredVersion, Registry, TrainingRun
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fitted version before it has a number: the rows it learnt, those it was measured on, and the snapshot that holds both."""

    fitted: Fitted
    learnt: TrainingSet
    held: TrainingSet
    snapshot: TrainingSet

    @property
    def spec(self) -> ModelSpec:
        """The fitted spec."""
        return self.fitted.spec


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was decided of a candidate, and why; without a champion there was nothing to compare it with."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    trigger: str
    champion_version: str | None = None
    champion_metrics: Mapping[str, float | None] = field(default_factory=dict)
    comparison: Comparison | None = None
    agreement: Agreement | None = None
    cross_validation: tuple[Fold, ...] = ()


def publish(
    candidate: Candidate, judgement: Judgement, policy: Policy, *, store: ObjectStore, registry: Registry, now: datetime
) -> Decision:
    """Keep all that makes the version: snapshot, registry entry, bundle, and last the decision, which tells `release`.

    Raises:
        TrainingError: if the pipeline holds what would not be loaded again; nothing is kept.
    """
    pipeline = _loadable(candidate.fitted)
    snapshot = Snapshots(store).write(candidate.snapshot.table, candidate.snapshot.table[DAY].combine_chunks())
    scores = candidate.fitted.score(candidate.held)
    metrics = measure_rows(candidate.fitted, candidate.held, scores)
    registered = registry.register(candidate.spec.name, _run(candidate, judgement, snapshot, metrics))
    files = bundle_files(candidate, pipeline, registered.version, scores, metrics)
    prefix = layout.version_prefix(candidate.spec.name, registered.version)
    for name in sorted(files, key=lambda name: name == INDEX):
        store.write(prefix + name, files[name])
    decision = _decision(candidate, judgement, policy, registered, snapshot, metrics, bundle_digest(files), now)
    registry.attach(registered.run_id, _artifacts(decision, files), {})
    Decisions(store).write(decision)
    return decision


def _loadable(fitted: Fitted) -> bytes:
    """The pipeline as a file, which for a deep forest takes long enough to make it once.

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


def _run(candidate: Candidate, judgement: Judgement, snapshot: Snapshot, metrics: Mapping[str, float | None]) -> TrainingRun:
    spec, days = candidate.spec, candidate.learnt.distinct_days
    parameters = {
        "estimator": spec.estimator,
        "library": candidate.fitted.library,
        "engine": candidate.fitted.compiled.kind.value,
        "seed": str(spec.seed),
        "rows": str(candidate.learnt.rows),
        "first_day": days[0].isoformat(),
        "last_day": days[-1].isoformat(),
        "snapshot": snapshot.md5,
        **{f"parameter.{name}": str(value) for name, value in spec.parameters.items()},
    }
    defined = {name: value for name, value in metrics.items() if value is not None}
    return TrainingRun(candidate.fitted.pipeline, parameters, defined, {"everscore.trigger": judgement.trigger}, spec.libraries)


def bundle_files(
    candidate: Candidate, pipeline: bytes, version: str, scores: NDArray[np.float64], metrics: Mapping[str, float | None]
) -> dict[str, bytes]:
    """A version's bundle. The same candidate gives the same bytes.

    Args:
        candidate: what is to be the version.
        pipeline: its fitted pipeline, as `dump_pipeline` wrote it.
        version: its number.
        scores: those of its held-out rows.
        metrics: theirs too.
    """
    spec, learnt, held = candidate.spec, candidate.learnt, candidate.held
    baseline = build_baseline(
        spec.name,
        version,
        learnt.table,
        spec,
        scores,
        days=learnt.days if spec.time_column else None,
        score_days=held.days if spec.time_column else None,
        out_of_time=metrics,
        loss=float(np.mean(losses(spec.task, held.truth(), scores))),
        prevalence=float(np.mean(held.truth() == 1)) if spec.task is Task.BINARY else None,
        calibration=_calibration(candidate, scores),
    )
    explained = with_effects(baseline, candidate.fitted.engine, learnt.table, held.table, seed=spec.seed)
    return make_bundle(spec, explained, candidate.fitted.compiled, pipeline)


def _calibration(candidate: Candidate, scores: NDArray[np.float64]) -> Calibration | None:
    """From scores of rows the fit did not see to probabilities; binary classifiers only."""
    if candidate.spec.task is not Task.BINARY:
        return None
    return fit_calibration(candidate.held.truth() == 1, scores[:, 0], np.random.default_rng(candidate.spec.seed))


def _decision(
    candidate: Candidate,
    judgement: Judgement,
    policy: Policy,
    registered: RegisteredVersion,
    snapshot: Snapshot,
    metrics: Mapping[str, float | None],
    digest: str,
    now: datetime,
) -> Decision:
    comparison, learnt_days, held_days = judgement.comparison, candidate.learnt.distinct_days, candidate.held.distinct_days
    return Decision(
        model=candidate.spec.name,
        champion_version=judgement.champion_version,
        challenger_version=registered.version,
        decision=judgement.verdict,
        reasons=judgement.reasons,
        metric=candidate.spec.metric,
        champion=judgement.champion_metrics,
        challenger=metrics,
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
        run_id=registered.run_id,
        decided_at=now,
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _artifacts(decision: Decision, files: dict[str, bytes]) -> dict[str, bytes]:
    snapshot = decision.snapshot
    return {
        "decision.json": decision.to_json(),
        "snapshot.dvc": dvc_pointer(snapshot.md5, size_bytes=snapshot.bytes, files=snapshot.files, path="snapshot"),
        **{name: files[name] for name in (INDEX, "spec.json", "baseline.json")},
    }
