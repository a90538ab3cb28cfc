"""Where the time of the scoring path goes, in seconds of processors a stage.

    python -m tests.bench.scoring.stages MODEL FILE FOLDER

Each pass over the file does one stage more than the one before, so a stage is the difference of two passes.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

from functions.scoring.block import ScoredBlock, score_block
from functions.scoring.scored_file import ScoredFile
from functions.scoring.scorers import Scorers, load_scorers
from functions.shared.domain.policy import RowContract
from functions.shared.foundation.ahead import map_ahead
from functions.shared.reading.files import read_blocks
from functions.shared.reading.limits import DEFAULT_BLOCK_BYTES
from functions.shared.reading.readable import LocalFile
from functions.shared.reading.rows import Block
from functions.shared.reading.text import stored_chunks
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.releases import Releases
from infra.cli.local_folder import LocalFolder

PASSES = 5
IMPORTED_S = time.process_time()


def stage_seconds(model: str, file: Path, folder: Path) -> Mapping[str, float]:
    """Median seconds of each stage, in order."""
    releases = LocalFolder(folder / "store")
    release = Releases(releases).current(model)
    assert release is not None
    scorers, _ = load_scorers(release, Bundles(releases))
    loaded_s = time.process_time() - IMPORTED_S
    source = LocalFile(file)
    blocks = partial(read_blocks, source, key=file.name, spec=scorers.reading_spec, contract=RowContract())
    passes: dict[str, Callable[[], object]] = {
        "fetch": lambda: _drain(stored_chunks(source, DEFAULT_BLOCK_BYTES)),
        "parse and check": lambda: _drain(blocks()),
        "predict": lambda: _drain(map_ahead(lambda block: scorers.score(block.rows), blocks())),
        "profile and lay out": lambda: _drain(_scored(scorers, blocks())),
        "write Parquet, checksum": lambda: _write(scorers, blocks(), LocalFolder(folder / "stages")),
    }
    seconds = {"start and import": IMPORTED_S, "load the model": loaded_s}
    before = 0.0
    for name, work in passes.items():
        work()
        total = median(_cpu_seconds(work) for _ in range(PASSES))
        seconds[name] = total - before
        before = total
    return seconds


def _cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _drain(items: Iterator[object]) -> None:
    for _ in items:
        pass


def _scored(scorers: Scorers, blocks: Iterator[Block]) -> Iterator[ScoredBlock]:
    return map_ahead(partial(score_block, scorers=scorers, contract=RowContract(), arrived=datetime(2013, 1, 1, tzinfo=UTC)), blocks)


def _write(scorers: Scorers, blocks: Iterator[Block], folder: LocalFolder) -> None:
    file: ScoredFile | None = None
    with folder.upload("scored.parquet") as upload:
        for block in _scored(scorers, blocks):
            file = file or ScoredFile(upload, block.rows)
            file.add(block.rows)
        assert file is not None
        file.finish()


if __name__ == "__main__":
    model, file, folder = sys.argv[1:]
    print(json.dumps(stage_seconds(model, Path(file), Path(folder))))
