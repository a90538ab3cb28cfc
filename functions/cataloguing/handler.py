"""Lambda entry point: manifests or a schedule come in, tables go out."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from functions.cataloguing.event import ScheduledRequest
from functions.shared.runtime.chance import utc_now
from functions.shared.runtime.queue import process_records

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.cataloguing.ports import Ports

RESERVE_MS = 300_000
"""With less time left a sweep puts no other day's files together."""


@cache
def ports() -> "Ports":
    """Return the real ports."""
    from functions.cataloguing.glue import glue_tables
    from functions.cataloguing.ports import Ports
    from functions.shared.adapters.glue import glue_client
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.runtime.settings import settings

    store = S3ObjectStore(s3_client(), settings().store)
    return Ports(store=store, tables=glue_tables(glue_client(), store, settings().stack))


def handler(event: dict[str, Any], context: "LambdaContext") -> Mapping[str, Any]:
    """Catalogue the manifests of an SQS delivery, or do what the scheduler asks."""
    from functions.cataloguing.delivery import TableDelivery
    from functions.cataloguing.upkeep import compare, sweep

    if "Records" in event:
        return process_records(event, context, TableDelivery(ports()).catalogue)
    match ScheduledRequest.model_validate(event).action:
        case "compare":
            return compare(ports(), utc_now())
        case "sweep":
            return sweep(ports(), utc_now(), lambda: context.get_remaining_time_in_millis() < RESERVE_MS)
