"""A model's whole life in two buckets, with people in it who may want to be forgotten."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from itertools import count

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from functions.erasure.event import EraseRequest
from functions.erasure.ports import Ports
from functions.erasure.service import erase
from functions.metric_emission import day_labels, day_rows
from functions.metric_emission.labelling import measure_labels
from functions.metric_emission.ports import Delivery
from functions.metric_emission.service import measure_batch
from functions.retraining.ports import Ports as RetrainingPorts
from functions.retraining.training_set import DAY
from functions.scoring.again import rescore_batch
from functions.scoring.ports import Ports as ScoringPorts
from functions.scoring.service import score_batch
from functions.shared.domain import layout
from functions.shared.domain.answer import Answer
from functions.shared.domain.decision import Snapshot
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.erasure import Erasure
from functions.shared.domain.manifest import Manifest
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.snapshots import Snapshots
from tests.fakes.documents import make_decision, serve
from tests.fakes.measuring import make_ports
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.memory_store import MemoryStore
from tests.fakes.recording_bus import RecordingBus
from tests.fakes.versions import MODEL, make_version
from tests.fakes.watched_store import WatchedStore, Watcher

NOW = datetime(2013, 4, 2, 12, tzinfo=UTC)
HEADER = "id,at,price,shop,member,note"
PEOPLE = ("ada-7", "bob-7")
"""Those who want to be forgotten. `eve-7` is somebody else."""


def quiet(_moment: object) -> None:
    """Watch nothing."""


@dataclass
class Life:
    """The buckets, and everything that the functions did in them."""

    inbox: MemoryStore = field(default_factory=lambda: MemoryStore("inbox"))
    store: MemoryStore = field(default_factory=MemoryStore)
    names: Iterator[int] = field(default_factory=count)
    now: datetime = NOW

    def copy(self) -> "Life":
        """The same life, from here on its own."""
        return Life(self.inbox.copy(), self.store.copy(), count(1000), self.now)

    def new_name(self) -> str:
        """A name that no other attempt has."""
        return f"n{next(self.names)}"

    def upload(self, key: str, text: str | bytes) -> StoredObject:
        """A person puts a file into the inbox."""
        info = self.inbox.write(key, text.encode() if isinstance(text, str) else text)
        return StoredObject(bucket="inbox", key=key, version_id=info.version_id, etag=info.etag, size_bytes=info.bytes)

    def scoring(self) -> ScoringPorts:
        """Scoring's ports, in a fresh process."""
        return ScoringPorts(self.inbox, self.store, Bundles(self.store), self.new_name, lambda: self.now)

    def score(self, created: StoredObject) -> Manifest:
        """One delivery of an upload, and of its manifest."""
        manifest = score_batch(created, self.scoring())
        self.record(manifest)
        return manifest

    def rescore(self, batch: str) -> Manifest:
        """A batch again, and its manifest's delivery."""
        manifest = rescore_batch(MODEL, batch, self.scoring())
        self.record(manifest)
        return manifest

    def record(self, manifest: Manifest) -> None:
        """A manifest is measured."""
        key = Manifests(self.store).keys(MODEL)[manifest.batch_id]
        created = StoredObject(bucket="store", key=key, version_id="null", etag="", size_bytes=1)
        measure_batch(created, self._delivery())

    def _delivery(self) -> Delivery:
        return Delivery(make_ports(self.store, inbox=self.inbox, now=lambda: self.now))

    def label(self, name: str, text: str) -> None:
        """A file of labels is uploaded and joined."""
        created = self.upload(f"labels/{MODEL}/{name}", text)
        measure_labels(created, self._delivery())

    def learn(self, version: str, *days: date) -> Snapshot:
        """A version's training set and its decision; each day somebody else and both who will be forgotten."""
        ids = [f"{person}" for _ in days for person in (*PEOPLE, "eve-7")]
        each = [day for day in days for _ in range(3)]
        table = pa.table(
            {
                "id": pa.array(ids),
                "at": pa.array([datetime(day.year, day.month, day.day, tzinfo=UTC) for day in each], pa.timestamp("us", "UTC")),
                "price": pa.array([1.0 + number for number in range(len(each))]),
                "bought": pa.array(["yes", "no", "no"] * len(days)),
                DAY: pa.array(each, pa.date32()),
            }
        )
        snapshot = Snapshots(self.store).write(table, table[DAY])
        Decisions(self.store).write(make_decision(version, snapshot=snapshot))
        return snapshot

    def retraining(self) -> RetrainingPorts:
        """Retraining's ports, in a fresh process."""
        stores = {"inbox": self.inbox, "store": self.store, "bundles": Bundles(self.store)}
        return RetrainingPorts(**stores, registry=MemoryRegistry(), events=RecordingBus(), new_holder=self.new_name, now=lambda: self.now)

    def ports(self, watcher: Watcher = quiet) -> Ports:
        """Erasure's ports, with every call watched."""
        return Ports(WatchedStore(self.inbox, watcher), WatchedStore(self.store, watcher), self.new_name, lambda: self.now)

    def erase(self, *ids: str, watcher: Watcher = quiet, token: str = "", time_is_up: Callable[[], bool] = lambda: False) -> Erasure:
        """A person asks for people to be forgotten."""
        request = EraseRequest(model=MODEL, ids=ids or PEOPLE, who="ada", reason="their wish", token=token)
        return erase(request, self.ports(watcher), time_is_up)

    def manifests(self) -> dict[str, Manifest]:
        """All manifests by the name of their upload."""
        keys = Manifests(self.store).keys(MODEL).values()
        found = [Manifests(self.store).read(key) for key in keys]
        return {f"{manifest.source.key.rsplit('/', 1)[-1]} {manifest.purpose}": manifest for manifest in found}


def shown(life: Life, people: tuple[str, ...] = PEOPLE) -> set[str]:
    """Keys of all versions of all objects in both buckets in whose bytes, unpacked where they are packed, somebody is found."""
    found = set()
    for bucket in (life.inbox, life.store):
        for version in bucket.versions(""):
            body = bucket.read(version.info.key, version.info.version_id)
            if any(person.encode() in body + _unpacked(body) for person in people):
                found.add(version.info.key)
    return found


def _unpacked(body: bytes) -> bytes:
    if not body.startswith(b"PAR1"):
        return b""
    table = pq.read_table(io.BytesIO(body))
    texts = [pc.cast(column, pa.string()).to_pylist() for column in table.columns if not pa.types.is_nested(column.type)]
    return json.dumps([table.schema.to_string(), texts], default=str).encode()


@cache
def _lived() -> Life:
    life = Life()
    spec = make_version()
    serve(life.store, spec)
    life.learn("1", date(2013, 2, 5), date(2013, 3, 5))
    life.learn("2", date(2013, 3, 5), date(2013, 4, 2))
    example = {"learnt": {"columns": [{"name": "id", "example": PEOPLE[0]}]}}
    life.store.write(layout.answer_key(MODEL, "0" * 32), Answer(begun_at=NOW, beat_at=NOW, answer=example).to_json())
    rows = [f"{person},2013-04-0{day}T10:00:00Z,{day}.5,north,true,seen" for day in (1, 2) for person in (*PEOPLE, "eve-7")]
    bad = ["ada-7,2013-04-01T11:00:00Z,cheap,north,true,x", "eve-7,2013-04-01T11:00:00Z,cheap,north,true,x", 'x,"bob-7"', "y"]
    april = life.score(life.upload(f"batches/{MODEL}/april.csv", "\n".join([HEADER, *rows, *bad]) + "\n"))
    others = [f"mia-{number},2013-04-03T10:00:00Z,{number}.5,north,true,seen" for number in range(9)]
    life.score(life.upload(f"batches/{MODEL}/others.csv", "\n".join([HEADER, *others]) + "\n"))
    only = [f"{person},2013-04-04T10:00:00Z,3.5,north,true,seen" for person in PEOPLE]
    life.score(life.upload(f"batches/{MODEL}/only.csv", "\n".join([HEADER, *only]) + "\n"))
    life.score(life.upload(f"batches/{MODEL}/headless.csv", "\n".join(rows) + "\n"))
    labels = [f"{person},2013-04-0{day}T10:00:00Z,yes" for day in (1, 2, 3) for person in (*PEOPLE, "eve-7")]
    life.label("april.csv", "\n".join(["id,at,bought", *labels]) + "\n")
    life.label("only.csv", "id,at,bought\nada-7,2013-04-04T10:00:00Z,no\n")
    serve(life.store, make_version("1", seed=1))
    life.rescore(april.batch_id)
    life.upload(f"training/{MODEL}/first.csv", "\n".join([HEADER, *rows]) + "\n")
    life.upload(f"training/{MODEL}/first.csv", "\n".join([HEADER, *others]) + "\n")
    crashed = layout.scored_key(MODEL, april.batch_id, "crashed", 0)
    life.store.write(crashed, life.store.read(april.outputs[0].key))
    return life


def lived() -> Life:
    """A life in which people left traces in everything that is stored."""
    with pytest.MonkeyPatch.context() as patch:
        for few in (day_rows, day_labels):  # any day has many batches and labels
            patch.setattr(few, "FEW", 0)
        return _lived().copy()
