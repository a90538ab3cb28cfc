"""Time prediction alone: scikit-learn, NumPy's loops and the compiled ones, on one thread and on two; write docs/performance.md.

    python -m tests.bench.kernels [--rounds 7] [--folder .cache/bench] [--print]

All take the same blocks in turns, in one process. On one thread the processor's time of that thread is counted, and the least
of all rounds: other work on the machine then costs least. Two threads are compared with one while each scores block after
block, as the scorer's do: by the clock, by which a busy machine shows less than there is, and without the time in which a thread
could run but had no processor, which only Linux reports. Waits for the interpreter's lock and for memory count in both.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Barrier
from typing import Any

import pyarrow as pa
from threadpoolctl import threadpool_limits

from functions.shared.domain import layout
from functions.shared.domain.policy import RowContract
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.bundle import PIPELINE, LoadedModel, bundle_digest, load_bundle
from functions.shared.engines.engine import Backend, Engine
from functions.shared.engines.frame import to_frame
from functions.shared.engines.skops_file import load_pipeline
from functions.shared.kernels.library import SETTING, kernel_library
from functions.shared.reading.files import read_blocks
from functions.shared.reading.readable import LocalFile
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.scoring.processes import machine
from tests.bench.scoring.world import FOREST_ROWS, World

ROOT = Path(__file__).parents[2]
PIPELINE_ROW, ESTIMATOR, NUMPY, KERNEL = "scikit-learn's pipeline", "scikit-learn's estimator alone", "NumPy", "kernel"
BLOCKS = 2
STRETCH_S = 0.5
"""How long threads score before the clock is read: short next to other work's stretches, long next to starting a thread."""

type Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Contest:
    """One model and the rows that all score."""

    model: str
    world: World

    def loaded(self, kernels: str) -> LoadedModel:
        """The version as scoring loads it, with kernels or without."""
        os.environ[SETTING] = kernels
        kernel_library.cache_clear()
        folder = self.world.store / layout.version_prefix(self.model, "1")
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        return load_bundle(files.__getitem__, bundle_digest(files))

    def pipeline(self) -> Any:
        """The fitted pipeline, in one job."""
        pipeline = load_pipeline((self.world.store / layout.version_prefix(self.model, "1") / PIPELINE).read_bytes())
        return pipeline.set_params(**{name: 1 for name in pipeline.get_params() if name.endswith("n_jobs")})

    def blocks(self, spec: ModelSpec) -> list[pa.RecordBatch]:
        """Blocks as scoring reads them."""
        file = self.world.rows(FOREST_ROWS)
        blocks = read_blocks(LocalFile(file), key=file.name, spec=spec, contract=RowContract())
        return [block.rows for block in islice(blocks, BLOCKS)]

    def row(self, rounds: int) -> list[str]:
        """Microseconds a row, and what two threads gain."""
        with_kernel, without = self.loaded(""), self.loaded("off")
        assert (with_kernel.engine.backend, without.engine.backend) == (Backend.KERNEL, Backend.NUMPY), "no kernels were built here"
        spec = with_kernel.spec
        blocks = self.blocks(spec)
        frames = [to_frame(block, spec.features) for block in blocks]
        pipeline = self.pipeline()
        prepared = [pipeline[:-1].transform(frame) if len(pipeline) > 1 else frame for frame in frames]
        one_thread = least(
            {
                PIPELINE_ROW: lambda: [pipeline.predict_proba(frame) for frame in frames],
                ESTIMATOR: lambda: [pipeline[-1].predict_proba(matrix) for matrix in prepared],
                NUMPY: partial(_score, without.engine, blocks),
                KERNEL: partial(_score, with_kernel.engine, blocks),
            },
            rounds,
            time.thread_time,
        )
        rows = sum(block.num_rows for block in blocks)
        figures = [f"{seconds / rows * 1e6:.2f}" for seconds in one_thread.values()]
        gain = f"{one_thread[ESTIMATOR] / one_thread[KERNEL]:.1f}"
        passes = max(1, round(STRETCH_S / one_thread[KERNEL]))
        return [self.model, *figures, gain, *_gains_of_two_threads(with_kernel.engine, blocks * passes, rounds)]


def least(contenders: Mapping[str, Work], rounds: int, clock: Callable[[], float]) -> dict[str, float]:
    """The least seconds that each took, all in turns, after a round that does not count."""
    best = dict.fromkeys(contenders, float("inf"))
    for number in range(rounds + 1):
        for name, work in contenders.items():
            started = clock()
            work()
            if number:
                best[name] = min(best[name], clock() - started)
    return best


def _gains_of_two_threads(engine: Engine, blocks: list[pa.RecordBatch], rounds: int) -> list[str]:
    """How many times the blocks of one thread two score in its time: by the clock, and without waits for a processor."""
    stretches = [(_stretch(engine, blocks, 1), _stretch(engine, blocks, 2)) for _ in range(rounds)]
    ones, twos = zip(*stretches, strict=True)
    by_clock = min(one.wall_s for one in ones) / min(two.wall_s for two in twos)
    alone = min(one.served_s for one in ones) / min(two.served_s for two in twos)
    return [f"{2 * by_clock:.1f}", f"{2 * alone:.1f}"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """How long the slowest of some threads took, and how long the slowest without its waits for a processor."""

    wall_s: float
    served_s: float


def _stretch(engine: Engine, blocks: list[pa.RecordBatch], count: int) -> Stretch:
    """That many threads at once, each scoring all blocks."""
    together = Barrier(count)

    def score() -> Stretch:
        together.wait()
        started, queued = time.perf_counter(), _queued_s()
        _score(engine, blocks)
        wall = time.perf_counter() - started
        return Stretch(wall, wall - (_queued_s() - queued))

    with ThreadPoolExecutor(count) as threads:
        took = [running.result() for running in [threads.submit(score) for _ in range(count)]]
    return Stretch(max(one.wall_s for one in took), max(one.served_s for one in took))


def _queued_s() -> float:
    """Seconds that the calling thread could have run and had no processor."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


def _score(engine: Engine, blocks: list[pa.RecordBatch]) -> None:
    for block in blocks:
        engine.score(block)


def main() -> None:
    """Measure both models and write the table down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "bench")
    parser.add_argument("--print", action="store_true", help="print, and leave the document alone")
    options = parser.parse_args()
    world = World(options.folder.resolve())
    world.folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "tests.bench.scoring.making", str(world.folder)], check=True)
    with threadpool_limits(1):
        rows = [Contest(model, world).row(options.rounds) for model in ("boosting", "forest")]
    header = [
        "model",
        PIPELINE_ROW,
        ESTIMATOR,
        NUMPY,
        KERNEL,
        "kernel, times faster than the estimator",
        "two threads, times as fast as one",
        "likewise, not counting waits for a processor",
    ]
    when = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}; {os.getloadavg()[0]:.1f} processes were runnable, this one takes up to two"
    text = f"{markdown_table(header, rows)}\n\n`python -m tests.bench.kernels`, {options.rounds} rounds, {when}."
    print(text)
    if not options.print:
        replace_measured(ROOT / "docs" / "performance.md", "kernels", text)


if __name__ == "__main__":
    main()
