"""A version's files, which `bundle.json` lists with their digests.

Retraining writes them, and scoring reads them.
"""

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa

from functions.shared.domain.decision_rule import Codes, DecisionRule, Floats, above
from functions.shared.domain.document import Document, Value
from functions.shared.domain.drift.baseline import Baseline
from functions.shared.domain.errors import DigestMismatchError
from functions.shared.domain.policy import DecisionPolicy
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.engines.compiled import Compiled, build_engine
from functions.shared.engines.engine import Decider, Engine, EngineKind
from functions.shared.engines.native import NativeEngine
from functions.shared.engines.positive import about_positive
from functions.shared.engines.predicting import predict

INDEX, SPEC, BASELINE, ARRAYS, PIPELINE = "bundle.json", "spec.json", "baseline.json", "engine.npz", "pipeline.skops"

type Reader = Callable[[str], bytes]


class BundleFile(Value):
    """One file of a bundle: the SHA-256 of its bytes in hex, and its size."""

    sha256: str
    bytes: int


class BundleIndex(Document):
    """`bundle.json`: the version's engine, the reason for it, and all other files.

    The SHA-256 of its own bytes is the version's digest, which a release document pins.
    """

    model: str
    engine: EngineKind
    reason: str
    files: Mapping[str, BundleFile]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A version ready to score.

    `rule` turns scores into a prediction; None for a regression. Where it leaves rows open, `decider` returns what decides: the
    version's pipeline, which the first call loads, or an engine that knows its answers.
    """

    spec: ModelSpec
    baseline: Baseline
    engine: Engine
    decider: Callable[[], Decider]
    rule: DecisionRule | None

    def predict(self, rows: pa.RecordBatch, scores: Floats) -> Codes | None:
        """Return the predicted outcomes' numbers, shape (rows,); None for a regression."""
        return None if self.rule is None else predict(self.rule, rows, scores, self.spec, self.decider)

    def deciding(self, decision: DecisionPolicy) -> "LoadedModel":
        """Return this version with the decision rule that a policy sets, if it sets one."""
        curve, threshold = self.baseline.error_curve, decision.threshold
        if threshold is None and decision.costs is not None and curve is not None:
            threshold = curve.cheapest(decision.costs)
        if threshold is None or self.spec.task is not Task.BINARY:
            return self
        return replace(self, rule=above(threshold, inclusive=True))


def make_bundle(spec: ModelSpec, baseline: Baseline, compiled: Compiled, pipeline: bytes) -> dict[str, bytes]:
    """Return a version's files by name; the same arguments give the same bytes.

    `pipeline` is the output of `dump_pipeline`.
    """
    files = {SPEC: spec.to_json(), BASELINE: baseline.to_json(), PIPELINE: pipeline}
    if compiled.kind is not EngineKind.NATIVE:
        files[ARRAYS] = _write_arrays(compiled.arrays)
    return _indexed(spec.name, compiled.kind, compiled.reason, files)


def renamed_bundle(files: Mapping[str, bytes], model: str, version: str) -> dict[str, bytes]:
    """Return a version's files as those of another model or number.

    Engine and pipeline keep their bytes.
    """
    index = BundleIndex.from_json(files[INDEX])
    spec = ModelSpec.from_json(files[SPEC]).model_copy(update={"name": model})
    baseline = Baseline.from_json(files[BASELINE]).model_copy(update={"model": model, "version": version})
    kept = {name: files[name] for name in index.files}
    return _indexed(model, index.engine, index.reason, {**kept, SPEC: spec.to_json(), BASELINE: baseline.to_json()})


def _indexed(model: str, engine: EngineKind, reason: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    listed = {name: described(content) for name, content in sorted(files.items())}
    index = BundleIndex(model=model, engine=engine, reason=reason, files=listed)
    return {INDEX: index.to_json(), **files}


def described(content: bytes) -> BundleFile:
    """Return a file's digest and size."""
    return BundleFile(sha256=_digest(content), bytes=len(content))


def bundle_digest(bundle: Mapping[str, bytes]) -> str:
    """Return the version's digest: the SHA-256 of `bundle.json`, in hex."""
    return _digest(bundle[INDEX])


def load_bundle(read: Reader, digest: str) -> LoadedModel:
    """Read a version for scoring; each file is checked before it is parsed.

    Args:
        read: returns the bytes of one of the bundle's files by its name.
        digest: the version's digest, as the release document pins it.

    Raises:
        DigestMismatchError: if `bundle.json` has another digest, or a file differs from its entry there.
        InvalidBundleError: if the engine's arrays do not fit together or the pipeline holds a type outside our list.
    """
    index = read_index(read, digest)
    spec = ModelSpec.from_json(_checked(read, index, SPEC))
    baseline = Baseline.from_json(_checked(read, index, BASELINE))
    native = _Once(lambda: NativeEngine(_fitted(read, index), spec.task, spec.features))
    if index.engine is EngineKind.NATIVE:
        return LoadedModel(spec, baseline, about_positive(native(), spec), native, spec.rule)
    engine = build_engine(_compiled(read, index), spec)
    decider: Callable[[], Decider] = (lambda: engine) if isinstance(engine, Decider) else native
    return LoadedModel(spec, baseline, about_positive(engine, spec), decider, spec.rule)


def load_compiled(read: Reader, digest: str) -> Compiled:
    """Return a version's compiled engine; arguments and errors as in `load_bundle`."""
    return _compiled(read, read_index(read, digest))


def _compiled(read: Reader, index: BundleIndex) -> Compiled:
    with np.load(io.BytesIO(_checked(read, index, ARRAYS)), allow_pickle=False) as stored:
        return Compiled(index.engine, index.reason, {name: stored[name] for name in stored.files})


class _Once:
    """A value that is made once, when the first of several threads asks for it."""

    def __init__(self, make: Callable[[], NativeEngine]) -> None:
        self._make, self._lock = make, Lock()
        self._made: NativeEngine | None = None

    def __call__(self) -> NativeEngine:
        with self._lock:
            self._made = self._made or self._make()
            return self._made


def load_fitted(read: Reader, digest: str) -> Any:
    """Return a version's fitted pipeline; arguments and errors as in `load_bundle`."""
    return _fitted(read, read_index(read, digest))


def read_index(read: Reader, digest: str) -> BundleIndex:
    """Read the version's `bundle.json`.

    Raises:
        DigestMismatchError: if its sha-256 is not `digest`.
    """
    content = read(INDEX)
    if _digest(content) != digest:
        message = f"{INDEX} has sha-256 {_digest(content)}, the release names {digest}"
        raise DigestMismatchError(message)
    return BundleIndex.from_json(content)


def _fitted(read: Reader, index: BundleIndex) -> Any:
    from functions.shared.engines.skops_file import load_pipeline

    return load_pipeline(_checked(read, index, PIPELINE))


def _checked(read: Reader, index: BundleIndex, name: str) -> bytes:
    listed = index.files.get(name)
    if listed is None:
        message = f"{INDEX} lists no {name}"
        raise DigestMismatchError(message)
    content = read(name)
    if len(content) != listed.bytes or _digest(content) != listed.sha256:
        message = f"{name} has sha-256 {_digest(content)}, {INDEX} lists {listed.sha256}"
        raise DigestMismatchError(message)
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write_arrays(arrays: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **dict(sorted(arrays.items())))
    return out.getvalue()
