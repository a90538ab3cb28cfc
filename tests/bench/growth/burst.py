"""Many files of one row of one model that come at once: what scoring them takes, and what measuring them does."""

import gc
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import batched

from functions.metric_emission.ports import Delivery
from functions.metric_emission.service import measure_batch
from functions.scoring.ports import Ports as ScoringPorts
from functions.scoring.service import score_batch
from functions.shared.domain import layout
from functions.shared.domain.arrival import Arrival
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.manifest import Manifest
from functions.shared.repositories.batch_index import BatchIndex
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.manifests import Manifests
from tests.bench.growth.history import OVER_DAYS
from tests.component.metric_emission.world import DAY, World, rows
from tests.component.scoring.world import as_csv, good_rows
from tests.fakes.counting_store import CountingStore
from tests.fakes.documents import NOW, make_decision, make_manifest
from tests.fakes.versions import MODEL

TOGETHER = 10
"""Manifests in one delivery, as the template has it."""

MEASURED = 50
"""Batches before them that were measured, more than any batch looks back to."""

type Act = tuple[str, Callable[[], object]]


class Burst:
    """A model in a bucket that counts requests, and files that wait for it.

    `before` says how many batches of one row were committed before, over `OVER_DAYS` days of arrival.
    """

    def __init__(self, files: int, *, before: int = 0) -> None:
        self._inbox, self._store = CountingStore("inbox"), CountingStore()
        self._world = World(inbox=self._inbox, store=self._store)
        Decisions(self._store).write(make_decision("1", champion_version=None))
        self._world.version.put(self._store)
        row, self._scored = as_csv(good_rows(1)), list[str]()
        self._uploads = [self._created(self._inbox, f"batches/{MODEL}/first.csv", row)]
        self._score()
        self._measure()
        [first] = Manifests(self._store).newest(MODEL)
        self._profiles, self._first = first.profiles, first.to_json()
        for number in reversed(range(MEASURED, before)):
            self._long_ago(first, number, DAY - timedelta(days=number * OVER_DAYS // before))
        last = min(MEASURED, before)
        self._world.record(*[self._earlier(number, DAY - timedelta(days=number * OVER_DAYS // before)) for number in reversed(range(last))])
        self._world.moment += timedelta(seconds=before)
        self._uploads = [self._created(self._inbox, f"batches/{MODEL}/{number}.csv", row) for number in range(files)]
        gc.freeze()  # what is in the bucket is no part of what is measured

    def requests(self) -> int:
        """To both buckets so far."""
        return self._inbox.requests + self._store.requests

    def acts(self) -> Iterator[Act]:
        """What is measured, in this order."""
        yield "score them", self._score
        yield f"measure them, {TOGETHER} per delivery", self._measure

    def _long_ago(self, like: Manifest, number: int, day: date) -> None:
        """A batch of which hardly more than names is read; else its manifest says what that of the first batch does."""
        named = make_manifest(f"b{number}.csv", day=day, created_at=NOW + timedelta(seconds=next(self._world.seconds)))
        manifest = like.model_copy(update={name: getattr(named, name) for name in ("batch_id", "source", "created_at")})
        body = self._first.replace(like.batch_id.encode(), manifest.batch_id.encode())
        self._store.create(layout.manifest_key(MODEL, day, manifest.batch_id), body)
        BatchIndex(self._store).add(manifest)

    def _earlier(self, number: int, day: date) -> Manifest:
        """A batch is committed a second after the one before."""
        return self._world.scored(f"b{number}.csv", rows(0.5, prefix=f"b{number}-"), day=day, profiles=self._profiles)

    def _created(self, store: CountingStore, key: str, body: bytes) -> StoredObject:
        info = store.write(key, body)
        return StoredObject(bucket=store.bucket, key=key, version_id=info.version_id, etag=info.etag, size_bytes=info.bytes)

    def _score(self) -> None:
        ports = ScoringPorts(self._inbox, self._store, self._world.bundles, lambda: "a1", self._world.now)
        for upload in self._uploads:
            self._world.moment += timedelta(seconds=1)
            manifest = score_batch(upload, ports)
            self._scored.append(layout.manifest_key(MODEL, Arrival.of(manifest).day, manifest.batch_id))

    def _measure(self) -> None:
        for some in batched(self._scored, TOGETHER, strict=False):
            delivery = Delivery(self._world.ports())
            for key in some:
                measure_batch(StoredObject(bucket="store", key=key, version_id="", etag="", size_bytes=1), delivery)
        self._scored.clear()
