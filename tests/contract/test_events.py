"""Each sample event, read as its function reads it, says what its name says."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

import functions.cataloguing.delivery as delivering
import functions.cataloguing.handler as cataloguing
import functions.cataloguing.upkeep as table_upkeep
import functions.metric_emission.handler as metric_emission
import functions.notification.handler as notification
import functions.notification.service as notifying
import functions.partitioning.event as partitioning
import functions.release.event as release
import functions.retraining.event as retraining
import functions.scoring.handler as scoring
import functions.scoring.partition as scoring_partition
from functions.code_check.event import PreTrafficEvent
from functions.erasure.event import EraseRequest
from functions.metric_emission import delivered, upkeep
from functions.partitioning.event import CommitRequest, Failure, GiveUpRequest, PlanRequest
from functions.release.event import ReleaseRequest
from functions.retraining.event import AdoptRequest, ImportRequest, ReproduceRequest, RetrainRequest, TrainRequest
from functions.scoring.event import RescoreRequest
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.partition import Partition, PartitionResult, Portion
from functions.shared.domain.policy import Window
from functions.shared.runtime.queue import process_request
from tests.fakes.measuring import make_ports
from tests.fakes.memory_store import MemoryStore

FOLDER = Path(__file__).parents[2] / "events"
INBOX, STORE = "everscore-inbox-1a2b3c4d5e6f", "everscore-store-6f5e4d3c2b1a"
EVENTS: dict[str, dict[str, Any]] = {
    path.relative_to(FOLDER).with_suffix("").as_posix(): json.loads(path.read_text()) for path in FOLDER.rglob("*.json")
}
CONTEXT: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000)

ARRIVALS = {
    "scoring/s3-upload": [
        StoredObject(
            bucket=INBOX,
            key="batches/flights/2013/week 14.csv",
            version_id="3HL4kqtJvjVBH40Nrjfkd2KxW1oZpQyN",
            etag="9e107d9d372bb6826bd81d3542a419d6",
            size_bytes=1_048_576,
            created_at=datetime(2013, 4, 4, 14, tzinfo=UTC),
        )
    ],
    "scoring/several-uploads": [
        StoredObject(
            bucket=INBOX,
            key="batches/flights/2013/week 17.csv.gz",
            version_id="Hn5WbK8rM1xTq3LvJ7cYz0PsDgF2aUeR",
            etag="c81e728d9d4c2f636f067f89cc14862c",
            size_bytes=2048,
            created_at=datetime(2013, 4, 4, 14, tzinfo=UTC),
        ),
        StoredObject(
            bucket=INBOX,
            key="batches/churn/june.parquet",
            version_id="Tz4LkP9vB1nXq6RwJ8cYm0HsDgF3aUeW",
            etag="eccbc87e4b5ce2fe28308fd9f2a7baf3",
            size_bytes=1_048_576,
            created_at=datetime(2013, 4, 4, 14, tzinfo=UTC),
        ),
        StoredObject(
            bucket=INBOX,
            key="batches/flights/2013/week 16.csv",
            version_id="Qy7mTn2VxW9bLk4RcPs0ZfJh3EaUgD6o",
            etag="c4ca4238a0b923820dcc509a6f75849b",
            size_bytes=104_857_600,
            created_at=datetime(2013, 4, 4, 14, tzinfo=UTC),
        ),
    ],
    "scoring/odd-key": [
        StoredObject(
            bucket=INBOX,
            key="batches/flights/2013/wk +14 100%25 café 札幌=a&b's (1).csv",
            version_id="Wc3UyM8rKx0d1NsVfIt6ZlK4bEhQ7AjL",
            etag="1679091c5a880faf6fb5e6087eb1b2dc",
            size_bytes=4096,
            created_at=datetime(2013, 4, 4, 14, tzinfo=UTC),
        )
    ],
    "scoring/s3-test-event": [],
    "scoring/folder-marker": [],
    "metric_emission/labels-upload": [
        StoredObject(
            bucket=INBOX,
            key="labels/flights/2013/week 14.csv",
            version_id="Xf2bN9rTqLw0c7MvUeHs5YkJ3aDgP6Zi",
            etag="e4d909c290d0fb1ca068ffaddf22cbd0",
            size_bytes=204_800,
            created_at=datetime(2013, 4, 11, 14, tzinfo=UTC),
        )
    ],
    "metric_emission/manifest-created": [
        StoredObject(
            bucket=STORE,
            key="manifests/flights/dt=2013-04-04/5d41402abc4b2a76b9719d911017c592.json",
            version_id="b8RkZ1nVxQ4tLm7WcPy0HsJf3EaUgD2o",
            etag="0cc175b9c0f1b6a831c399e269772661",
            size_bytes=5120,
            created_at=datetime(2013, 4, 4, 14, 0, 9, tzinfo=UTC),
        )
    ],
    **{
        f"notification/{event}": [
            StoredObject(
                bucket=STORE,
                key=key,
                version_id="b8RkZ1nVxQ4tLm7WcPy0HsJf3EaUgD2o",
                etag="0cc175b9c0f1b6a831c399e269772661",
                size_bytes=1024,
                created_at=datetime(2013, 4, 4, 14, 0, 9, tzinfo=UTC),
            )
        ]
        for event, key in {
            "alert-raised": "alerts/flights/2013-04-04-5d41402a-drift.json",
            "decision-made": "decisions/flights/7.json",
            "release-decided": "releases/flights/history/000012.json",
        }.items()
    },
    "cataloguing/several-manifests": [
        StoredObject(
            bucket=STORE,
            key=f"manifests/{key}.json",
            version_id=version,
            etag="0cc175b9c0f1b6a831c399e269772661",
            size_bytes=size,
            created_at=datetime(2013, 4, 4, 14, 0, 9, tzinfo=UTC),
        )
        for key, version, size in (
            ("flights/dt=2013-04-04/5d41402abc4b2a76b9719d911017c592", "b8RkZ1nVxQ4tLm7WcPy0HsJf3EaUgD2o", 5120),
            ("flights/dt=2013-04-04/7d793037a0760186574b0282f2f435e7", "c9SlA2oWyR5uMn8XdQz1ItKg4FbVhE3p", 5121),
            ("churn/dt=2013-04-03/9dd4e461268c8034f5c8564e155c67a6", "d0TmB3pXzS6vNo9YeRa2JuLh5GcWiF4q", 5122),
        )
    ],
}

YEAR = {"key": "batches/flights/2013/year.csv", "version_id": "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY"}
EXECUTION = "arn:aws:states:eu-central-1:123456789012:execution:everscore-partitioned-scoring:2c46dbbbf8926d7b38ec278c09183ec2"

SCHEDULED = {
    "metric_emission/tick": "tick",
    "metric_emission/sweep": "sweep",
    "cataloguing/compare": "compare",
    "cataloguing/sweep": "sweep",
}

REQUESTS = {
    "retraining/schedule": RetrainRequest(model=None, trigger="schedule"),
    "retraining/requested": RetrainRequest(model="flights", trigger="schedule"),
    "retraining/alert": RetrainRequest(model="flights", trigger="alert:performance"),
    "retraining/retrain-by-hand": RetrainRequest(
        model="flights", trigger="person", window=Window(start=date(2013, 3, 1), end=date(2013, 3, 10))
    ),
    "retraining/train-by-hand": TrainRequest(
        model="flights",
        key="training/flights/spring.parquet",
        version_id="Rk6XdQ3wLt9c8NvUeHs5YzJ2aDgP7ZiM",
        target="late",
        id_column="flight_id",
        time_column="scheduled_departure",
        timezone="America/New_York",
    ),
    "retraining/adopt-by-hand": AdoptRequest(
        model="flights",
        uri="models:/late-departures/3",
        key="training/flights/spring.parquet",
        version_id="Rk6XdQ3wLt9c8NvUeHs5YzJ2aDgP7ZiM",
        target="late",
        id_column="flight_id",
        time_column="scheduled_departure",
        timezone="America/New_York",
    ),
    "retraining/import-by-hand": ImportRequest(
        model="flights", key="training/flights/import/flights-3.everscore", version_id="Wq8JfT2nZbV5yKxA0cRmE7uHgLsD4oPi"
    ),
    "retraining/reproduce-by-hand": ReproduceRequest(model="flights", version="2"),
    "scoring/rescore-by-hand": RescoreRequest(action="rescore", model="flights", batch_id="5d41402abc4b2a76b9719d911017c592"),
    "erasure/erase-by-hand": EraseRequest(model="churn", ids=("C-1042", "C-2077"), reason="request of 3 June", who="ada"),
    "code_check/pre-traffic": PreTrafficEvent(
        DeploymentId="d-EXAMPLE4X", LifecycleEventHookExecutionId="eyJlbmNyeXB0ZWREYXRhIjoiZXhhbXBsZSJ9"
    ),
    "partitioning/plan": PlanRequest(action="plan", **YEAR),
    "partitioning/commit": CommitRequest(action="commit", **YEAR, turn=1),
    "partitioning/give-up": GiveUpRequest(
        action="give_up",
        **YEAR,
        execution=EXECUTION,
        redrives=0,
        entered="2013-12-31T23:59:59.123Z",
        failure=Failure(Error="States.ExceedToleratedFailureThreshold", Cause="The specified tolerated failure threshold was exceeded"),
    ),
    "release/decision-created": ReleaseRequest(action="tick", model="flights", who="decision"),
    "release/tick": ReleaseRequest(action="tick", model=None, who="schedule"),
    "release/tick-by-hand": ReleaseRequest(action="tick", model="flights", who="ada"),
    "release/promote-by-hand": ReleaseRequest(action="promote", model="flights", version="2", reason="the winter season begins", who="ada"),
    "release/approve-by-hand": ReleaseRequest(
        action="approve",
        model="flights",
        version="2",
        reason="the gate's gain is real, and no column of it is new",
        who="arn:aws:iam::123456789012:user/ada",
    ),
    "release/reject-by-hand": ReleaseRequest(
        action="reject",
        model="flights",
        version="2",
        reason="it learnt the days of the strike",
        who="arn:aws:iam::123456789012:user/ada",
    ),
    "release/retire-by-hand": ReleaseRequest(action="retire", model="flights", reason="the airport closed", who="ada"),
    "release/rollback-by-hand": ReleaseRequest(
        action="rollback", model="flights", reason="complaints about Monday's predictions", who="ada"
    ),
}

PARTITION = "scoring/partition"


def retraining_request(event: dict[str, Any]) -> BaseModel:
    """The request of a call, or of a delivery from the queue."""
    found: list[BaseModel] = []
    visibility: Any = SimpleNamespace(hide=lambda *_: None)
    if "Records" not in event:
        return retraining.parse_request(event)
    assert process_request(event, lambda body, _: found.append(retraining.parse_request(body)), visibility) == {"batchItemFailures": []}
    [request] = found
    return request


PARSERS: dict[str, Callable[[dict[str, Any]], BaseModel]] = {
    "retraining": retraining_request,
    "release": release.parse_request,
    "erasure": EraseRequest.model_validate,
    "code_check": PreTrafficEvent.model_validate,
    "partitioning": partitioning.parse_request,
    "scoring": RescoreRequest.model_validate,
}


def test_each_sample_event_is_distinguished_here() -> None:
    assert set(EVENTS) == {*ARRIVALS, *SCHEDULED, *REQUESTS, PARTITION}


@pytest.fixture
def arrived(monkeypatch: pytest.MonkeyPatch) -> list[StoredObject]:
    """What the handlers of both queues hand on."""
    arrived: list[StoredObject] = []
    monkeypatch.setattr(scoring, "score_upload", arrived.append)
    monkeypatch.setattr(metric_emission, "ports", lambda: make_ports(MemoryStore(STORE), inbox=MemoryStore(INBOX)))
    monkeypatch.setattr(delivered, "measure_batch", lambda created, _: arrived.append(created))
    monkeypatch.setattr(notification, "ports", lambda: None)
    monkeypatch.setattr(notifying, "notify", lambda created, _: arrived.append(created))
    monkeypatch.setattr(cataloguing, "ports", lambda: None)
    monkeypatch.setattr(delivering.TableDelivery, "catalogue", lambda _, created: arrived.append(created))
    monkeypatch.setattr(delivered, "measure_labels", lambda created, _: arrived.append(created))
    return arrived


@pytest.mark.parametrize("name", ARRIVALS)
def test_a_delivery_hands_on_each_file_the_smallest_first_and_nothing_that_is_no_file(name: str, arrived: list[StoredObject]) -> None:
    handlers = {
        "scoring": scoring.handler,
        "metric_emission": metric_emission.handler,
        "notification": notification.handler,
        "cataloguing": cataloguing.handler,
    }
    answer = handlers[name.split("/", maxsplit=1)[0]](EVENTS[name], CONTEXT)
    assert arrived == ARRIVALS[name]
    assert answer == {"batchItemFailures": []}


@pytest.mark.parametrize("name", SCHEDULED)
def test_a_schedule_does_what_its_action_names(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    handlers: dict[str, Any] = {"metric_emission": metric_emission, "cataloguing": cataloguing}
    for function, module in (("metric_emission", upkeep), ("cataloguing", table_upkeep)):
        monkeypatch.setattr(handlers[function], "ports", lambda: None)
        for action in {"tick", "sweep", "compare"} & vars(module).keys():
            monkeypatch.setattr(module, action, lambda *_, answer=f"{function}/{action}": {answer: 1})
    assert handlers[name.split("/", maxsplit=1)[0]].handler(EVENTS[name], CONTEXT) == {name: 1}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_asks_for_what_its_name_says(name: str) -> None:
    assert PARSERS[name.split("/", maxsplit=1)[0]](EVENTS[name]) == REQUESTS[name]


@pytest.mark.parametrize("name", [name for name in REQUESTS if name.endswith("-by-hand")])
def test_a_misspelt_field_of_a_request_by_hand_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="resaon"):
        PARSERS[name.split("/", maxsplit=1)[0]]({**EVENTS[name], "resaon": "…"})


def test_a_partition_is_scored_and_answered_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Partition] = []

    def score(partition: Partition, _: object) -> PartitionResult:
        asked.append(partition)
        return PartitionResult(portion=partition.portion, attempt="a")

    monkeypatch.setattr(scoring, "ports", lambda: None)
    monkeypatch.setattr(scoring_partition, "score_partition", score)
    assert scoring.handler(EVENTS[PARTITION], CONTEXT) == {}
    [partition] = asked
    assert (partition.number, partition.release_seq, partition.source.key) == (1, 3, YEAR["key"])
    assert partition.portion == Portion(kind="csv", start=268_435_512, stop=536_870_913)
