"""What a small file costs a warm function apart from S3: the whole use case on buckets in memory, whose calls take next to nothing."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from functions.scoring.ports import Ports
from functions.scoring.service import score_batch
from functions.shared.domain.envelopes import StoredObject
from functions.shared.repositories.bundles import Bundles
from tests.bench.scoring.world import MILLION, World
from tests.fakes.memory_store import MemoryStore
from tests.fakes.watched_store import Moment, WatchedStore

MODEL = "boosting"
FILES = 60


@dataclass(frozen=True, slots=True)
class Overhead:
    """Medians of a file's wall and processor milliseconds, and the calls to buckets that it took."""

    wall_ms: float
    cpu_ms: float
    calls: int


def measure_overhead(world: World) -> dict[int, Overhead]:
    """By rows in a file."""
    store, calls = MemoryStore(), [0]
    for path in world.store.rglob("*"):
        if path.is_file() and "releases" in path.parts:
            store.write(path.relative_to(world.store).as_posix(), path.read_bytes())

    def count(moment: Moment) -> None:
        # An upload that stays in memory until it is finished is one request then.
        calls[0] += moment.side == "after" and not moment.call.startswith(("upload ", "part "))

    inbox, watched = MemoryStore("inbox"), WatchedStore(store, count)
    reader = WatchedStore(inbox, count)
    ports = Ports(reader, watched, Bundles(store), lambda: uuid.uuid4().hex, lambda: datetime.now(UTC))
    found = {}
    for rows in (1, 1000, 10_000):
        body = _head(world.rows(MILLION), rows)
        taken: list[tuple[float, float, int]] = []
        for number in range(FILES):
            info = inbox.write(f"batches/{MODEL}/{rows}/{number}.csv", body)
            created = StoredObject(bucket="inbox", key=info.key, version_id=info.version_id, etag=info.etag, size_bytes=info.bytes)
            calls[0], began, worked = 0, perf_counter(), process_time()
            score_batch(created, ports)
            taken.append((perf_counter() - began, process_time() - worked, calls[0]))
        warm = taken[FILES // 6 :]
        found[rows] = Overhead(*(1000 * median(values) for values in list(zip(*warm, strict=True))[:2]), calls=warm[-1][2])
    return found


def _head(file: Path, rows: int) -> bytes:
    with file.open("rb") as lines:
        return b"".join(islice(lines, rows + 1))
