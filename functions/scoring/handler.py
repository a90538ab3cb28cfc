"""Lambda entry point: uploads, through SQS, to scored batches; partitions of large ones; batches that a person wants scored again."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from functions.shared.runtime.observability import logger
from functions.shared.runtime.queue import process_records
from functions.shared.runtime.refusals import answering_refusals

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.shared.domain.envelopes import StoredObject
    from functions.shared.domain.manifest import Manifest
    from functions.shared.domain.partition import Partition, PartitionResult
    from functions.shared.ports import Visibility


@dataclass(frozen=True, slots=True)
class UseCases:
    """What is done with an upload, with a partition, and with a batch (by model and name) that a person asks for."""

    hand_over: "Callable[[StoredObject], bool]"
    score: "Callable[[StoredObject], Manifest]"
    score_partition: "Callable[[Partition], PartitionResult]"
    rescore: "Callable[[str, str], Manifest]"
    verify: Callable[[str, str], tuple[str, ...]]


@cache
def use_cases() -> UseCases:
    """The use cases with their real ports."""
    from functions.scoring.handover import hand_over
    from functions.scoring.partition import score_partition
    from functions.scoring.service import rescore_batch, score_batch, verify_batch
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.adapters.state_machine import StateMachine
    from functions.shared.repositories.bundles import Bundles
    from functions.shared.runtime.settings import scoring_settings

    client, settings = s3_client(), scoring_settings()
    store = S3ObjectStore(client, settings.store)
    ports: dict[str, Any] = {
        "inbox": S3ObjectStore(client, settings.inbox),
        "store": store,
        "bundles": Bundles(store),
        "new_attempt": lambda: uuid.uuid4().hex,
    }
    clock: dict[str, Any] = {"now": lambda: datetime.now(UTC)}
    executions, above_bytes = StateMachine(settings.state_machine), settings.partition_above_mb * 2**20
    return UseCases(
        hand_over=partial(hand_over, executions=executions, inbox=ports["inbox"], above_bytes=above_bytes),
        score=partial(score_batch, **ports, **clock),
        score_partition=partial(score_partition, **ports),
        rescore=partial(rescore_batch, **ports, **clock),
        verify=partial(verify_batch, **ports),
    )


@cache
def visibility() -> "Visibility":
    """Who else may receive a delivery's messages, and when."""
    from functions.shared.adapters.queues import SqsVisibility

    return SqsVisibility()


@answering_refusals
def handler(event: dict[str, Any], context: "LambdaContext") -> Mapping[str, Any]:
    """Score the uploads of an SQS delivery, the smallest first (those that did not end come again), a partition, or a batch again."""
    if "Records" in event:
        return process_records(event, context, score_upload, visibility())
    if "partition" in event:
        return _score_partition(event)
    return _score_again(event)


def score_upload(created: "StoredObject") -> None:
    """Score one upload, or hand it over if it is too large, and log what became of it."""
    if use_cases().hand_over(created):
        logger().info("handed over", extra={"key": created.key, "bytes": created.size_bytes})
        return
    _log(use_cases().score(created))


def _score_partition(event: dict[str, Any]) -> dict[str, Any]:
    from functions.shared.domain.partition import Partition

    partition = Partition.model_validate(event["partition"])
    result = use_cases().score_partition(partition)
    extra = {"batch_id": partition.batch_id, "partition": partition.number, "rows_in": result.counts.rows_in}
    logger().info("partition", extra=extra)
    # What the items of a Distributed Map answer may not grow with their number: results lie in the store.
    return {}


def _score_again(event: dict[str, Any]) -> dict[str, Any]:
    from functions.scoring.event import RescoreRequest, Verification

    request = RescoreRequest.model_validate(event)
    if request.action == "verify":
        different = use_cases().verify(request.model, request.batch_id)
        found = Verification(model=request.model, batch_id=request.batch_id, identical=not different, different=different)
        return found.model_dump(mode="json")
    manifest = use_cases().rescore(request.model, request.batch_id)
    _log(manifest)
    return manifest.model_dump(mode="json", exclude={"profiles", "agreement"})


def _log(manifest: "Manifest") -> None:
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
