"""Requests of the state machine, and the responses.

`infra/state_machines/` uses the same names.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from functions.shared.domain import layout


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlanRequest(_Request):
    """Cut one version of an upload into partitions."""

    action: Literal["plan"]
    key: str
    version_id: str


class CommitRequest(_Request):
    """Commit a batch after all partitions of a plan were scored."""

    action: Literal["commit"]
    key: str
    version_id: str
    turn: int


class Failure(BaseModel):
    """Why a state failed, as Step Functions reports it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    error: str = Field(alias="Error")
    cause: str = Field(alias="Cause", default="")

    @property
    def of_partitions(self) -> bool:
        """Return whether this reports only that partitions failed, without a reason."""
        return self.error == "States.ExceedToleratedFailureThreshold"

    def __str__(self) -> str:
        """Return the error, with its message if a function raised it."""
        try:
            return f"{self.error}: {json.loads(self.cause)['errorMessage']}"
        except (ValueError, TypeError, KeyError):
            return f"{self.error}: {self.cause}"


class GiveUpRequest(_Request):
    """A state failed finally; `redrives` counts the execution's restarts (absent: 0).

    `entered` is the time when the requesting state was entered; it is the same in each retry. An earlier definition omits it.
    """

    action: Literal["give_up"]
    key: str
    version_id: str
    execution: str
    redrives: int | None = None
    entered: str | None = None
    failure: Failure


type Request = Annotated[PlanRequest | CommitRequest | GiveUpRequest, Field(discriminator="action")]

_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)


class Work(BaseModel):
    """State of the work on a batch: it has `ended`, or a plan's partitions are next.

    `turn` is the plan's number, `plan` its key in the store, and `folder` the prefix of the batch's partition files. `concurrency`
    partitions are scored at once.
    """

    model_config = ConfigDict(frozen=True)

    ended: bool
    turn: int
    plan: str
    folder: str
    concurrency: int


def work_on(inbox: str, request: Request, turn: int | None, concurrency: int) -> Work:
    """Return the response: score the plan of this turn next, or nothing if None."""
    named = layout.model_or_unnamed(request.key), layout.batch_id(inbox, request.key, request.version_id)
    return Work(
        ended=turn is None,
        turn=turn or 0,
        plan=layout.plan_key(*named, turn or 0),
        folder=layout.partitions_prefix(*named),
        concurrency=concurrency,
    )


def parse_request(event: Mapping[str, Any]) -> Request:
    """Read a request by its action."""
    return _REQUEST.validate_python(event)
