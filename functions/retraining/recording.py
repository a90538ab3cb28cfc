"""Record versions in the registry: when they are made, or later if it was absent."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from functions.shared.domain import layout
from functions.shared.domain.decision import Decision, Origin, Reason
from functions.shared.domain.dvc import dvc_pointer
from functions.shared.domain.errors import (
    DigestMismatchError,
    InvalidBundleError,
    NewerSchemaError,
    NotFoundError,
    RegistryUnavailableError,
)
from functions.shared.domain.release import ServedModel
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.bundle import INDEX
from functions.shared.ports import ObjectStore, Registry, TrainingRun
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.decisions import Decisions

_MOST = 20
"""Versions recorded per retraining, which must still have time to train."""

_BASELINE, _SPEC = "baseline.json", "spec.json"
_UNREGISTERED = "unregistered"
_UNLOADABLE = (DigestMismatchError, ImportError, InvalidBundleError, NewerSchemaError, NotFoundError)


def record(decision: Decision, spec: ModelSpec, pipeline: Any, files: Mapping[str, bytes], registry: Registry) -> Decision:
    """Record a version with its model, and return its decision with the run's id.

    The small files of its bundle are attached to the run.

    Raises:
        RegistryUnavailableError: if the registry does not answer or refuses.
    """
    run_id = registry.register(decision.model, decision.challenger_version, _run(decision, spec, pipeline))
    reasons = tuple(reason for reason in decision.reasons if reason.code != _UNREGISTERED)
    recorded, snapshot = decision.model_copy(update={"run_id": run_id, "reasons": reasons}), decision.snapshot
    artifacts = {
        "decision.json": recorded.to_json(),
        "snapshot.dvc": dvc_pointer(snapshot.md5, size_bytes=snapshot.bytes, files=snapshot.files, path="snapshot"),
        **{name: files[name] for name in (INDEX, _SPEC, _BASELINE)},
    }
    registry.attach(run_id, artifacts, {})
    return recorded


def unregistered(away: RegistryUnavailableError) -> Reason:
    """Return the remark that a version waits to be recorded."""
    return Reason(code=_UNREGISTERED, message=f"{away}; the next retraining registers this version", warning=True)


def catch_up(model: str, store: ObjectStore, bundles: Bundles, registry: Registry) -> None:
    """Record the oldest versions that the registry lacks.

    The registry may have been unavailable or absent, or it may have been replaced. A version that cannot be loaded is left out: it may
    be of a package that the image had once.

    Raises:
        RegistryUnavailableError: if the registry does not answer or refuses.
    """
    decisions, there = Decisions(store), registry.recorded_runs(model)
    missing = (decision for decision in decisions.all(model) if decision.run_id not in there)
    loadable = (found for decision in missing if (found := _loaded(decision, store, bundles)) is not None)
    for decision, spec, pipeline, files in islice(loadable, _MOST):
        decisions.write(record(decision, spec, pipeline, files, registry))


def _loaded(decision: Decision, store: ObjectStore, bundles: Bundles) -> tuple[Decision, ModelSpec, Any, Mapping[str, bytes]] | None:
    """Return what is recorded of a version, or None if it cannot be loaded."""
    prefix = layout.version_prefix(decision.model, decision.challenger_version)
    served = ServedModel(version=decision.challenger_version, digest=decision.digest, prefix=prefix)
    try:
        files = {name: store.read(prefix + name) for name in (INDEX, _SPEC, _BASELINE)}
        return decision, bundles.load(served).spec, bundles.pipeline(served), files
    except _UNLOADABLE:
        return None


def _run(decision: Decision, spec: ModelSpec, pipeline: Any) -> TrainingRun:
    known = {
        "estimator": spec.estimator,
        "library": decision.library,
        "engine": decision.engine,
        "seed": spec.seed,
        "rows": decision.trained_rows,
        "first_day": decision.trained_first_day,
        "last_day": decision.trained_last_day,
        "snapshot": decision.snapshot.md5,
        **{f"parameter.{name}": value for name, value in spec.parameters.items()},
    }
    return TrainingRun(
        model=pipeline,
        parameters={name: str(value) for name, value in known.items() if value is not None},
        metrics={name: value for name, value in decision.challenger.items() if value is not None},
        tags={"everscore.trigger": decision.trigger, **_origin_tags(decision.origin)},
        libraries=spec.libraries,
    )


def _origin_tags(origin: Origin | None) -> dict[str, str]:
    if origin is None:
        return {}
    stated = {"stack": origin.stack, "account": origin.account, "model": origin.model, "version": origin.version, "digest": origin.digest}
    return {f"everscore.origin.{name}": value for name, value in stated.items() if value is not None}
