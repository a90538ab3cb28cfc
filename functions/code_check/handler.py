"""Lambda entry point: CodeDeploy's check of scoring before its traffic shifts."""

import time
from typing import TYPE_CHECKING, Any

from functions.shared.runtime.observability import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.code_check.ports import Ports

RESERVE_MS = 330_000
"""Milliseconds that must be left to start a comparison, for itself and the reply."""

PAUSE_S = 5.0
"""Before a comparison that found no place in the account is tried again."""


def ports() -> "Ports":
    """Return the real ports, for the two versions of one deployment."""
    from functions.code_check.ports import Ports
    from functions.shared.adapters.deployments import ScoringVersion
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.runtime.settings import code_check_settings

    settings = code_check_settings()
    return Ports(
        store=S3ObjectStore(s3_client(), settings.store),
        by_new=ScoringVersion(settings.new_version).verify,
        by_old=ScoringVersion(settings.serving).verify,
    )


def handler(event: dict[str, Any], context: "LambdaContext") -> None:
    """Report whether the new version scores as before; exceptions count as failures."""
    from functions.code_check.event import PreTrafficEvent
    from functions.code_check.service import compare_batches
    from functions.shared.adapters.deployments import Deployment
    from functions.shared.domain import layout
    from functions.shared.runtime.settings import code_check_settings

    asked = PreTrafficEvent.model_validate(event)
    with Deployment(asked.deployment_id, asked.execution_id) as deployment:
        if not code_check_settings().code_check:
            deployment.passed = True
            return
        found = ports()
        compared = compare_batches(
            lambda: found.store.folders(layout.MANIFESTS),
            found,
            has_time=lambda: context.get_remaining_time_in_millis() > RESERVE_MS,
            pause=lambda: time.sleep(PAUSE_S),
        )
        for comparison in compared:
            logger().info("compared", extra={"batch_id": comparison.batch_id, "model": comparison.model, "different": comparison.different})
        deployment.passed = not any(comparison.different for comparison in compared)
