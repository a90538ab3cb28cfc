"""The result of compiling, and the engine made from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.arrays import Arrays
from functions.shared.engines.engine import Engine, EngineKind


@dataclass(frozen=True, slots=True)
class Compiled:
    """The engine that serves a pipeline, the reason for it, and its arrays.

    `native` has no arrays. The scores of an `exact` engine equal the pipeline's to the last bit, in any order of summation.
    """

    kind: EngineKind
    reason: str
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    exact: bool = False


def build_engine(compiled: Compiled, spec: ModelSpec) -> Engine:
    """Make the engine of compiled arrays, after checking them against the spec.

    Raises:
        InvalidBundleError: if they do not fit together or to the spec.
        ValueError: if nothing was compiled (`native`).
    """
    arrays, outputs = Arrays(compiled.arrays), len(spec.score_columns)
    match compiled.kind:
        case EngineKind.LINEAR:
            from functions.shared.engines.linear import LinearEngine

            return LinearEngine(arrays, spec.features, outputs)
        case EngineKind.BITVECTOR:
            from functions.shared.engines.bitvector import BitvectorEngine

            return BitvectorEngine(arrays, spec.features, outputs)
        case EngineKind.FOREST:
            from functions.shared.engines.forest import forest_engine

            return forest_engine(arrays, spec.features, outputs)
        case EngineKind.NATIVE:
            message = "a native engine has no arrays"
            raise ValueError(message)
