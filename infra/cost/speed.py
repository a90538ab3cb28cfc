"""Read the benchmarks' results: seconds per stage of scoring and per cold start."""

from collections.abc import Mapping
from pathlib import Path

from functions.shared.domain.document import Document, Value
from functions.shared.engines.engine import EngineKind

FIGURES = Path(__file__).with_name("measured.json")
MODELS = {EngineKind.LINEAR.value: "logistic", EngineKind.BITVECTOR.value: "boosting"}
"""By engine, the benchmark's model that it scored."""
ONCE = ("start and import", "load the model")
"""Stages that run once per batch; all others grow with the number of rows."""


class Stages(Value):
    """Processor seconds by model and stage, for `rows` rows of `columns` columns."""

    date: str
    machine: str
    rows: int
    columns: int
    input_bytes: int
    seconds: Mapping[str, Mapping[str, float]]


class ColdStarts(Value):
    """Seconds until a function's new container has returned its first result.

    Also holds the image's size.
    """

    date: str
    machine: str
    image_mb: float
    seconds: Mapping[str, float]


class TableSeconds(Value):
    """Seconds of cataloguing.

    They pass until a new process has loaded it, in a commit of one batch to a table of a year, and in an hourly comparison per model. The
    last two are wall time, in which each request to S3 and AWS Glue takes 20 ms, as Lambda bills waiting too.
    """

    date: str
    machine: str
    start_s: float
    commit_s: float
    compare_s: float


class Measured(Document):
    """The latest results of `make bench`, `make bench-tables` and `make bench-image`."""

    stages: Stages
    cold_starts: ColdStarts
    tables: TableSeconds


def measured() -> Measured:
    """Return the project's figures."""
    return Measured.from_json(FIGURES.read_bytes())
