"""AWS's own envelopes.

Only the few fields that matter here are read.
"""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

LAST_DELIVERY = 5
"""The one after which a message is a dead letter."""


class _Envelope(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore", populate_by_name=True)


class _Bucket(_Envelope):
    name: str


class _Object(_Envelope):
    key: str
    size: int = 0
    etag: str = ""
    version_id: str = Field(default="null", alias="version-id")


class _ObjectDetail(_Envelope):
    bucket: _Bucket
    object: _Object


class _ObjectEvent(_Envelope):
    source: str
    time: datetime | None = None
    detail: _ObjectDetail


class StoredObject(BaseModel):
    """One version of one object that S3 says was created.

    `version_id` is `null` in a bucket without versions.

    `created_at`: when, as the event says. `deliveries`: how often its message was handed out, this time included.
    """

    model_config = ConfigDict(defer_build=True, frozen=True)

    bucket: str
    key: str
    version_id: str
    etag: str
    size_bytes: int
    created_at: datetime | None = None
    deliveries: int = 1

    @classmethod
    def from_event(cls, body: str) -> Self | None:
        """Read an EventBridge `Object Created` event.

        Its keys are not URL-encoded, unlike those in S3's own notifications.

        Returns:
            None for the `s3:TestEvent` that a bucket sends when it is first wired, and for folder markers.

        Raises:
            pydantic.ValidationError: if the text is neither.
        """
        if '"s3:TestEvent"' in body:
            return None
        event = _ObjectEvent.model_validate_json(body)
        detail, created = event.detail, event.detail.object
        if created.key.endswith("/") and created.size == 0:
            return None
        return cls(
            bucket=detail.bucket.name,
            key=created.key,
            version_id=created.version_id,
            etag=created.etag,
            size_bytes=created.size,
            created_at=event.time,
        )
