"""The clock and chance, which handlers hand to use cases; tests hand them others."""

import uuid
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the time now."""
    return datetime.now(UTC)


def new_name() -> str:
    """Return a name that nothing else has: 32 hexadecimal digits."""
    return uuid.uuid4().hex
