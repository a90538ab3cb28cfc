"""What wakes scoring apart from uploads: the state machine, and a person who wants a batch scored again."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from functions.shared.domain.partition import Partition


class RescoreRequest(BaseModel):
    """A batch to score again: `rescore` by what is served now, `verify` by the release that scored it, to compare."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["rescore", "verify"]
    model: str
    batch_id: str


class Verification(BaseModel):
    """Whether a batch came out again byte by byte; `different` names the files that did not."""

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
