"""April of the demo, by the functions' own code in this process: it warms up, which is drift and does no harm."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from functions.metric_emission.labelling import measure_labels
from functions.metric_emission.ports import Delivery
from functions.metric_emission.service import measure_batch
from functions.release.ports import Ports as ReleasePorts
from functions.release.service import tick
from functions.retraining.event import RetrainRequest, TrainRequest
from functions.retraining.ports import Ports as RetrainingPorts
from functions.retraining.service import retrain, train_first
from functions.scoring.ports import Ports as ScoringPorts
from functions.scoring.service import score_batch
from functions.shared.domain import layout
from functions.shared.domain.advice import ADVICE
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.decision import Verdict
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.policy import GatePolicy, Policy, RetrainingPolicy, RowContract
from functions.shared.ports import ObjectInfo
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.documents import read_documents
from functions.shared.repositories.performances import labelled_days, performances
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases
from infra.demo import flights
from infra.demo.flights import MODEL
from tests.fakes.measuring import make_ports
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.memory_store import MemoryStore
from tests.fakes.recording_bus import RecordingBus

MONDAYS = [date(2013, 4, 1) + timedelta(days=7 * number) for number in range(4)]


@dataclass
class World:
    """The stack's buckets and registry, and its functions as its events would call them."""

    inbox: MemoryStore = field(default_factory=lambda: MemoryStore("inbox"))
    store: MemoryStore = field(default_factory=MemoryStore)
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        """One shelf of loaded versions, as in a warm process."""
        self.bundles = Bundles(self.store)

    def now(self) -> datetime:
        """After the last week, on the stores' own calendar; each time that it is asked, a second later."""
        return datetime(2013, 4, 30, tzinfo=UTC) + timedelta(seconds=next(self.numbers))

    @property
    def retraining(self) -> RetrainingPorts:
        """Retraining's ports."""
        ports: dict[str, Any] = {"inbox": self.inbox, "store": self.store, "registry": self.registry, "bundles": self.bundles}
        return RetrainingPorts(**ports, events=RecordingBus(), new_holder=lambda: "holder", now=self.now)

    @property
    def releasing(self) -> ReleasePorts:
        """Release's ports."""
        return ReleasePorts(store=self.store, registry=self.registry, new_name=lambda: "salt", now=self.now)

    def train(self, body: bytes) -> None:
        """A person trains the first version, and it serves."""
        key = f"training/{MODEL}/2013-q1.parquet"
        info = self.inbox.write(key, body)
        columns = {"target": flights.TARGET, "id_column": flights.ID, "time_column": flights.TIME}
        train_first(TrainRequest(model=MODEL, key=key, version_id=info.version_id, **columns), self.retraining)
        tick(MODEL, self.releasing)

    def score(self, week: flights.Week) -> Manifest:
        """A week's flights arrive."""
        uploaded = created("inbox", self.inbox.write(f"batches/{MODEL}/{week.name}.csv", week.batch))
        attempt = f"a{next(self.numbers)}"
        manifest = score_batch(uploaded, ScoringPorts(self.inbox, self.store, self.bundles, lambda: attempt, self.now))
        key = layout.manifest_key(MODEL, manifest.source.last_modified.date(), manifest.batch_id)
        measure_batch(created("store", self.store.info(key)), self.delivery)
        return manifest

    def label(self, week: flights.Week) -> None:
        """Its labels arrive."""
        uploaded = created("inbox", self.inbox.write(f"labels/{MODEL}/{week.name}.csv", week.labels))
        measure_labels(uploaded, self.delivery)

    @property
    def delivery(self) -> Delivery:
        """One message to metric_emission."""
        return Delivery(make_ports(self.store, inbox=self.inbox, bundles=self.bundles, now=self.now))

    @property
    def alerts(self) -> list[Alert]:
        """What people were reported."""
        return [alert for alert in read_documents(self.store, Alert, f"alerts/{MODEL}/") if not alert.closed]


def created(bucket: str, info: ObjectInfo) -> StoredObject:
    return StoredObject(bucket=bucket, key=info.key, version_id=info.version_id, etag=info.etag, size_bytes=info.bytes)


@pytest.fixture(scope="module")
def april() -> World:
    """Four weeks of flights, scored by what January to March taught, and all their labels; no cool-down between trainings."""
    world, departures = World(), flights.departures()
    policy = Policy(
        number=1,
        who="test",
        why="the demo's, in a hurry",
        written_at=world.now(),
        row_contract=RowContract(ranges={"wind_speed": flights.WIND_RANGE}),
        retraining=RetrainingPolicy(cool_down_hours=0),
        gate=GatePolicy(folds=0),
    )
    Policies(world.store).write(MODEL, policy)
    world.train(flights.between(departures, date(2013, 1, 1), date(2013, 3, 31)).to_parquet(index=False))
    for week in (flights.week(departures, monday) for monday in MONDAYS):
        manifest = world.score(week)
        assert manifest.rows_scored == week.rows - week.broken
        world.label(week)
    return world


def test_no_alert_says_that_april_goes_badly_though_all_labels_are_known(april: World) -> None:
    days = list(performances(MODEL, april.store, labelled_days(MODEL, april.store)))
    assert sum(day.rows_labelled for day in days) > 20_000
    assert len(days) == 28
    assert {alert.kind for alert in april.alerts} == {AlertKind.DRIFT}


def test_temperature_drifts_and_the_alert_says_so_and_what_it_does_to_the_scores(april: World) -> None:
    for alert in april.alerts:
        assert "temp (PSI " in alert.message
        [temperature] = [column for column in alert.why if column.feature == "temp"]
        assert temperature.drifted
        assert temperature.effect is not None
        assert 0 < temperature.effect.moved < 0.05, "of scores whose mean is about a fifth"


def test_every_alert_is_explained_in_words(april: World) -> None:
    assert april.alerts
    for alert in april.alerts:
        assert len(ADVICE[alert.kind].meaning.split()) > 20
        assert alert.runbook == f"docs/runbook.md#{alert.kind.value}"
        moved = [column.effect.moved for column in alert.why if column.effect]
        assert moved == sorted(moved, reverse=True)
        assert len(moved) == 5


def test_a_retraining_that_the_drift_asks_for_promotes_nothing(april: World) -> None:
    result = retrain(RetrainRequest(model=MODEL, trigger="drift"), april.retraining)
    assert result.decision is not None
    assert result.decision.verdict is Verdict.KEEP
    tick(MODEL, april.releasing)
    release = Releases(april.store).current(MODEL)
    assert release is not None
    assert (release.champion.version, release.challenger) == ("1", None)
