"""Messages are hidden and shown in SQS, and functions may do that to their own queue alone."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from functions.shared.adapters.queues import SqsVisibility
from infra.cli.operator import NoAnswerError
from tests.contract.template import folder_of, statements
from tests.fakes.memory_store import MemoryStore
from tests.unit.cli.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator["SQSClient"]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield boto3.client("sqs")


def queue(sqs: "SQSClient", name: str, *messages: str) -> tuple[str, str]:
    """A queue with messages that all were received, for half an hour: its URL and ARN."""
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "1800"})["QueueUrl"]
    for message in messages:
        sqs.send_message(QueueUrl=url, MessageBody=message)
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(sqs: "SQSClient", url: str) -> dict[str, str]:
    """Handles by body of what can be received now."""
    found: dict[str, str] = {}
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found |= {message["Body"]: message["ReceiptHandle"] for message in messages}
    return found


def test_messages_are_shown_when_it_is_said(sqs: "SQSClient") -> None:
    url, arn = queue(sqs, "q", *map(str, range(12)))
    handles = received(sqs, url)
    assert len(handles) == 12
    SqsVisibility().hide(arn, {handle: 0 if body != "7" else 1 for body, handle in handles.items()})
    assert received(sqs, url).keys() == handles.keys() - {"7"}
    time.sleep(1.1)
    assert received(sqs, url).keys() == {"7"}


def test_a_message_that_is_ended_never_comes_again(sqs: "SQSClient") -> None:
    url, arn = queue(sqs, "q", "a", "b")
    handles = received(sqs, url)
    SqsVisibility().hide(arn, dict.fromkeys(handles.values(), 0))
    SqsVisibility().end(arn, handles["a"])
    assert received(sqs, url).keys() == {"b"}


def test_a_message_that_is_gone_keeps_no_other_hidden(sqs: "SQSClient") -> None:
    url, arn = queue(sqs, "q", "a", "b")
    handles = received(sqs, url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=handles["a"])
    SqsVisibility().hide(arn, dict.fromkeys(handles.values(), 0))
    assert received(sqs, url).keys() == {"b"}


def test_each_function_with_a_queue_may_hide_the_messages_of_that_one() -> None:
    found = {
        folder_of(name): statement["Resource"] for name, statement in statements() if statement["Action"] == "sqs:ChangeMessageVisibility"
    }
    queues = {
        "scoring": "ScoringQueue",
        "metric_emission": "MetricQueue",
        "retraining": "RetrainingQueue",
        "notification": "NotificationQueue",
        "cataloguing": "CataloguingQueue",
    }
    assert found == {function: {"Fn::GetAtt": [name, "Arn"]} for function, name in queues.items()}


def test_who_waits_in_vain_for_a_manifest_reads_what_is_known_and_what_to_do(sqs: "SQSClient") -> None:
    waiting, _ = queue(sqs, "scoring", "a", "b", "c")
    sqs.receive_message(QueueUrl=waiting)
    given_up, _ = queue(sqs, "dead", "d")
    stack = Stack(inbox=MemoryStore("inbox"))
    stack._session, stack._endpoint = boto3.Session(), None
    stack.outputs = {**stack.outputs, "ScoringQueueUrl": waiting, "ScoringDeadLettersUrl": given_up}
    uploaded = stack.upload("batches/churn/june.csv", b"id\n1\n")
    with pytest.raises(NoAnswerError) as late:
        stack.await_manifest(uploaded, timeout_s=0)
    known = "there was no manifest of batches/churn/june.csv after 0 s (all files: 2 waiting, 1 being scored, 1 given up)"
    assert late.value.message == known
    assert "`everscore status churn` shows it then" in late.value.remedy
