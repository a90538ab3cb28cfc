"""Files in memory, and the model whose batches the tests read."""

import pytest
from hypothesis import strategies as st

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.formats import Formats
from functions.shared.domain.policy import RowContract
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.reading.files import read_blocks
from functions.shared.reading.rows import RejectedRow
from functions.shared.reading.text import Notes

Row = dict[str, object]

SPEC = ModelSpec(
    name="trees",
    task=Task.BINARY,
    target="late",
    id_column="id",
    time_column="at",
    features=(
        Feature(name="size", kind=FeatureKind.NUMBER),
        Feature(name="colour", kind=FeatureKind.CATEGORY),
        Feature(name="wet", kind=FeatureKind.BOOLEAN),
        Feature(name="age", kind=FeatureKind.NUMBER, nullable=False),
    ),
    metric="auc",
    estimator="x",
)
CONTRACT = RowContract(ranges={"age": (0.0, 200.0)})
NAMES = ("id", "size", "colour", "wet", "at", "age", "note")
FORMATS = st.builds(
    Formats,
    missing=st.lists(st.sampled_from(["-999", "1e3", "1970-01-01", "n"]), max_size=2).map(tuple),
    time_format=st.sampled_from([None, "%Y-%d-%m", "epoch_s"]),
)
"""Marks that are numbers and times themselves, and a notation in which ISO 8601 means another day."""


def model_of(formats: Formats) -> ModelSpec:
    """The model, with files written this way."""
    return SPEC.model_copy(update={"formats": formats})


class MemoryFile:
    """Bytes as a `Readable`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]


def read(
    data: bytes,
    key: str = "batches/trees/rows.csv",
    *,
    spec: ModelSpec = SPEC,
    contract: RowContract = CONTRACT,
    block_bytes: int = 1 << 20,
    notes: Notes | None = None,
) -> tuple[list[Row], list[RejectedRow]]:
    """All good rows and all rejected ones of a file."""
    rows: list[Row] = []
    rejected: list[RejectedRow] = []
    schemas = set()
    for block in read_blocks(MemoryFile(data), key=key, spec=spec, contract=contract, block_bytes=block_bytes, notes=notes):
        block.rows.validate(full=True)
        schemas.add(str(block.rows.schema))
        rows += block.rows.to_pylist()
        rejected += block.rejected
    assert len(schemas) == 1
    return rows, rejected


def refusal(data: bytes, key: str = "batches/trees/rows.csv", *, block_bytes: int = 1 << 20) -> BatchRejectedError:
    """Why a file is refused as a whole."""
    with pytest.raises(BatchRejectedError) as refused:
        read(data, key, block_bytes=block_bytes)
    assert refused.value.remedy
    return refused.value
