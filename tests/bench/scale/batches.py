"""One batch through all steps of the state machine, its partitions scored by that many warm workers, each on a processor of its own."""

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time

from functions.partitioning.ports import Ports
from functions.partitioning.service import commit_batch, plan_batch
from functions.shared.domain import layout
from functions.shared.domain.partition import Partition
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.partitions import Partitions
from functions.shared.repositories.releases import Releases
from infra.cli.local_folder import ONLY_VERSION, LocalFolder
from tests.bench.scoring.processes import _busy_s


@dataclass(frozen=True, slots=True)
class Took:
    """What a batch took: wall seconds, processor seconds of all workers and of planning and committing, and most memory of a worker.

    `others` is how many processors all other work on the machine took meanwhile.
    """

    rows: int
    partitions: int
    wall_s: float
    cpu_s: float
    commit_s: float
    peak_mb: float
    others: float
    workers: int

    @property
    def used(self) -> float:
        """Share of the processors that other work left to the workers which they used."""
        left = min(self.workers, (os.process_cpu_count() or 1) - self.others)
        return min(1.0, self.cpu_s / (self.wall_s * left))


def score_in_partitions(model: str, file: Path, store: Path, *, workers: int, partition_bytes: int, warming: Path) -> Took:
    """Score a file by workers that have scored `warming` before; what it leaves in the store is removed again."""
    inbox = LocalFolder(file.parent / "inbox")
    key = f"{layout.BATCHES}/{model}/{uuid.uuid4().hex}.csv"
    upload = Path(inbox.bucket, key)
    upload.parent.mkdir(parents=True, exist_ok=True)
    upload.symlink_to(file)
    ports = Ports(
        inbox=inbox,
        store=LocalFolder(store),
        new_attempt=lambda: uuid.uuid4().hex,
        now=lambda: datetime.now(UTC),
        partition_bytes=partition_bytes,
        whole_bytes=2**40,
        concurrency=workers,
    )
    if release := Releases(ports.store).current(model):
        # A partition reads the release that its plan pinned; the bench's store has the one that serves only.
        ports.store.create(layout.release_history_key(model, release.seq), release.to_json())
    batch = layout.batch_id(inbox.bucket, key, ONLY_VERSION)
    try:
        return _timed(model, batch, key, ports, [_worker(ports, number, model, warming) for number in range(workers)])
    finally:
        upload.unlink()
        for left in (*store.glob(f"*/{model}/{batch}"), *store.glob(f"manifests/{model}/*/{batch}.json")):
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def _timed(model: str, batch: str, key: str, ports: Ports, workers: Sequence[subprocess.Popen[str]]) -> Took:
    with ExitStack() as running:
        processes = [running.enter_context(worker) for worker in workers]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        busy, began, own = _busy_s(), perf_counter(), process_time()
        turn = plan_batch(key, ONLY_VERSION, ports)
        assert turn == 1
        plan = Partitions(ports.store).plan(model, batch, 1) or ()
        _work_off(plan, processes)
        committing = perf_counter()
        assert commit_batch(key, ONLY_VERSION, 1, ports) is None
        ended = perf_counter()
        mine, busy_s = process_time() - own, _busy_s() - busy
        reported = [_farewell(process) for process in processes]
    manifest = Manifests(ports.store).named(model, batch)
    cpu_s = mine + sum(worker["cpu_s"] for worker in reported)
    return Took(
        rows=manifest.rows_in,
        partitions=len(plan),
        wall_s=ended - began,
        cpu_s=cpu_s,
        commit_s=ended - committing,
        peak_mb=max(worker["peak_mb"] for worker in reported),
        others=max(0.0, (busy_s - cpu_s) / (ended - began)),
        workers=len(workers),
    )


def _worker(ports: Ports, processor: int, model: str, warming: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "tests.bench.scale.worker",
        ports.inbox.bucket,
        ports.store.bucket,
        str(processor),
        model,
        str(warming),
    ]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _work_off(plan: tuple[Partition, ...], processes: list[subprocess.Popen[str]]) -> None:
    """Hand the next partition to whichever worker is free."""
    waiting: queue.SimpleQueue[Partition] = queue.SimpleQueue()
    for partition in plan:
        waiting.put(partition)

    def feed(process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        for partition in _drawn(waiting):
            process.stdin.write(partition.model_dump_json() + "\n")
            process.stdin.flush()
            process.stdout.readline()

    threads = [threading.Thread(target=feed, args=(process,)) for process in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _drawn(waiting: "queue.SimpleQueue[Partition]") -> Iterator[Partition]:
    while True:
        try:
            yield waiting.get_nowait()
        except queue.Empty:
            return


def _farewell(process: subprocess.Popen[str]) -> dict[str, float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    reported: dict[str, float] = json.loads(process.stdout.readline())
    return reported
