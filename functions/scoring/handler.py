"""Lambda entry point: score uploads from SQS, partitions, and batches on request."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from functions.shared.runtime.observability import logger
from functions.shared.runtime.queue import process_records
from functions.shared.runtime.refusals import answering_refusals

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.scoring.ports import Ports
    from functions.shared.domain.envelopes import StoredObject


@cache
def ports() -> "Ports":
    """Return the real ports."""
    from functions.scoring.ports import Ports
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.adapters.state_machine import StateMachine
    from functions.shared.repositories.bundles import Bundles
    from functions.shared.runtime.chance import new_name, utc_now
    from functions.shared.runtime.settings import scoring_settings

    client, settings = s3_client(), scoring_settings()
    store = S3ObjectStore(client, settings.store)
    return Ports(
        inbox=S3ObjectStore(client, settings.inbox),
        store=store,
        bundles=Bundles(store),
        new_attempt=new_name,
        now=utc_now,
        executions=StateMachine(settings.state_machine),
        whole_bytes=settings.partition_above_mb * 2**20,
    )


@answering_refusals
def handler(event: dict[str, Any], context: "LambdaContext") -> Mapping[str, Any]:
    """Score a delivery's uploads, a partition, or a batch again."""
    if "Records" in event:
        return process_records(event, context, score_upload)
    from functions.scoring.again import rescore_batch, verify_batch
    from functions.scoring.event import parse_request
    from functions.scoring.partition import score_partition
    from functions.shared.domain.partition import Partition

    if isinstance(request := parse_request(event), Partition):
        rows = score_partition(request, ports()).counts.rows_in
        logger().info("partition", extra={"batch_id": request.batch_id, "partition": request.number, "rows_in": rows})
        return {}  # responses of a Distributed Map are limited in size; results are in the store
    if request.action == "verify":
        return verify_batch(request.model, request.batch_id, ports()).model_dump(mode="json")
    manifest = rescore_batch(request.model, request.batch_id, ports())
    logger().info("batch", extra=manifest.log_fields)
    return manifest.model_dump(mode="json", exclude={"profiles", "agreement"})


def score_upload(created: "StoredObject") -> None:
    """Score one upload, or hand it over if it is too large, and log the result."""
    from functions.scoring.handover import hand_over
    from functions.scoring.service import score_batch

    if hand_over(created, ports()):
        logger().info("handed over", extra={"key": created.key, "bytes": created.size_bytes})
    else:
        logger().info("batch", extra=score_batch(created, ports()).log_fields)
