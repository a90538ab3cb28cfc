"""What the state machine asks, and what it is answered. Names here stand in `infra/state_machines/` too."""

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
    """All partitions of a plan were scored."""

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
        """Whether this says only that partitions failed, and not why."""
        return self.error == "States.ExceedToleratedFailureThreshold"

    def __str__(self) -> str:
        """The error, with its message if a function raised it."""
        try:
            return f"{self.error}: {json.loads(self.cause)['errorMessage']}"
        except (ValueError, TypeError, KeyError):
            return f"{self.error}: {self.cause}"


class GiveUpRequest(_Request):
    """A state failed for good; `redrives` counts how often the execution was taken up again (absent: never).

    `entered` is when the state that asks was entered, the same in each of its retries (absent: not known, from an earlier definition).
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
    """Where the work on a batch stands: it has `ended`, or the partitions of a plan are to be scored.

    `turn` is the plan's, `plan` its key in the store, `folder` the prefix of all that is known of the batch's partitions, and
    `concurrency` how many of them are scored at once.
    """

    model_config = ConfigDict(frozen=True)

    ended: bool
    turn: int
    plan: str
    folder: str
    concurrency: int


def work_on(inbox: str, request: Request, turn: int | None, concurrency: int) -> Work:
    """The answer to a request: the plan of this turn is to be scored, or of none."""
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
