"""How much waits in SQS queues."""

from collections.abc import Mapping

import boto3


def queued_messages(urls: Mapping[str, str]) -> dict[str, int]:
    """About how many messages wait in each queue, by its name; those being handled are not counted."""
    client = boto3.client("sqs")
    attributes = {
        name: client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
        for name, url in urls.items()
    }
    return {name: int(found["ApproximateNumberOfMessages"]) for name, found in attributes.items()}
