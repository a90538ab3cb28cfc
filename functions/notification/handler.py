"""Lambda entry point: alerts through SQS, messages to people out."""

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from functions.shared.runtime.queue import process_records

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.notification.ports import Ports


@cache
def ports() -> "Ports":
    """The real ports."""
    from functions.notification.ports import Ports
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.adapters.topic import SnsTopic
    from functions.shared.runtime.settings import notifying_settings

    settings = notifying_settings()
    return Ports(
        store=S3ObjectStore(s3_client(), settings.store),
        targets={"topic": SnsTopic(settings.topic)},
        stack=settings.stack,
        now=lambda: datetime.now(UTC),
    )


def handler(event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
    """Send what an SQS delivery brings; what failed is delivered again."""
    from functions.notification.service import notify

    return process_records(event, context, lambda created: notify(created, ports()))
