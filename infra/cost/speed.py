"""What was measured: seconds of each stage of scoring and of each function's cold start, as the benchmarks left them."""

from collections.abc import Mapping
from pathlib import Path

from functions.shared.domain.document import Document, Value
from functions.shared.engines.engine import EngineKind

FIGURES = Path(__file__).with_name("measured.json")
MODELS = {EngineKind.LINEAR.value: "logistic", EngineKind.BITVECTOR.value: "boosting"}
"""By engine, the benchmark's model that it scored."""
ONCE = ("start and import", "load the model")
"""Stages that a batch goes through once, however many rows it has; all others grow with rows."""


class Stages(Value):
    """Processor seconds by the benchmark's model and stage, for `rows` rows of `columns` columns."""

    date: str
    machine: str
    rows: int
    columns: int
    input_bytes: int
    seconds: Mapping[str, Mapping[str, float]]


class ColdStarts(Value):
    """Seconds until a new container of a function has given its first answer, and the image's size."""

    date: str
    machine: str
    image_mb: float
    seconds: Mapping[str, float]


class Measured(Document):
    """What `make bench` and `make bench-image` measured last."""

    stages: Stages
    cold_starts: ColdStarts


def measured() -> Measured:
    """Return the project's figures."""
    return Measured.from_json(FIGURES.read_bytes())
