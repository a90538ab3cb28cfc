"""The request for an erasure, which only a person sends."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class EraseRequest(BaseModel):
    """Ids whose rows are to be erased from everything that is stored of a model.

    They come with the call, so that they are never stored. With `dry_run` nothing is removed or recorded: the response counts what
    would be erased.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["erase"] = "erase"
    model: str
    ids: tuple[str, ...] = Field(min_length=1)
    reason: str = ""
    dry_run: bool = False
    who: str
