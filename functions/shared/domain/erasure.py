"""The record of an erasure: how much was removed, and from where. It names nobody."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from functions.shared.domain.document import Document


class Erasure(Document):
    """What was removed of some people's rows from everything stored of a model.

    `people` counts the ids asked for. `rows` counts rows by prefix: `scored`, `quarantine`, `labelled`, `waiting`; `batches`
    those of the first two by batch, `versions` the rows of training sets by version. `uploads` are files of the inbox that
    showed somebody and were removed whole; `objects` counts the versions of objects in both buckets that went for good.
    `left` are files that show somebody and are to be worked off first; `left_until` says until when, where the
    clock decides. `ended_at` is None while it runs, and of one that was
    broken off.
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
