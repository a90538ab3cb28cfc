"""Lambda entry point: send messages about alerts, decisions and releases."""

from functools import cache
from typing import TYPE_CHECKING, Any

from functions.shared.runtime.queue import process_records

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.notification.ports import Ports
    from functions.shared.ports import ObjectStore


@cache
def _bucket() -> "ObjectStore":
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.runtime.settings import notifying_settings

    return S3ObjectStore(s3_client(), notifying_settings().store)


def ports() -> "Ports":
    """Return the real ports.

    The secret is read for each delivery, since it may change.
    """
    from functions.notification.ports import TOPIC, Ports
    from functions.shared.adapters.targets import targets_in
    from functions.shared.adapters.topic import SnsTopic
    from functions.shared.runtime.chance import utc_now
    from functions.shared.runtime.settings import notifying_settings

    settings = notifying_settings()
    named = targets_in(settings.secret, guarded=not settings.endpoint) if settings.secret else {}
    return Ports(
        store=_bucket(),
        targets={**named, TOPIC: SnsTopic(settings.topic)},
        stack=settings.stack,
        now=utc_now,
    )


def handler(event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
    """Send what an SQS delivery brings; what failed is delivered again."""
    from functions.notification.service import notify

    delivery = ports()
    return process_records(event, context, lambda created: notify(created, delivery))
