"""Lambda entry point: all steps of the partitioning state machine except scoring."""

from functools import cache
from typing import TYPE_CHECKING, Any

from functions.shared.runtime.observability import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.partitioning.ports import Ports

MEGABYTE = 2**20


@cache
def ports() -> "Ports":
    """Return the real ports and sizes."""
    from functions.partitioning.ports import Ports
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.runtime.chance import new_name, utc_now
    from functions.shared.runtime.settings import partitioning_settings

    settings, client = partitioning_settings(), s3_client()
    return Ports(
        inbox=S3ObjectStore(client, settings.inbox),
        store=S3ObjectStore(client, settings.store),
        new_attempt=new_name,
        now=utc_now,
        partition_bytes=settings.partition_mb * MEGABYTE,
        whole_bytes=settings.partition_above_mb * MEGABYTE,
        concurrency=settings.partition_concurrency,
    )


def handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    """Plan, commit or give up a batch, and return the state of the work on it."""
    from functions.partitioning.event import CommitRequest, GiveUpRequest, PlanRequest, parse_request, work_on
    from functions.partitioning.service import commit_batch, give_up, plan_batch

    turn: int | None = 1
    match request := parse_request(event):
        case PlanRequest():
            turn = plan_batch(request.key, request.version_id, ports())
        case CommitRequest():
            turn = commit_batch(request.key, request.version_id, request.turn, ports())
        case GiveUpRequest():
            give_up(
                request.key,
                request.version_id,
                request.failure,
                execution=request.execution,
                redrives=request.redrives or 0,
                asked_at=request.entered or ports().new_attempt(),
                ports=ports(),
            )
    work = work_on(ports().inbox.bucket, request, turn, ports().concurrency)
    logger().info("partitions", extra={"action": request.action, **work.model_dump()})
    return work.model_dump()
