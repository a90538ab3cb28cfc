"""The request for an erasure, which only a person sends."""

import hashlib
import hmac
import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Place(BaseModel):
    """How far a look got.

    All of `step` up to `place` is done; at the beginning both are empty.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    step: str = ""
    place: str = ""


class EraseRequest(BaseModel):
    """Ids whose rows are to be erased from everything that is stored of a model.

    They come with the call, so that they are never stored. With `dry_run` nothing is removed or recorded: the response counts what
    would be erased. With a `token`, a random text that nobody else knows, an erasure that takes longer than a call
    is taken up by the next one with the same token and the same ids. A dry run stores no position: with `after`, a call looks
    at what comes after that place, and its response has the place where it stopped in `reached`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["erase"] = "erase"
    model: str
    ids: tuple[str, ...] = Field(min_length=1)
    reason: str = ""
    dry_run: bool = False
    who: str
    after: Place | None = None
    token: str = Field(default="", pattern=r"^(.{32,})?$")

    @property
    def seal(self) -> str:
        """Return what the record keeps of the token and the ids.

        Without the token nobody can try ids on it.
        """
        return hmac.new(self.token.encode(), json.dumps([self.model, sorted(self.ids)]).encode(), hashlib.sha256).hexdigest()
