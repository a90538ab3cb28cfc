"""Lambda entry point: CodeDeploy asks before a new version of scoring gets traffic."""

from typing import TYPE_CHECKING, Any

from functions.shared.observability import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], _context: "LambdaContext") -> None:
    """Answer whether the new version scores as the old one did; what raises is answered as a failure."""
    from functions.code_check.event import PreTrafficEvent
    from functions.code_check.service import compare_batches
    from functions.shared.adapters.deployments import Deployment, NewVersion
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.settings import code_check_settings

    asked = PreTrafficEvent.model_validate(event)
    settings = code_check_settings()
    store = S3ObjectStore(s3_client(), settings.store)
    with Deployment(asked.deployment_id, asked.execution_id) as deployment:
        compared = compare_batches(lambda: store.folders("manifests/"), store=store, verify=NewVersion(settings.new_version).verify)
        for comparison in compared:
            logger().info("compared", extra={"batch_id": comparison.batch_id, "model": comparison.model, "different": comparison.different})
        deployment.passed = not any(comparison.different for comparison in compared)
