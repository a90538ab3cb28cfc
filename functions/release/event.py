"""Read what wakes release: a decision, a schedule's tick, or a person's call."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from functions.shared.domain import layout


class ReleaseRequest(BaseModel):
    """One step for one model, or for all of them on a tick.

    `rollback` may name a version that was the champion before. `force` has `promote` serve what the gate kept out; it needs a reason.
    With `canary` it serves the version to the first share of a rollout, not to all. `approve` and `reject` are about the version that
    waits for a person, and need a reason.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["tick", "promote", "rollback", "retire", "approve", "reject"] = "tick"
    model: str | None = None
    version: str | None = None
    force: bool = False
    canary: bool = False
    reason: str = ""
    who: str = "schedule"


def parse_request(event: Mapping[str, Any]) -> ReleaseRequest:
    """Read a direct call, or a decision's arrival, which asks to look at its model."""
    if event.get("source") == "aws.s3":
        return ReleaseRequest(model=layout.model_of(event["detail"]["object"]["key"]), who="decision")
    return ReleaseRequest.model_validate(event)
