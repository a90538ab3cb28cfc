"""Rebuild a version from its snapshot, and compare it with the release."""

import hashlib
import io
from collections.abc import Mapping

import numpy as np

from functions.retraining.event import ReproduceRequest, Reproduction
from functions.retraining.fitting import THREADS, as_fitted, library_versions, present_platform, score_rows
from functions.retraining.holdout import hold_out_newest, split
from functions.retraining.measuring import measure_rows
from functions.retraining.ports import Ports
from functions.retraining.publication import Candidate, bundle_files
from functions.retraining.recipe import Recipe, recipe_of
from functions.retraining.training_set import TrainingSet
from functions.shared.domain import layout
from functions.shared.domain.decision import Decision
from functions.shared.domain.errors import DigestMismatchError, NotFoundError, TrainingError
from functions.shared.domain.release import ServedModel
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.bundle import ARRAYS, read_index
from functions.shared.engines.skops_file import dump_pipeline
from functions.shared.foundation.counted import counted
from functions.shared.ports import ObjectStore
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.snapshots import Snapshots


def reproduce(request: ReproduceRequest, ports: Ports) -> Reproduction:
    """Fit a version again from its own snapshot, parameters and seed.

    A version that was adopted unchanged is only compiled again. Files are identical with the recorded libraries and architecture.
    Otherwise sums may differ in their last digits; the largest difference of a score is reported. If people's rows were erased from
    the snapshot, nothing is fitted.

    Raises:
        TrainingError: if the version has no decision.
    """
    decision = Decisions(ports.store).of(request.model, request.version)
    if decision is None:
        message = f"version {request.version} of {request.model!r} has no decision, so its snapshot is unknown"
        raise TrainingError(message)
    if decision.erased_rows:
        explanation = f"an erasure took {counted(decision.erased_rows, 'rows')} of its training set, so it cannot be rebuilt exactly"
        return Reproduction(model=request.model, version=request.version, identical=False, difference=explanation)
    if not decision.has_rows:
        explanation = "it was imported without its training set: export it with --data and import it again"
        return Reproduction(model=request.model, version=request.version, identical=False, difference=explanation)
    prefix = layout.version_prefix(request.model, request.version)
    served = ServedModel(version=request.version, digest=decision.digest, prefix=prefix)
    try:
        released, recipe = ports.bundles.load(served), recipe_of(served, ports.bundles)
        rows = TrainingSet(released.spec, Snapshots(ports.store).read(decision.snapshot.md5))
    except (DigestMismatchError, NotFoundError) as damage:
        return Reproduction(model=request.model, version=request.version, identical=False, difference=str(damage))
    candidate = _refit(decision, recipe, rows)
    scores = candidate.fitted.score(candidate.held)
    metrics = measure_rows(candidate.fitted, candidate.held, scores)
    files = bundle_files(candidate, dump_pipeline(candidate.fitted.pipeline), request.version, scores, metrics)
    difference = _first_difference(files, prefix, decision, ports.store)
    return Reproduction(
        model=request.model,
        version=request.version,
        identical=difference is None,
        difference=difference,
        libraries=_changed_makers(released.spec),
        largest_score_difference=float(np.abs(candidate.fitted.score(rows) - score_rows(released.engine, rows)).max()),
        rows=rows.rows,
    )


def _refit(decision: Decision, recipe: Recipe, rows: TrainingSet) -> Candidate:
    """Return the candidate as it was before its version had a number."""
    if decision.was_first and recipe.spec.adopted:
        adopted = as_fitted(recipe.template, recipe.spec, rows)
        return Candidate(adopted, rows, hold_out_newest(rows, rows.spec.seed)[1].known(), rows)
    first, last = decision.trained_first_day, decision.trained_last_day
    held_first, held_last = decision.holdout_first_day, decision.holdout_last_day
    if decision.was_first or first is None or last is None or held_first is None or held_last is None:
        parts = split(rows, rows.spec.seed)
        learnt, held = parts.learnt, parts.held
    else:
        learnt, held = rows.between(first, last), rows.between(held_first, held_last)
    threads = recipe.spec.platform.get(THREADS)
    fitted = recipe.fit(learnt, None if threads is None else int(threads))
    return Candidate(fitted, learnt, TrainingSet(fitted.spec, held.table).known(), rows)


def _changed_makers(spec: ModelSpec) -> Mapping[str, tuple[str, str]]:
    """Return differing libraries, Python and architecture: recorded and present."""
    recorded = {name: then for name, then in {**spec.libraries, **spec.platform}.items() if name != THREADS}
    present = {**library_versions(spec.estimator), **present_platform()}
    return {name: (then, present.get(name, "none")) for name, then in recorded.items() if present.get(name) != then}


def _first_difference(files: Mapping[str, bytes], prefix: str, decision: Decision, store: ObjectStore) -> str | None:
    """Describe the first file that differs and where, or return None."""
    index = read_index(lambda name: store.read(prefix + name), decision.digest)
    for name, listed in sorted(index.files.items()):
        if name not in files:
            return f"{name} was not made again"
        if hashlib.sha256(files[name]).hexdigest() != listed.sha256:
            return _described(name, store.read(prefix + name), files[name])
    return None


def _described(name: str, released: bytes, rebuilt: bytes) -> str:
    if name == ARRAYS:
        return f"{name}: {_first_array(released, rebuilt)}"
    byte = next((place for place, pair in enumerate(zip(released, rebuilt, strict=False)) if pair[0] != pair[1]), None)
    where = f"from byte {byte} on" if byte is not None else "in length"
    return f"{name} differs {where}: {len(released)} bytes released, {len(rebuilt)} rebuilt"


def _first_array(released: bytes, rebuilt: bytes) -> str:
    """Describe the first of the engine's arrays that differs."""
    with np.load(io.BytesIO(released), allow_pickle=False) as old, np.load(io.BytesIO(rebuilt), allow_pickle=False) as new:
        for name in old.files:
            if name not in new.files or old[name].shape != new[name].shape:
                return f"array {name} has another shape"
            if not np.array_equal(old[name], new[name], equal_nan=old[name].dtype.kind == "f"):
                return f"array {name} differs in {np.count_nonzero(old[name] != new[name])} of {old[name].size} values"
    return "arrays are equal, their file is not"
