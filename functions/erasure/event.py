"""What wakes erasure: a person's hand, and nothing else."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class EraseRequest(BaseModel):
    """Ids whose rows are to be removed from everything stored of a model. They come with the call, so that they are stored nowhere.

    With `dry_run` nothing is removed and no record is kept: the answer is what would go.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["erase"] = "erase"
    model: str
    ids: tuple[str, ...] = Field(min_length=1)
    reason: str = ""
    dry_run: bool = False
    who: str
