"""Requests to score other than uploads: partitions, and batches to score again."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from functions.shared.domain.partition import Partition


class RescoreRequest(BaseModel):
    """A batch to score again.

    `rescore` uses the current release. `verify` uses the release that scored the batch, to compare the results.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["rescore", "verify"]
    model: str
    batch_id: str


class Verification(BaseModel):
    """Whether a batch was reproduced byte by byte; `different` names the other files."""

    model_config = ConfigDict(frozen=True)

    model: str
    batch_id: str
    identical: bool
    different: tuple[str, ...] = ()


def parse_request(event: Mapping[str, Any]) -> Partition | RescoreRequest:
    """Read an item of the state machine's map, or a direct call."""
    if "partition" in event:
        return Partition.model_validate(event["partition"])
    return RescoreRequest.model_validate(event)
