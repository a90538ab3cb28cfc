"""Lambda entry point: measure batches and labels, and look after all models."""

from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from functions.metric_emission.event import ScheduledRequest
from functions.shared.runtime.queue import process_records

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.metric_emission.ports import Ports, Send
    from functions.shared.runtime.settings import MeasuringSettings


@cache
def ports() -> "Ports":
    """Return the real ports."""
    from functions.metric_emission.emf import print_measurements
    from functions.metric_emission.ports import Ports
    from functions.shared.adapters.queues import queued_messages
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.repositories.bundles import Bundles
    from functions.shared.runtime.chance import utc_now
    from functions.shared.runtime.settings import measuring_settings

    settings, client = measuring_settings(), s3_client()
    store = S3ObjectStore(client, settings.store)
    return Ports(
        inbox=S3ObjectStore(client, settings.inbox),
        store=store,
        bundles=Bundles(store),
        emit=partial(print_measurements, stack=settings.stack),
        send=_sender(settings),
        queued=partial(queued_messages, settings.queues),
        now=utc_now,
        memory_gb=settings.scoring_memory_mb / 1024,
    )


def _sender(settings: "MeasuringSettings") -> "Send":
    """Remote write, where the stack was given an address for it."""
    if not settings.remote_write_url:
        return lambda _: None
    from functions.metric_emission.prometheus import families
    from functions.shared.adapters.remote_write import RemoteWrite
    from functions.shared.adapters.user_secret import UserSecret
    from functions.shared.domain.errors import RemoteWriteError

    secret = UserSecret(settings.prometheus_secret, RemoteWriteError) if settings.prometheus_secret else None
    server = RemoteWrite(settings.remote_write_url, secret)
    return lambda totals: server.send(families([totals], stack=settings.stack), totals.told_at)


def handler(event: dict[str, Any], context: "LambdaContext") -> Mapping[str, Any]:
    """Measure what an SQS delivery brings, or do what the scheduler asks."""
    if "Records" in event:
        from functions.metric_emission.delivered import measuring

        return process_records(event, context, measuring(ports()))
    from functions.metric_emission.upkeep import sweep, tick

    match ScheduledRequest.model_validate(event).action:
        case "tick":
            return tick(ports())
        case "sweep":
            return sweep(ports())
