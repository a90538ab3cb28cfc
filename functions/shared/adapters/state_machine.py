"""Start executions of a state machine in AWS Step Functions."""

import json
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from functions.shared.adapters.clients import client

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class StateMachine:
    """`Executions` of one state machine."""

    def __init__(self, arn: str) -> None:
        self._arn = arn

    @cached_property
    def _client(self) -> "SFNClient":
        made: SFNClient = client("stepfunctions")
        return made

    def start(self, name: str, request: Mapping[str, str]) -> bool:
        """Start an execution; False if its name was used within the last 90 days."""
        try:
            self._client.start_execution(stateMachineArn=self._arn, name=name, input=json.dumps(request, sort_keys=True))
        except self._client.exceptions.ExecutionAlreadyExists:
            return False
        return True
