"""The record of an erasure: how much was removed, and from where.

It names nobody.
"""

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from functions.shared.domain.document import Document, Value


class Reached(Value):
    """How far an erasure that has not ended got.

    All of `step` up to `place` is done, in look number `look`, from 0. `removed` says whether this look removed anything,
    `paused` whether the call ended here; otherwise a kill may have come later. `seal` proves that a later call asks for the same people:
    it is made with a secret that only the callers have, so it shows nobody's id.
    """

    seal: str
    look: int = 0
    step: str = ""
    place: str = ""
    removed: bool = False
    paused: bool = False
    at: datetime


class Erasure(Document):
    """What was removed of some people's rows from everything stored of a model.

    `people` counts the ids asked for. `rows` counts rows by prefix: `scored`, `quarantine`, `labelled`, `waiting`; `batches`
    those of the first two by batch, `versions` the rows of training sets by version. `uploads` are files of the inbox that
    showed somebody and were removed whole; `objects` counts the versions of objects in both buckets that went for good.
    `left` are files that show somebody and are to be worked off first; `left_until` says until when, where the
    clock decides. `ended_at` is None while it runs, and of one that was
    broken off; `reached` is where the next call goes on, if its callers can go on.
    """

    model: str
    erasure: str
    people: int
    who: str
    reason: str
    rows: Mapping[str, int] = Field(default_factory=dict)
    batches: Mapping[str, int] = Field(default_factory=dict)
    versions: Mapping[str, int] = Field(default_factory=dict)
    uploads: tuple[str, ...] = ()
    objects: int = 0
    left: tuple[str, ...] = ()
    left_until: Mapping[str, datetime] = Field(default_factory=dict)
    begun_at: datetime
    ended_at: datetime | None = None
    reached: Reached | None = None
