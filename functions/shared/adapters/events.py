"""Send requests from one function to another, as events on the default bus."""

import json
from functools import cached_property
from typing import TYPE_CHECKING

from functions.shared.domain.errors import ConflictError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


class EventBridge:
    """`EventBus` over Amazon EventBridge; events name their stack on a shared bus."""

    def __init__(self, stack: str) -> None:
        self._stack = stack

    @cached_property
    def _client(self) -> "EventBridgeClient":
        import boto3

        return boto3.client("events")

    def request_retraining(self, model: str, *, trigger: str) -> None:
        """Request the retraining of one model.

        Raises:
            ConflictError: if the bus did not take the event; retry.
        """
        detail = json.dumps({"stack": self._stack, "model": model, "trigger": trigger})
        answer = self._client.put_events(Entries=[{"Source": "everscore", "DetailType": "Retraining Requested", "Detail": detail}])
        if answer["FailedEntryCount"]:
            message = f"EventBridge did not take the request to retrain {model}: {answer['Entries'][0].get('ErrorMessage')}"
            raise ConflictError(message)
