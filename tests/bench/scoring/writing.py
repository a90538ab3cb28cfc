"""Write scored rows with other settings of Parquet: seconds of processors and bytes of each, in turns.

python -m tests.bench.scoring.writing MODEL FILE FOLDER ROUNDS
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from functions.scoring import scored_file
from functions.scoring.block import score_block
from functions.scoring.scored_file import ScoredFile
from functions.scoring.scorers import load_scorers
from functions.shared.domain.policy import RowContract
from functions.shared.foundation.ahead import map_ahead
from functions.shared.reading.files import read_blocks
from functions.shared.reading.readable import LocalFile
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.releases import Releases
from infra.cli.local_folder import LocalFolder
from tests.bench.scoring.world import AS_WE_WRITE


class Counting:
    """A file that keeps only the number of its bytes."""

    closed, size = False, 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        return len(data)

    def finish(self, *, rows: int) -> int:
        return rows

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed = True


def scored(model: str, file: Path, folder: Path) -> list[pa.RecordBatch]:
    """The blocks of a file, as the scorer hands them to its writer."""
    store = LocalFolder(folder / "store")
    release = Releases(store).current(model)
    assert release is not None
    scorers, _ = load_scorers(release, Bundles(store))
    blocks = read_blocks(LocalFile(file), key=file.name, spec=scorers.reading_spec, contract=RowContract())
    score = partial(score_block, scorers=scorers, contract=RowContract(), arrived=datetime.now(UTC))
    return [block.rows for block in map_ahead(score, blocks)]


def settings(first: pa.RecordBatch) -> Mapping[str, Mapping[str, Any]]:
    """Other ways to write: codecs, and encodings of what has no dictionary."""
    names = first.schema.names
    repetitive = [name for name in names if scored_file._repeats(first.slice(0, 4096).column(name))]
    single = [name for name in names if name not in repetitive]
    floats = [name for name in single if pa.types.is_float64(first.schema.field(name).type)]
    times = [name for name in single if pa.types.is_timestamp(first.schema.field(name).type)]
    texts = [name for name in single if pa.types.is_string(first.schema.field(name).type)]
    mixed = {"compression": {name: "snappy" if name in repetitive else "zstd" for name in names}}
    mixed["compression_level"] = dict.fromkeys(single, 1)
    ours = {"use_dictionary": repetitive, "write_statistics": False, **mixed}
    return {
        "Arrow's defaults": {},
        "snappy everywhere": ours | {"compression": "snappy", "compression_level": None},
        "no codec": ours | {"compression": "none", "compression_level": None},
        "zstd 1 everywhere": ours | {"compression": "zstd", "compression_level": 1},
        "zstd 3 everywhere": ours | {"compression": "zstd", "compression_level": 3},
        "scores split into streams of bytes": ours | {"column_encoding": dict.fromkeys(floats, "BYTE_STREAM_SPLIT")},
        "times as differences": ours | {"column_encoding": dict.fromkeys(times, "DELTA_BINARY_PACKED")},
        "ids as differences": ours | {"column_encoding": dict.fromkeys(texts, "DELTA_BYTE_ARRAY")},
    }


def written(groups: Sequence[pa.Table], how: Mapping[str, Any]) -> int:
    """Write row groups, and return their bytes."""
    sink = Counting()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), groups[0].schema, **how) as writer:
        for group in groups:
            writer.write_table(group)
    return sink.size


def written_by_us(blocks: Sequence[pa.RecordBatch]) -> int:
    """Write blocks by the scorer's own writer, and return their bytes."""
    sink = Counting()
    with ScoredFile(sink, blocks[0]) as file:  # type: ignore[arg-type]
        for block in blocks:
            file.add(block)
        file.finish()
    return sink.size


def grouped(blocks: Sequence[pa.RecordBatch]) -> list[pa.Table]:
    """The row groups that the scorer makes of blocks."""
    size = -(-scored_file.ROW_GROUP_BYTES // blocks[0].nbytes)
    return [pa.Table.from_batches(blocks[place : place + size]).unify_dictionaries() for place in range(0, len(blocks), size)]


def main(model: str, file: Path, folder: Path, rounds: int) -> dict[str, tuple[float, int]]:
    """Write in all ways, in turns."""
    blocks = scored(model, file, folder)
    groups = grouped(blocks)
    ways = {AS_WE_WRITE: partial(written_by_us, blocks)}
    ways |= {name: partial(written, groups, how) for name, how in settings(blocks[0]).items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    size = {}
    for _ in range(rounds):
        for name, write in ways.items():
            started = time.process_time()
            size[name] = write()
            seconds[name].append(time.process_time() - started)
    return {name: (median(seconds[name]), size[name]) for name in ways}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))))
