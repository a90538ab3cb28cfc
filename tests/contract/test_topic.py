"""What is sent to a topic arrives with its subject where somebody subscribed."""

import json

import boto3
import pytest
from moto import mock_aws

from functions.shared.adapters.topic import SnsTopic
from functions.shared.domain.message import Message
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
