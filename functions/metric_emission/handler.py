"""Lambda entry point: manifests and labels, through SQS, to metrics, performance and alerts."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from functions.shared.queue import process_records

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.shared.envelopes import StoredObject


@cache
def use_cases() -> "dict[str, Callable[[StoredObject], None]]":
    """What is done by bucket: a manifest arrived in the store, or labels in the inbox."""
    from functions.metric_emission.metrics import print_measurements
    from functions.metric_emission.service import record_batch, record_labels
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.repositories.bundles import Bundles
    from functions.shared.settings import settings

    client = s3_client()
    store = S3ObjectStore(client, settings().store)
    inbox = S3ObjectStore(client, settings().inbox)
    ports: dict[str, Any] = {
        "store": store,
        "bundles": Bundles(store),
        "emit": print_measurements,
        "now": lambda: datetime.now(UTC),
    }
    return {store.bucket: partial(record_batch, **ports), inbox.bucket: partial(record_labels, inbox=inbox, **ports)}


def handler(event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
    """Record each manifest or file of labels of an SQS delivery; those that failed are delivered again."""
    return process_records(event, context, lambda created: use_cases()[created.bucket](created))
