"""What is sent to a topic arrives with its subject where somebody subscribed."""

import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from functions.notification import handler
from functions.shared.adapters import targets
from functions.shared.adapters.topic import SnsTopic
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.message import Message
from functions.shared.runtime.queue import DeliveryFailedError
from functions.shared.runtime.settings import notifying_settings
from tests.contract.template import ROOT
from tests.fakes.documents import NOW


def test_a_message_arrives_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    text = "churn: die Preise sind gestiegen, \u6f02\u79fb\n\nType:\n  everscore status churn"
    with mock_aws():
        topic = boto3.client("sns").create_topic(Name="alarms")["TopicArn"]
        mailbox = boto3.resource("sqs").create_queue(QueueName="mailbox")
        boto3.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=mailbox.attributes["QueueArn"])
        SnsTopic(topic).send(Message("2013-04-01-drift", "churn", "drift", NOW, "prod, churn: drift", text))
        [received] = mailbox.receive_messages()
    assert (json.loads(received.body)["Subject"], json.loads(received.body)["Message"]) == ("prod, churn: drift", text)


def test_the_function_sends_what_its_queue_delivers_to_the_topic_and_says_what_the_secret_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {
        "EVERSCORE_STACK": "prod",
        "EVERSCORE_INBOX": "inbox",
        "EVERSCORE_STORE": "store",
        "EVERSCORE_NOTIFICATION_SECRET": "hooks",
    }
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    event = json.loads((ROOT / "events/notification/alert-raised.json").read_text())
    body = json.loads(event["Records"][0]["body"])
    body["detail"]["bucket"]["name"] = "store"
    event["Records"][0]["body"] = json.dumps(body)
    context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
    with mock_aws():
        for cached in (handler._bucket, notifying_settings, targets._client):
            cached.cache_clear()
        environment["EVERSCORE_TOPIC"] = boto3.client("sns").create_topic(Name="alarms")["TopicArn"]
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        mailbox = boto3.resource("sqs").create_queue(QueueName="mailbox")
        boto3.client("sns").subscribe(TopicArn=environment["EVERSCORE_TOPIC"], Protocol="sqs", Endpoint=mailbox.attributes["QueueArn"])
        boto3.client("s3").create_bucket(Bucket="store")
        alert = Alert(
            model="flights", kind=AlertKind.DRIFT, window="2013-04-04-5d41402a", message="drift", evidence={}, runbook="x", raised_at=NOW
        )
        boto3.client("s3").put_object(Bucket="store", Key=body["detail"]["object"]["key"], Body=alert.to_json())
        with pytest.raises(DeliveryFailedError, match="the secret hooks cannot be read"):
            handler.handler(event, context)
        [received] = mailbox.receive_messages()
        with pytest.raises(DeliveryFailedError):
            handler.handler(event, context)
        assert mailbox.receive_messages() == [], "the topic has it already"
    assert json.loads(received.body)["Subject"] == "prod, flights: drift: drift"
    for cached in (handler._bucket, notifying_settings, targets._client):
        cached.cache_clear()
