"""A message that a target does not take is tried again with pauses, ends in the template's dead letters, and is sent from there once."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from moto import mock_aws

from functions.notification import handler
from functions.notification.ports import Ports
from functions.shared.adapters.queues import SqsVisibility
from functions.shared.domain import layout
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.repositories.alerts import raise_once
from functions.shared.runtime import hiding, queue
from tests.contract.template import resources_of
from tests.fakes.documents import NOW
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL
from tests.unit.notification.test_service import Mailbox
from tests.unit.shared.runtime.test_queue import PLENTY, Clock

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_sqs import SQSClient


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator["SQSClient"]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield boto3.client("sqs")


def arn_of(sqs: "SQSClient", url: str) -> str:
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


@pytest.fixture
def queues(sqs: "SQSClient") -> tuple[str, str]:
    """The URLs of the template's queue of notification and of its dead letters."""
    properties = resources_of("AWS::SQS::Queue")["NotificationQueue"]
    redrive = properties["RedrivePolicy"]
    dead = sqs.create_queue(QueueName=redrive["deadLetterTargetArn"]["Fn::GetAtt"][0])["QueueUrl"]
    policy = json.dumps({**redrive, "deadLetterTargetArn": arn_of(sqs, dead)})
    waiting = sqs.create_queue(QueueName="NotificationQueue", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    return waiting, dead


def delivered(sqs: "SQSClient", url: str) -> bool:
    """Deliver a message as Lambda does: it is deleted if the function neither fails nor names it. Return False if there is none."""
    found = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"]).get("Messages", [])
    for message in found:
        record = {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "eventSource": "aws:sqs",
            "eventSourceARN": arn_of(sqs, url),
        }
        try:
            answer = handler.handler({"Records": [record]}, cast("LambdaContext", Clock(PLENTY)))
        except Exception:  # noqa: BLE001 - Lambda delivers again, whatever it was
            continue
        if not answer["batchItemFailures"]:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bool(found)


def test_a_target_that_stays_down_ends_in_the_dead_letters_and_gets_its_message_from_there_once(
    sqs: "SQSClient", queues: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, dead = queues
    store, mail, pager = MemoryStore(), Mailbox(), Mailbox(closed=True)
    monkeypatch.setattr(handler, "ports", lambda: Ports(store, {"mail": mail, "pager": pager}, "prod", lambda: NOW))
    monkeypatch.setattr(queue, "_sqs_visibility", SqsVisibility)
    pauses: list[int] = []
    monkeypatch.setattr(hiding, "pause_s", lambda deliveries: pauses.append(deliveries) or 0)
    body = event_of(silent(store), store.bucket)
    sqs.send_message(QueueUrl=waiting, MessageBody=body)
    while delivered(sqs, waiting):
        pass
    assert pauses == [1, 2, 3, 4, 5], "five tries, each after a longer pause"
    assert (len(mail.got), len(pager.got)) == (1, 0), "the other target got it once, at the first try"
    [kept] = sqs.receive_message(QueueUrl=dead)["Messages"]
    assert kept["Body"] == body

    pager.closed = False
    sqs.send_message(QueueUrl=waiting, MessageBody=kept["Body"])  # as an operator's redrive does
    while delivered(sqs, waiting):
        pass
    assert (len(mail.got), len(pager.got)) == (1, 1)
    assert pager.got == mail.got


def silent(store: MemoryStore) -> Alert:
    alert = Alert(
        model=MODEL,
        window="2013-04-01",
        kind=AlertKind.SILENT,
        message="no batch for 30 hours",
        evidence={},
        runbook="docs/runbook.md#silent",
        raised_at=NOW,
    )
    raise_once(alert, store)
    return alert


def event_of(alert: Alert, bucket: str) -> str:
    """EventBridge's event that the alert was stored."""
    stored: dict[str, Any] = {
        "key": layout.alert_key(alert.model, alert.window, alert.kind.value),
        "size": 1,
        "etag": "e",
        "version-id": "v",
    }
    return json.dumps({"source": "aws.s3", "detail": {"bucket": {"name": bucket}, "object": stored}})
