"""SQS queues: count waiting messages, and set whether they may be received again."""

from collections.abc import Mapping
from functools import cached_property
from itertools import batched
from typing import TYPE_CHECKING

from botocore.config import Config

from functions.shared.adapters.clients import client

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_MOST_ENTRIES = 10


def queued_messages(urls: Mapping[str, str]) -> dict[str, int]:
    """Return roughly how many messages wait in each queue, without those in work."""
    sqs: SQSClient = client("sqs")
    attributes = {
        name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
        for name, url in urls.items()
    }
    return {name: int(found["ApproximateNumberOfMessages"]) for name, found in attributes.items()}


class SqsVisibility:
    """`Visibility` over SQS."""

    @cached_property
    def _client(self) -> "SQSClient":
        config = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "max_attempts": 3})
        made: SQSClient = client("sqs", config=config)
        return made

    def hide(self, queue_arn: str, seconds: Mapping[str, int]) -> None:
        """Hide messages for seconds from now, by receipt handle; ignore deleted ones."""
        for some in batched(seconds.items(), _MOST_ENTRIES, strict=False):
            self._client.change_message_visibility_batch(
                QueueUrl=self._url(queue_arn),
                Entries=[
                    {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": hidden}
                    for number, (handle, hidden) in enumerate(some)
                ],
            )

    def end(self, queue_arn: str, handle: str) -> None:
        """Delete a message by its receipt handle."""
        self._client.delete_message(QueueUrl=self._url(queue_arn), ReceiptHandle=handle)

    def _url(self, queue_arn: str) -> str:
        account, name = queue_arn.split(":")[4:]
        return f"{self._client.meta.endpoint_url}/{account}/{name}"
