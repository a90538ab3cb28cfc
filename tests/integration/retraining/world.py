"""Shops that sell, what is known of their customers, and retraining on it."""

import copy
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from functions.retraining.event import AdoptRequest, RetrainingResult, RetrainRequest, TrainRequest
from functions.retraining.ports import Ports
from functions.retraining.service import adopt_first, retrain, train_first
from functions.shared.domain import layout
from functions.shared.domain.decision import Decision
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import ServedModel
from functions.shared.ports import ObjectStore, Registry
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases
from tests.fakes.documents import make_manifest, make_release
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.memory_store import MemoryStore
from tests.fakes.recording_bus import RecordingBus
from tests.fakes.versions import MODEL

type Row = Mapping[str, Any]

FIRST_DAY = date(2013, 1, 1)
NOW = datetime(2013, 6, 1, 12, tzinfo=UTC)
LINEAR = "sklearn.linear_model.LogisticRegression"
POLICY: dict[str, Any] = {
    "retraining": {"min_new_labels": 20},
    "gate": {"holdout_days": 5, "min_holdout_days": 2, "min_rows": 20, "min_rarer_class": 2, "resamples": 200},
}


def day(number: int) -> date:
    """A day by its number, from 0."""
    return FIRST_DAY + timedelta(days=number)


def sold(first: int, days: int, *, a_day: int = 10, cheap_sells: bool = True, noise: float = 1 / 3) -> list[Row]:
    """What customers of some days did: who sees a low price buys, mostly, or the other way round."""
    rng = np.random.default_rng(first)
    rows: list[Row] = []
    for number in range(days * a_day):
        at = datetime(2013, 1, 1, 8, tzinfo=UTC) + timedelta(days=first + number // a_day, minutes=number % a_day)
        price = float(rng.normal())
        bought = (price + rng.normal() * noise < 0) == cheap_sells
        identity = {"id": f"d{first + number // a_day}-{number % a_day}", "at": at}
        rows.append(
            {**identity, "price": round(price, 3), "shop": str(rng.choice(["north", "south"])), "bought": "yes" if bought else "no"}
        )
    return rows


def as_csv(rows: Sequence[Row]) -> bytes:
    """CSV as Python's own writer writes it."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@dataclass
class World:
    """Two buckets, a registry, and one model's retraining."""

    inbox: MemoryStore = field(default_factory=lambda: MemoryStore("inbox"))
    store: MemoryStore = field(default_factory=MemoryStore)
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    bus: RecordingBus = field(default_factory=RecordingBus)
    holders: Iterator[int] = field(default_factory=count)
    arrivals: Iterator[int] = field(default_factory=count)
    moment: datetime = NOW

    def ports(self, *, store: ObjectStore | None = None, registry: Registry | None = None) -> Ports:
        """Retraining's ports, of a cold process."""
        return Ports(
            inbox=self.inbox,
            store=store or self.store,
            registry=registry or self.registry,
            bundles=Bundles(store or self.store),
            events=self.bus,
            new_holder=lambda: f"holder {next(self.holders)}",
            now=lambda: self.moment,
        )

    # What others do

    def set_policy(self, **changed: Any) -> None:
        """A person puts thresholds in force."""
        number = Policies(self.store).current(MODEL).number + 1
        Policies(self.store).write(MODEL, Policy(number=number, **(POLICY | changed)))

    def label(self, rows: Sequence[Row], name: str = "first") -> None:
        """Rows as metric_emission leaves them, scored and labelled, by day."""
        arrived = NOW + timedelta(seconds=next(self.arrivals))
        for when in sorted({row["at"].date() for row in rows}):
            today = [row for row in rows if row["at"].date() == when]
            columns: dict[str, Any] = {name: [row[name] for row in today] for name in ("id", "price", "shop")}
            columns |= {"at": pa.array([row["at"] for row in today], pa.timestamp("us", "UTC")), "score": [0.5] * len(today)}
            table = pa.table(
                columns
                | {
                    "everscore_label": pa.array([row["bought"] for row in today], pa.string()),
                    "everscore_label_arrived": [arrived] * len(today),
                }
            )
            body = io.BytesIO()
            pq.write_table(table, body)
            self.store.write(layout.labelled_key(MODEL, when, name), body.getvalue())

    def batch(self, number: int, *, dated_ahead: int = 0) -> None:
        """A batch of a hundred rows was scored, all of one day but for some that claim to be of a later year."""
        days = {day(number): 100 - dated_ahead, day(number + 1000): dated_ahead}
        manifest = make_manifest(f"{number}.csv", day=day(number), rows_in=100, rows_scored=100, event_days=days)
        Manifests(self.store).commit(manifest)

    def serve(self, version: str = "1") -> None:
        """Release has put a version in the champion's place."""
        releases = Releases(self.store)
        standing = releases.standing(MODEL)
        decision = Decisions(self.store).of(MODEL, version)
        assert decision is not None
        served = ServedModel(version=version, digest=decision.digest, prefix=layout.version_prefix(MODEL, version))
        releases.publish(make_release(seq=standing.release.seq + 1 if standing else 1, champion=served), over=standing)

    # What retraining does

    def train(self, rows: Sequence[Row] | bytes, **request: Any) -> Decision:
        """A first version from an uploaded file."""
        body = rows if isinstance(rows, bytes) else as_csv(rows)
        key = self.inbox.write(f"training/{MODEL}/first.csv", body).key
        plain: dict[str, Any] = {"target": "bought", "id_column": "id", "time_column": "at", "estimator": LINEAR}
        return _decided(train_first(TrainRequest(model=MODEL, key=key, **(plain | request)), self.ports()))

    def adopt(self, rows: Sequence[Row], **request: Any) -> Decision:
        """A first version that others trained, with an uploaded file of reference."""
        key = self.inbox.write(f"training/{MODEL}/reference.csv", as_csv(rows)).key
        plain: dict[str, Any] = {"target": "bought", "id_column": "id", "time_column": "at"}
        return _decided(adopt_first(AdoptRequest(model=MODEL, key=key, **(plain | request)), self.ports()))

    def decisions(self) -> list[Decision]:
        """All that was decided."""
        return Decisions(self.store).all(MODEL)

    def retrain(self, *, ports: Ports | None = None, again: bool = False, **request: Any) -> RetrainingResult:
        """A challenger."""
        return retrain(RetrainRequest(**({"model": MODEL, "trigger": "person"} | request)), ports or self.ports(), again=again)

    def challenger(self, **request: Any) -> Decision:
        """A challenger that is made for certain."""
        return _decided(self.retrain(**request))


def _decided(result: RetrainingResult) -> Decision:
    assert result.decision is not None, result.skipped
    return result.decision


@cache
def _trained() -> World:
    world = World()
    world.set_policy()
    world.train(sold(0, 30))
    world.serve()
    return world


def trained() -> World:
    """Version 1 was trained on days 0 to 29 and serves."""
    first = _trained()
    return World(inbox=first.inbox.copy(), store=first.store.copy(), registry=copy.deepcopy(first.registry))


def labelled() -> World:
    """… days 30 to 44 were scored and labelled since, and all of these are mature."""
    world = trained()
    world.label(sold(30, 15))
    world.batch(60)
    return world
