"""Deploy new code through AWS CodeDeploy and a new Lambda version."""

import json
from types import TracebackType
from typing import Self

from functions.shared.domain.errors import REFUSED, DeploymentRefusedError, NotFoundError, ThrottledError

LONGEST_CALL_S = 310
_THROTTLED = "TooManyRequestsException"


class ScoringVersion:
    """A version or alias of the scoring function, with or without traffic."""

    def __init__(self, arn: str) -> None:
        self._arn = arn

    def verify(self, model: str, batch_id: str) -> tuple[str, ...]:
        """Return the files of a batch that this version scores to different bytes.

        Raises:
            NotFoundError: if the upload, the release or a bundle is gone.
            ThrottledError: if the account has no place to run it now.
            DeploymentRefusedError: if the version fails otherwise.
        """
        import boto3
        from botocore.config import Config
        from botocore.exceptions import ClientError

        client = boto3.client("lambda", config=Config(read_timeout=LONGEST_CALL_S, retries={"total_max_attempts": 1}))
        request = {"action": "verify", "model": model, "batch_id": batch_id}
        try:
            answer = client.invoke(FunctionName=self._arn, Payload=json.dumps(request).encode())
        except ClientError as error:
            if error.response["Error"].get("Code") == _THROTTLED:
                raise ThrottledError(f"the account has no place to run {self._arn}") from error
            raise
        payload = json.loads(answer["Payload"].read()) or {}
        refused = payload.get(REFUSED) or {}
        # Older code raised refusals instead of returning them.
        if NotFoundError.__name__ in {refused.get("error"), payload.get("errorType")}:
            raise NotFoundError(refused.get("message") or payload["errorMessage"])
        if "FunctionError" in answer or refused:
            message = f"{self._arn} cannot score batch {batch_id} of {model} again: {payload}"
            raise DeploymentRefusedError(message)
        return tuple(payload["different"])


class Deployment:
    """A waiting deployment: the end of the block continues it, or rolls it back.

    It continues if `passed` was set.
    """

    def __init__(self, deployment_id: str, execution_id: str) -> None:
        self._deployment_id = deployment_id
        self._execution_id = execution_id
        self.passed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        import boto3

        boto3.client("codedeploy").put_lifecycle_event_hook_execution_status(
            deploymentId=self._deployment_id,
            lifecycleEventHookExecutionId=self._execution_id,
            status="Succeeded" if self.passed else "Failed",
        )
