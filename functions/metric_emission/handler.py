"""Lambda entry point: manifests and labels through SQS, ticks and sweeps from the scheduler; metrics, performance and alerts out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from functions.metric_emission.event import ScheduledRequest
from functions.shared.runtime.queue import process_records

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.metric_emission.totals import Send
    from functions.shared.domain.envelopes import StoredObject
    from functions.shared.ports import Visibility
    from functions.shared.runtime.settings import MeasuringSettings


@dataclass(frozen=True, slots=True)
class UseCases:
    """What is done with a created object, by its bucket, and at the scheduler's bidding, by action."""

    created: "Mapping[str, Callable[[StoredObject], None]]"
    scheduled: Mapping[str, Callable[[], dict[str, int]]]


@cache
def use_cases() -> UseCases:
    """The use cases with their real ports."""
    from functions.metric_emission.emf import print_measurements
    from functions.metric_emission.service import record_batch, record_labels
    from functions.metric_emission.upkeep import sweep, tick
    from functions.shared.adapters.queues import queued_messages
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.repositories.bundles import Bundles
    from functions.shared.runtime.settings import measuring_settings

    settings, client = measuring_settings(), s3_client()
    store, inbox = S3ObjectStore(client, settings.store), S3ObjectStore(client, settings.inbox)
    ports: dict[str, Any] = {"store": store, "emit": print_measurements, "now": lambda: datetime.now(UTC)}
    bundles = Bundles(store)
    return UseCases(
        created={
            store.bucket: partial(record_batch, bundles=bundles, memory_gb=settings.scoring_memory_mb / 1024, **ports),
            inbox.bucket: partial(record_labels, bundles=bundles, inbox=inbox, **ports),
        },
        scheduled={
            "tick": partial(tick, send=_sender(settings), queued=partial(queued_messages, settings.queues), **ports),
            "sweep": partial(sweep, inbox=inbox, **ports),
        },
    )


@cache
def visibility() -> "Visibility":
    """Who else may receive a delivery's messages, and when."""
    from functions.shared.adapters.queues import SqsVisibility

    return SqsVisibility()


def _sender(settings: "MeasuringSettings") -> "Send":
    """Remote write, where the stack was given an address for it."""
    if not settings.remote_write_url:
        return lambda _: None
    from functions.metric_emission.prometheus import families
    from functions.shared.adapters.remote_write import RemoteWrite

    server = RemoteWrite(settings.remote_write_url)
    return lambda totals: server.send(families([totals], stack=settings.stack), totals.told_at)


def handler(event: dict[str, Any], context: "LambdaContext") -> Mapping[str, Any]:
    """Record what an SQS delivery brings (what failed is delivered again), or do what the scheduler asks."""
    if "Records" in event:
        return process_records(event, context, lambda created: use_cases().created[created.bucket](created), visibility())
    return use_cases().scheduled[ScheduledRequest.model_validate(event).action]()
