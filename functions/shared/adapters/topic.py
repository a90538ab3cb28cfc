"""Messages to an SNS topic, whose subscribers get them as mail or otherwise."""

from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

from functions.shared.domain.message import Message


class SnsTopic:
    """`Target` that is a topic."""

    def __init__(self, arn: str) -> None:
        self._arn = arn

    @cached_property
    def _client(self) -> Any:
        return boto3.client("sns", config=Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "max_attempts": 3}))

    def send(self, message: Message) -> None:
        """Publish a message; mail shows its subject."""
        self._client.publish(TopicArn=self._arn, Subject=message.subject, Message=message.text)
