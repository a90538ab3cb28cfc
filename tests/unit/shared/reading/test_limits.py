"""Wide tables are read in larger blocks, and every value is where it was."""

import csv
import io
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from functions.shared.domain.policy import RowContract
from functions.shared.reading.files import read_blocks
from tests.unit.shared.reading.files import SPEC, MemoryFile

ROWS, MORE, BLOCK_BYTES = 60, 2_500, 2**16


def wide_table() -> pa.Table:
    """The model's columns, and 2,500 that it does not know."""
    drawn = np.random.default_rng(5).integers(0, 10**6, (MORE, ROWS))
    known = {feature.name: ["1"] * ROWS for feature in SPEC.features}
    others = {f"n{place}": values.astype(str).tolist() for place, values in enumerate(drawn)}
    times = {} if SPEC.time_column is None else {SPEC.time_column: ["2013-01-01"] * ROWS}
    return pa.table({SPEC.id_column: [f"t{row}" for row in range(ROWS)], **times, **known, **others})


def as_csv(table: pa.Table) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(table.column_names)
    writer.writerows(zip(*table.to_pydict().values(), strict=True))
    return text.getvalue().encode()


def as_parquet(table: pa.Table) -> bytes:
    body = io.BytesIO()
    pq.write_table(table, body, use_dictionary=False)
    return body.getvalue()


@pytest.mark.parametrize(("key", "write"), [("a.csv", as_csv), ("a.parquet", as_parquet)])
def test_a_wide_file_is_read_in_few_blocks_and_whole(key: str, write: Callable[[pa.Table], bytes]) -> None:
    table = wide_table()
    data = write(table)
    blocks = [block.rows for block in read_blocks(MemoryFile(data), key=key, spec=SPEC, contract=RowContract(), block_bytes=BLOCK_BYTES)]
    assert len(data) > 12 * BLOCK_BYTES
    assert 2 <= len(blocks) <= len(data) / (2.5 * BLOCK_BYTES), "three times larger than those of a narrow file"
    for name in (SPEC.id_column, *(f"n{place}" for place in range(0, MORE, 100))):
        assert [text for rows in blocks for text in rows[name].to_pylist()] == table[name].to_pylist()
