"""A version's files: what retraining writes and scoring reads, each named with its digest in `bundle.json`."""

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
from functions.shared.engines.engine import Engine, EngineKind
from functions.shared.engines.native import NativeEngine
from functions.shared.engines.positive import about_positive
from functions.shared.engines.predicting import predict

INDEX, SPEC, BASELINE, ARRAYS, PIPELINE = "bundle.json", "spec.json", "baseline.json", "engine.npz", "pipeline.skops"

type Reader = Callable[[str], bytes]


class BundleFile(Value):
    """One file of a bundle: sha-256 of its bytes in hex, and their number."""

    sha256: str
    bytes: int


class BundleIndex(Document):
    """`bundle.json`: which engine serves the version, why that one, and every other file by name.

    The sha-256 of its own bytes is the version's digest, which a release document pins.
    """

    model: str
    engine: EngineKind
    reason: str
    files: Mapping[str, BundleFile]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A version ready to score. `native` gives its pipeline, which for a compiled engine is loaded when it is asked for first.

    `rule` is how its scores become a prediction, None for a regression.
    """

    spec: ModelSpec
    baseline: Baseline
    engine: Engine
    native: Callable[[], NativeEngine]
    rule: DecisionRule | None

    def predict(self, rows: pa.RecordBatch, scores: Floats) -> Codes | None:
        """The numbers of the outcomes that rows with these scores are predicted, shape (rows,); None for a regression."""
        return None if self.rule is None else predict(self.rule, rows, scores, self.spec, self.native)

    def deciding(self, decision: DecisionPolicy) -> "LoadedModel":
        """The same version with the rule that people chose for all versions of a binary model, if they did."""
        curve, threshold = self.baseline.error_curve, decision.threshold
        if threshold is None and decision.costs is not None and curve is not None:
            threshold = curve.cheapest(decision.costs)
        if threshold is None or self.spec.task is not Task.BINARY:
            return self
        return replace(self, rule=above(threshold, inclusive=True))


def make_bundle(spec: ModelSpec, baseline: Baseline, compiled: Compiled, pipeline: bytes) -> dict[str, bytes]:
    """All files of a version by name; `pipeline` is what `dump_pipeline` wrote. The same arguments give the same bytes."""
    files = {SPEC: spec.to_json(), BASELINE: baseline.to_json(), PIPELINE: pipeline}
    if compiled.kind is not EngineKind.NATIVE:
        files[ARRAYS] = _write_arrays(compiled.arrays)
    listed = {name: BundleFile(sha256=_digest(content), bytes=len(content)) for name, content in sorted(files.items())}
    index = BundleIndex(model=spec.name, engine=compiled.kind, reason=compiled.reason, files=listed)
    return {INDEX: index.to_json(), **files}


def bundle_digest(bundle: Mapping[str, bytes]) -> str:
    """The version's digest: sha-256 of `bundle.json`, in hex."""
    return _digest(bundle[INDEX])


def load_bundle(read: Reader, digest: str) -> LoadedModel:
    """Read what scoring needs of a version, each file checked before it is parsed.

    Args:
        read: gives the bytes of one of the bundle's files by its name.
        digest: the version's digest, as the release document pins it.

    Raises:
        DigestMismatchError: if `bundle.json` is not the one with this digest, or a file not the one it lists.
        InvalidBundleError: if the engine's arrays do not fit together or the pipeline holds a type outside our list.
    """
    index = read_index(read, digest)
    spec = ModelSpec.from_json(_checked(read, index, SPEC))
    baseline = Baseline.from_json(_checked(read, index, BASELINE))
    native = _Once(lambda: NativeEngine(_fitted(read, index), spec.task, spec.features))
    if index.engine is EngineKind.NATIVE:
        return LoadedModel(spec, baseline, about_positive(native(), spec), native, spec.rule)
    with np.load(io.BytesIO(_checked(read, index, ARRAYS)), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    engine = build_engine(Compiled(index.engine, index.reason, arrays), spec)
    return LoadedModel(spec, baseline, about_positive(engine, spec), native, spec.rule)


class _Once:
    """What several threads may ask for, made when the first does."""

    def __init__(self, make: Callable[[], NativeEngine]) -> None:
        self._make, self._lock = make, Lock()
        self._made: NativeEngine | None = None

    def __call__(self) -> NativeEngine:
        with self._lock:
            self._made = self._made or self._make()
            return self._made


def load_fitted(read: Reader, digest: str) -> Any:
    """A version's fitted pipeline. Arguments and errors are those of `load_bundle`."""
    return _fitted(read, read_index(read, digest))


def read_index(read: Reader, digest: str) -> BundleIndex:
    """The version's `bundle.json`.

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
