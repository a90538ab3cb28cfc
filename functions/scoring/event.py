"""What wakes scoring beside uploads: a person who wants a batch scored again."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


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
