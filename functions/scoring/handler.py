"""Lambda entry point: uploads under `batches/`, through SQS, to scored batches."""

import uuid
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from functions.shared.observability import logger
from functions.shared.queue import process_records

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.shared.domain.manifest import Manifest
    from functions.shared.envelopes import StoredObject


@cache
def use_case() -> "Callable[[StoredObject], Manifest]":
    """The use case with its real ports."""
    from functions.scoring.service import score_batch
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.repositories.bundles import Bundles
    from functions.shared.settings import settings

    client = s3_client()
    store = S3ObjectStore(client, settings().store)
    return partial(
        score_batch,
        inbox=S3ObjectStore(client, settings().inbox),
        store=store,
        bundles=Bundles(store),
        new_attempt=lambda: uuid.uuid4().hex,
        now=lambda: datetime.now(UTC),
    )


def handler(event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
    """Score each upload of an SQS delivery, the smallest first; those that did not end are delivered again."""
    return process_records(event, context, score_upload)


def score_upload(created: "StoredObject") -> None:
    """Score one upload and log what became of it."""
    manifest = use_case()(created)
    logger().info(
        "batch",
        extra={
            "batch_id": manifest.batch_id,
            "model": manifest.model,
            "status": manifest.status,
            "rows_in": manifest.rows_in,
            "rows_quarantined": manifest.rows_quarantined,
            "error": manifest.error.message if manifest.error else None,
            "total_s": manifest.timings.total_s,
        },
    )
