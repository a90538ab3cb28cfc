"""One model with many batches behind it, and what is then done once."""

from collections.abc import Callable, Iterator
from datetime import date
from itertools import count

from functions.metric_emission.labelling import measure_labels
from functions.metric_emission.ports import Delivery
from functions.metric_emission.upkeep import tick
from functions.release import service as release
from functions.release.ports import Ports as ReleasePorts
from functions.scoring.ports import Ports as ScoringPorts
from functions.scoring.service import score_batch
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.release import Role
from functions.shared.ports import TrainingRun
from functions.shared.repositories.decisions import Decisions
from infra.cli.state import model_status
from infra.report.report import make_report
from tests.component.metric_emission.test_batches import like_training
from tests.component.metric_emission.world import DAY, Scored, World, rows
from tests.component.scoring.world import as_csv, good_rows
from tests.fakes.counting_store import CountingStore
from tests.fakes.documents import make_decision, serve
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.versions import MODEL, make_version

OVER_DAYS = 1000
LABELLED = 30
NEW = 10
TIMES = 10
OFTEN = {"score a batch", "measure a batch", "hourly tick", "`status`"}
"""What takes milliseconds, and is done as often, so that the average counts."""

type Act = tuple[str, Callable[[], object]]


class History:
    """A model in a bucket that counts requests."""

    LAST = DAY

    def __init__(self, batches: int, spread: Callable[[int], date]) -> None:
        self._inbox, self._store = CountingStore("inbox"), CountingStore()
        self._world = World(inbox=self._inbox, store=self._store)
        self._names, self._files, self._registry = count(), count(), MemoryRegistry()
        self._of_last_day: list[str] = []
        self._profile = like_training(self._world.baseline)
        Decisions(self._store).write(make_decision("1", champion_version=None))
        self._world.version.put(self._store)
        self._spread, self._size = spread, batches
        for number in reversed(range(batches)):
            self._batch(spread(number))
        self._world.record(self._batch(DAY))
        self._score(self._upload())

    def requests(self) -> int:
        """To both buckets so far."""
        return self._inbox.requests + self._store.requests

    def charged(self) -> tuple[int, int]:
        """What S3 charges as writes, listings among them, and what as reads."""
        return self._inbox.puts + self._store.puts, self._inbox.gets + self._store.gets

    def acts(self) -> Iterator[Act]:
        """What is measured, in this order."""
        uploads = iter([self._upload() for _ in range(TIMES)])
        yield "score a batch", lambda: self._score(next(uploads))
        manifests = iter([self._batch(DAY) for _ in range(TIMES)])
        yield "measure a batch", lambda: self._world.record(next(manifests))
        together = [self._batch(DAY) for _ in range(NEW)]
        yield f"measure {NEW} batches that come together", lambda: self._world.record(*together)
        labels, others = self._upload_labels(), self._upload_labels()
        yield f"{LABELLED} labels of one day, its first ones", lambda: measure_labels(labels, Delivery(self._world.ports()))
        yield f"{LABELLED} labels of one day, the next ones", lambda: measure_labels(others, Delivery(self._world.ports()))
        timeless, more = self._upload_labels(times=False), self._upload_labels(times=False)
        yield f"{LABELLED} labels without times, the first ones", lambda: measure_labels(timeless, Delivery(self._world.ports()))
        yield f"{LABELLED} labels without times, the next ones", lambda: measure_labels(more, Delivery(self._world.ports()))
        yield "hourly tick", lambda: tick(self._world.ports())
        yield "`status`", lambda: model_status(self._world.release, self._store)
        yield "`report`", lambda: make_report(MODEL, self._store, self._world.now())
        serve(self._store, make_version("2"))
        self._world.serve(make_version("2"))
        promoted = self._batch(DAY)
        yield "the first batch after a promotion", lambda: self._world.record(promoted)
        self._begin_canary()
        for number in range(self._size):
            self._batch(self._spread(number))
        release.tick(MODEL, self._desk())
        for _ in range(NEW):
            self._batch(DAY)
        yield f"release tick in a canary of that many batches, {NEW} of them new", lambda: release.tick(MODEL, self._desk())

    def _batch(self, day: date) -> Manifest:
        """A batch of one row is committed."""
        name = f"b{next(self._names)}"
        if day == DAY:
            self._of_last_day.append(name)
        scored: list[Scored] = rows(0.5, day=day, prefix=f"{name}-")
        return self._world.scored(f"{name}.csv", scored, day=day, profiles={Role.CHAMPION: self._profile})

    def _upload(self) -> StoredObject:
        """A file of one row, which is not counted: a client puts it there."""
        info = self._inbox.write(f"batches/{MODEL}/scored.csv", as_csv(good_rows(1)))
        return StoredObject(bucket="inbox", key=info.key, version_id=info.version_id, etag=info.etag, size_bytes=info.bytes)

    def _score(self, created: StoredObject) -> None:
        score_batch(created, ScoringPorts(self._inbox, self._store, self._world.bundles, lambda: "a1", self._world.now))

    def _upload_labels(self, *, times: bool = True) -> StoredObject:
        """Labels of the newest batches that have rows of the last day, and of those before them when it is asked again."""
        number = next(self._files)
        named = self._of_last_day[::-1][number * LABELLED :][:LABELLED] or self._of_last_day[:LABELLED]
        header, at = ("id,at,bought", f"{DAY}T10:00:00Z,") if times else ("id,bought", "")
        lines = [f"{name}-0,{at}yes" for name in named]
        return self._world.upload_labels("\n".join([header, *lines]) + "\n", f"{number}.csv")

    def _begin_canary(self) -> None:
        for version in ("1", "2", "3"):
            self._registry.register(MODEL, version, TrainingRun(None, {}, {}, {}, {}))
        self._world.serve(make_version("2"), make_version("3"))
        served = self._world.release
        self._registry.set_aliases(
            MODEL, {"champion": "2", "challenger": "3", "previous": served.previous.version if served.previous else None}
        )
        self._registry.set_sequence(MODEL, served.seq)

    def _desk(self) -> ReleasePorts:
        return ReleasePorts(self._store, self._registry, lambda: "name", self._world.now)
