"""What is asked of the event bus arrives, at the template's rule, as the request that retraining reads."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from functions.retraining.event import RetrainRequest, parse_request
from functions.shared.adapters.events import EventBridge
from functions.shared.domain.errors import ConflictError
from tests.contract.template import RESOURCES
from tests.fakes.recording_bus import RecordingBus

STACK = "everscore"


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


def queue_behind_the_templates_rule() -> Any:
    """A queue that gets what the template's rule would hand to the retraining function of this stack."""
    pattern = RESOURCES["RetrainingRequested"]["Properties"]["EventPattern"]
    assert pattern["detail"] == {"stack": [{"Ref": "AWS::StackName"}]}
    queue = boto3.resource("sqs").create_queue(QueueName="retraining")
    events = boto3.client("events")
    events.put_rule(Name="requested", EventPattern=json.dumps({**pattern, "detail": {"stack": [STACK]}}))
    events.put_targets(Rule="requested", Targets=[{"Id": "queue", "Arn": queue.attributes["QueueArn"]}])
    return queue


def test_a_request_to_retrain_arrives_at_its_own_stack_only() -> None:
    queue = queue_behind_the_templates_rule()
    for stack in ("another", STACK):
        EventBridge(stack).request_retraining(f"of-{stack}", trigger="alert:drift")
    received = [json.loads(message.body) for message in queue.receive_messages(MaxNumberOfMessages=10)]
    assert [parse_request(event) for event in received] == [RetrainRequest(model=f"of-{STACK}", trigger="alert:drift")]


def test_a_request_the_bus_did_not_take_is_a_conflict() -> None:
    class Refusing:
        def put_events(self, **_: Any) -> dict[str, Any]:
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}]}

    bus = EventBridge(STACK)
    bus.__dict__["_client"] = Refusing()
    with pytest.raises(ConflictError, match="retrain sales: slow down"):
        bus.request_retraining("sales", trigger="schedule")


def test_the_fake_keeps_requests_in_order() -> None:
    bus = RecordingBus()
    bus.request_retraining("a", trigger="schedule")
    bus.request_retraining("b", trigger="alert:decay")
    assert bus.requests == [("a", "schedule"), ("b", "alert:decay")]
