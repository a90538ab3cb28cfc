"""A model's life on two buckets in moto, every request of every function written down."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from moto import mock_aws

from functions.cataloguing.delivery import TableDelivery
from functions.cataloguing.glue import glue_tables
from functions.cataloguing.ports import Ports as CataloguingPorts
from functions.cataloguing.upkeep import compare
from functions.cataloguing.upkeep import sweep as sweep_tables
from functions.code_check.ports import Ports as CodeCheckPorts
from functions.code_check.service import compare_batches
from functions.erasure.event import EraseRequest
from functions.erasure.ports import Ports as ErasurePorts
from functions.erasure.service import erase
from functions.metric_emission import day_labels, day_rows
from functions.metric_emission.labelling import measure_labels
from functions.metric_emission.ports import Delivery, Ports
from functions.metric_emission.service import measure_batch
from functions.metric_emission.upkeep import sweep, tick
from functions.notification.ports import Ports as NotificationPorts
from functions.notification.service import notify
from functions.partitioning.event import Failure
from functions.partitioning.ports import Ports as PartitioningPorts
from functions.partitioning.service import commit_batch, give_up, plan_batch
from functions.release import approvals
from functions.release import service as release
from functions.release.ports import Ports as ReleasePorts
from functions.retraining.event import ReproduceRequest, RetrainRequest, TrainRequest
from functions.retraining.ports import Ports as RetrainingPorts
from functions.retraining.reproduction import reproduce
from functions.retraining.service import retrain, train_first
from functions.scoring.again import rescore_batch, verify_batch
from functions.scoring.partition import score_partition
from functions.scoring.ports import Ports as ScoringPorts
from functions.scoring.service import score_batch
from functions.shared.adapters.glue import glue_client
from functions.shared.adapters.s3 import S3ObjectStore, s3_client
from functions.shared.domain import layout
from functions.shared.domain.answer import ASKED
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.errors import PartitionsFailedError
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.partition import Partition
from functions.shared.domain.policy import Policy
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.partitions import Partitions
from functions.shared.repositories.policies import Policies
from functions.shared.runtime.answers import keeping_answers
from tests.fakes.measuring import make_ports
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.recording_bus import RecordingBus

MODEL, BUCKETS = "sales", ("Inbox", "Store")
FIRST = datetime(2013, 1, 1, tzinfo=UTC)
ROWS_A_DAY = 20
PEOPLE = "people"


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """What IAM is asked: an action on a key of a bucket, or on a listing of a prefix."""

    bucket: str
    action: str
    key: str


def requests_of(operation: str, parameters: dict[str, Any]) -> Iterator[Request]:
    """The rights that an operation of S3 needs (Service Authorization Reference); `If-Match` compares, so it reads too."""
    bucket, key = parameters["Bucket"], parameters.get("Key", "")
    match operation:
        case "GetObject" | "HeadObject":
            yield Request(bucket, "s3:GetObjectVersion" if "VersionId" in parameters else "s3:GetObject", key)
        case "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" | "DeleteObject":
            yield Request(bucket, "s3:DeleteObject" if operation == "DeleteObject" else "s3:PutObject", key)
            if "IfMatch" in parameters:
                yield Request(bucket, "s3:GetObject", key)
        case "AbortMultipartUpload":
            yield Request(bucket, "s3:AbortMultipartUpload", key)
        case "DeleteObjects":
            for named in parameters["Delete"]["Objects"]:
                yield Request(bucket, "s3:DeleteObject", named["Key"])  # always, says its reference
                if "VersionId" in named:
                    yield Request(bucket, "s3:DeleteObjectVersion", named["Key"])
        case "ListObjectVersions":
            yield Request(bucket, "s3:ListBucketVersions", parameters["Prefix"])
        case "ListObjectsV2":
            yield Request(bucket, "s3:ListBucket", parameters["Prefix"])
        case _:
            message = f"{operation} is new: say which right it needs"
            raise NotImplementedError(message)


@dataclass
class Story:
    """The functions with their real store, and the people around them."""

    requests: dict[str, set[Request]] = field(default_factory=lambda: defaultdict(set))
    of_glue: set[str] = field(default_factory=set)
    clients: dict[str, Any] = field(default_factory=dict)
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    names: Iterator[int] = field(default_factory=count)
    later: timedelta = timedelta()

    def store(self, who: str, bucket: str) -> S3ObjectStore:
        """A bucket as a function reaches it; people's requests are not written down."""
        if who not in self.clients:
            self.clients[who] = s3_client()
            self.clients[who].meta.events.register("before-parameter-build.s3", partial(self._note, who))
        return S3ObjectStore(self.clients[who], bucket)

    def _note(self, who: str, params: dict[str, Any], model: Any, **_: Any) -> None:
        if who != PEOPLE:
            self.requests[who].update(requests_of(model.name, params))

    def now(self) -> datetime:
        """Wall-clock time, which a test may push on."""
        return datetime.now(UTC) + self.later

    def new_name(self) -> str:
        """A name that no other attempt has."""
        return f"a{next(self.names)}"

    # People

    def upload(self, key: str, text: str) -> StoredObject:
        """A file for the inbox."""
        info = self.store(PEOPLE, "Inbox").write(key, text.encode())
        return StoredObject(bucket="Inbox", key=key, version_id=info.version_id, etag=info.etag, size_bytes=info.bytes)

    # Functions

    def scoring(self) -> ScoringPorts:
        store = self.store("scoring", "Store")
        return ScoringPorts(self.store("scoring", "Inbox"), store, Bundles(store), self.new_name, self.now)

    def score(self, created: StoredObject) -> Manifest:
        return score_batch(created, self.scoring())

    def score_in_partitions(self, created: StoredObject) -> Manifest:
        """What the state machine does, with a worker that another one overtakes."""
        store = self.store("partitioning", "Store")
        ports = PartitioningPorts(
            inbox=self.store("partitioning", "Inbox"),
            store=store,
            new_attempt=self.new_name,
            now=self.now,
            partition_bytes=2**19,
            whole_bytes=2**30,
            concurrency=2,
        )
        assert plan_batch(created.key, created.version_id, ports) == 1
        batch = layout.batch_id("Inbox", created.key, created.version_id)
        lost = Failure(Error="States.ExceedToleratedFailureThreshold")
        with pytest.raises(PartitionsFailedError):
            give_up(created.key, created.version_id, lost, execution="x", redrives=0, asked_at="1", ports=ports)
        give_up(created.key, created.version_id, lost, execution="x", redrives=1, asked_at="2", ports=ports)
        scoring = self.scoring()
        for partition in Partitions(self.store(PEOPLE, "Store")).plan(MODEL, batch, 1) or ():
            score_partition(partition, replace(scoring, new_attempt=partial(self._overtaken, partition, scoring)))
        assert commit_batch(created.key, created.version_id, 1, ports) is None
        return Manifests(self.store(PEOPLE, "Store")).named(MODEL, batch)

    def _overtaken(self, partition: Partition, scoring: ScoringPorts) -> str:
        score_partition(partition, scoring)
        return self.new_name()

    def score_again(self, manifest: Manifest) -> Manifest:
        ports = self.scoring()
        assert verify_batch(MODEL, manifest.batch_id, ports).identical
        return rescore_batch(MODEL, manifest.batch_id, ports)

    def measuring(self) -> Ports:
        return make_ports(self.store("metric_emission", "Store"), inbox=self.store("metric_emission", "Inbox"), now=self.now)

    def record(self, manifest: Manifest) -> None:
        key = layout.manifest_key(MODEL, manifest.source.last_modified.date(), manifest.batch_id)
        created = StoredObject(bucket="Store", key=key, version_id="null", etag="", size_bytes=1)
        measure_batch(created, Delivery(self.measuring()))

    def label(self, created: StoredObject) -> None:
        measure_labels(created, Delivery(self.measuring()))

    def cataloguing(self) -> CataloguingPorts:
        """Its requests of Glue are written down too."""
        store, glue = self.store("cataloguing", "Store"), glue_client()
        glue.meta.events.register("before-parameter-build.glue", lambda model, **_: self.of_glue.add(model.name))
        return CataloguingPorts(store, glue_tables(glue, store, "everscore"))

    def bring_into_tables(self, *manifests: Manifest) -> None:
        """What a delivery does."""
        delivery = TableDelivery(self.cataloguing())
        for manifest in manifests:
            key = layout.manifest_key(MODEL, manifest.source.last_modified.date(), manifest.batch_id)
            delivery.catalogue(StoredObject(bucket="Store", key=key, version_id="null", etag="", size_bytes=1))

    def retraining(self) -> RetrainingPorts:
        store = self.store("retraining", "Store")
        return RetrainingPorts(
            inbox=self.store("retraining", "Inbox"),
            store=store,
            registry=self.registry,
            bundles=Bundles(store),
            events=RecordingBus(),
            new_holder=self.new_name,
            now=self.now,
        )

    def check_code(self) -> None:
        store = self.store("code_check", "Store")
        ports = CodeCheckPorts(store, by_new=lambda *_: (), by_old=lambda *_: ())
        compared = compare_batches(lambda: store.folders("manifests/"), ports, has_time=lambda: True, pause=lambda: None)
        assert [comparison.model for comparison in compared] == [MODEL]

    def releasing(self) -> ReleasePorts:
        return ReleasePorts(self.store("release", "Store"), self.registry, self.new_name, self.now)

    def tick(self) -> str:
        return release.tick(MODEL, self.releasing()).action.value


def table(first_day: int, days: int, *, columns: str, inverted: bool = False, dearer: float = 0) -> str:
    """Rows of some days as CSV; whoever sees a low price buys, or, inverted, a high one. All prices may be dearer."""
    rng = np.random.default_rng(first_day)
    lines = [columns]
    for number in range(days * ROWS_A_DAY):
        at = FIRST + timedelta(days=first_day + number // ROWS_A_DAY, minutes=number % ROWS_A_DAY)
        price = rng.normal()
        bought = (price + rng.normal() / 2 > 0) == inverted
        row = {"id": f"d{first_day}-{number}", "at": at.isoformat(), "price": f"{price + dearer:.3f}", "bought": "yes" if bought else "no"}
        lines.append(",".join(row[name] for name in columns.split(",")))
    return "\n".join(lines) + "\n"


BATCH, LABELS, TRAINING = "id,at,price", "id,at,bought", "id,at,price,bought"
POLICY: dict[str, Any] = {
    "labels": {"delay_days": 0},
    "performance": {"min_days": 2, "min_labels": 20},
    "drift": {"min_rows": 20},
    "retraining": {"min_new_labels": 20},
    "gate": {"holdout_days": 5, "min_holdout_days": 2, "min_rows": 20, "min_rarer_class": 2, "resamples": 200},
}


def play(patch: pytest.MonkeyPatch) -> Story:
    """First version, batches, labels, a challenger, its rollout, decay, new code, the clock's upkeep, and an erasure."""
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
        patch.setenv(f"AWS_{name}", value)
    patch.delenv("AWS_ENDPOINT_URL", raising=False)
    for few in (day_rows, day_labels):  # any day has many batches and labels
        patch.setattr(few, "FEW", 0)
    with mock_aws():
        story = Story()
        for name in BUCKETS:
            s3_client().create_bucket(Bucket=name)
            s3_client().put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        _first_version(story)
        _batches_and_labels(story)
        _challenger(story)
        _decay(story)
        _notified(story)
        _tables(story)
        story.check_code()
        _upkeep(story)
        _erasure(story)
    return story


def _first_version(story: Story) -> None:
    key = f"training/{MODEL}/first.csv"
    created = story.upload(key, table(0, 30, columns=TRAINING))
    estimator = "sklearn.linear_model.LogisticRegression"
    named: dict[str, Any] = {"model": MODEL, "key": key, "target": "bought", "id_column": "id", "time_column": "at", "estimator": estimator}
    request = {"version_id": created.version_id, **named}

    def train(request: dict[str, Any], _: object) -> dict[str, Any]:
        return train_first(TrainRequest(**request), story.retraining()).model_dump(mode="json")

    watched = keeping_answers(lambda: story.store("retraining", "Store"))(train)
    for _ in range(2):  # the second time as Lambda repeats an event
        watched({**request, ASKED: "0" * 32}, None)
    Policies(story.store(PEOPLE, "Store")).write(MODEL, Policy(number=1, **POLICY))
    assert story.tick() == "promote"


def _batch(story: Story, first_day: int, days: int, *, bad_rows: str = "", dearer: float = 0) -> Manifest:
    """A batch that two deliveries score, after an attempt that crashed, and that is measured."""
    created = story.upload(f"batches/{MODEL}/{first_day}.csv", table(first_day, days, columns=BATCH, dearer=dearer) + bad_rows)
    batch = layout.batch_id("Inbox", created.key, created.version_id)
    crashed = layout.scored_key(MODEL, batch, "crashed", 0), layout.quarantine_key(MODEL, batch, "crashed", 0)
    for key in crashed:
        story.store(PEOPLE, "Store").write(key, b"")
    manifest = story.score(created)
    assert story.score(created) == manifest
    story.record(manifest)
    return manifest


def _batches_and_labels(story: Story) -> None:
    first = _batch(story, 30, 15, bad_rows="r,2013-01-31T00:00:00Z,cheap\n")
    large = story.upload(f"batches/{MODEL}/partitioned/4000/large.csv", table(46, 15, columns=BATCH) + "r,2013-01-31T00:00:00Z,cheap\n")
    crashed = MODEL, layout.batch_id("Inbox", large.key, large.version_id), "crashed", 0
    for key in (layout.scored_key(*crashed), layout.quarantine_key(*crashed)):
        story.store(PEOPLE, "Store").write(key, b"")
    assert story.score_in_partitions(large).rows_quarantined == 1
    story.label(story.upload(f"labels/{MODEL}/30.csv", table(30, 15, columns=LABELS)))
    story.record(story.score_again(first))
    story.label(story.upload(f"labels/{MODEL}/again.csv", table(30, 15, columns=LABELS)))


def _challenger(story: Story) -> None:
    result = retrain(RetrainRequest(model=MODEL, trigger="person"), story.retraining())
    assert result.decision is not None
    assert retrain(RetrainRequest(), story.retraining()).requested == (MODEL,)
    assert reproduce(ReproduceRequest(model=MODEL, version="2"), story.retraining()).identical
    story.registry.set_aliases(MODEL, {"challenger": "2"})
    assert story.tick() == "none", "the gate kept it out"
    release.try_out(MODEL, "2", reason="audit", who="ada", force=True, ports=story.releasing())
    _batch(story, 45, 3)
    asked = {"canary": {"labels": "ignore"}, "release": {"approval": "every_step"}}
    Policies(story.store(PEOPLE, "Store")).write(MODEL, Policy(number=2, **POLICY, **asked))  # type: ignore[arg-type]
    assert story.tick() == "wait"
    approvals.reject(MODEL, "2", reason="audit", who="ada", ports=story.releasing())
    release.promote(MODEL, "2", reason="audit", who="ada", force=True, ports=story.releasing())
    release.rollback(MODEL, reason="audit", who="ada", ports=story.releasing())


def _notified(story: Story) -> None:
    """A message about each alert, decision and release, delivered twice."""
    store = story.store("notification", "Store")
    ports = NotificationPorts(store, {"topic": SimpleNamespace(send=lambda _: None)}, "everscore", story.now)
    said = [
        found for prefix in ("alerts/", "decisions/", f"releases/{MODEL}/history/") for found in story.store(PEOPLE, "Store").list(prefix)
    ]
    for news in said * 2:
        notify(StoredObject(bucket="Store", key=news.key, version_id="null", etag="", size_bytes=1), ports)


def _tables(story: Story) -> None:
    """Batches come into the tables one after the other, so often that old metadata is deleted."""
    store = Manifests(story.store(PEOPLE, "Store"))
    for number in range(12):
        story.bring_into_tables(*store.newest(MODEL))
        story.score(story.upload(f"batches/{MODEL}/table-{number}.csv", table(70, 1, columns=BATCH)))
    compare(story.cataloguing(), story.now())
    sweep_tables(story.cataloguing(), story.now() + timedelta(days=2))


def _decay(story: Story) -> None:
    for first_day in (50, 60):
        _batch(story, first_day, 10, dearer=5)
    story.label(story.upload(f"labels/{MODEL}/inverted.csv", table(50, 10, columns=LABELS, inverted=True)))
    said = [info.key for info in story.store(PEOPLE, "Store").list("alerts/")]
    assert any("performance" in key for key in said)
    assert any("drift" in key for key in said)


def _upkeep(story: Story) -> None:
    story.upload(f"batches/{MODEL}/lost.csv", "id\n")
    for key in (layout.scored_key(MODEL, "f" * 32, "a", 0), layout.quarantine_key(MODEL, "f" * 32, "a", 0)):
        story.store(PEOPLE, "Store").write(key, b"")
    tick(story.measuring())
    for later in (timedelta(hours=3), timedelta(days=16)):
        story.later = later
        sweep(story.measuring())


def _erasure(story: Story) -> None:
    """People with rows in everything, the only one of their batch too, are erased once all is quiet."""
    store = story.store(PEOPLE, "Store")
    headless = story.upload(f"batches/{MODEL}/headless.csv", table(30, 1, columns=BATCH).split("\n", 1)[1])
    story.record(story.score(headless))
    alone = story.upload(f"batches/{MODEL}/alone.csv", f"{BATCH}\nd30-0,2013-03-30T00:00:00Z,1\nr,,cheap\ns,,cheap\n")
    story.record(story.score(alone))
    story.later = timedelta()
    story.label(story.upload(f"labels/{MODEL}/early.csv", "id,at,bought\nd30-0,2013-12-01T00:00:00Z,yes\n"))
    story.label(story.upload(f"labels/{MODEL}/alone.csv", "id,at,bought\nd30-0,2013-03-30T00:00:00Z,yes\n"))
    assert [*store.list(f"answers/{MODEL}/")]
    left = b'{"row": 1, "code": "missing_time", "raw": "d30-0,,1"}\n'
    store.write(layout.partition_quarantine_key(MODEL, next(iter(Manifests(store).keys(MODEL))), "a", 0), left)
    story.later = timedelta(days=4)
    ports = ErasurePorts(story.store("erasure", "Inbox"), story.store("erasure", "Store"), story.new_name, story.now)
    erased = erase(EraseRequest(model=MODEL, ids=("d0-0", "d30-0", "r"), who="ada"), ports)
    assert erased.rows.keys() == {"scored", "quarantine", "labelled", "waiting", "identities"}
    assert erased.versions
    assert erased.left == ()
    assert {info.key for info in store.list(f"erasures/{MODEL}/")} == {layout.erasure_key(MODEL, erased.erasure)}
