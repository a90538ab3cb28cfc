"""What became of a call whose caller does not wait for it, but watches the store."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from functions.shared.domain.document import Document
from functions.shared.domain.errors import InputError

ASKED = "answer"
"""Key of a request that names, by a random token, where its answer is to be kept."""

SILENT = timedelta(seconds=90)
"""A function that gave no sign of life for so long was ended."""

FUNCTION_ENDED = "FunctionEndedError"
"""The name in `failed` where the function itself could not answer."""

ENDED_EARLY = "the function was ended before it could answer, by its time, its memory or an outage"
ENDED_EARLY_REMEDY = "read its log; with more memory, a parameter of the template, it has more processor time too"

_TOKEN = re.compile(r"[0-9a-f]{32}")


def checked_token(token: object) -> str:
    """Return a token, which names an object, if it is 32 hex digits.

    Raises:
        InputError: if it is anything else.

    >>> checked_token("0123456789abcdef0123456789abcdef")
    '0123456789abcdef0123456789abcdef'
    """
    if isinstance(token, str) and _TOKEN.fullmatch(token):
        return token
    message = f"{token!r} is no token for an answer"
    raise InputError(message, remedy="draw 32 hex digits")


class Answer(Document):
    """A call's answer, or a sign of life until there is one.

    `beat_at` is renewed while the function works. `answer` is what a direct call returns; `failed` is an error's name and message
    instead. It may quote a training file, so it is kept for a day only, and an erasure removes it.
    """

    begun_at: datetime
    beat_at: datetime
    answer: Mapping[str, Any] | None = None
    failed: tuple[str, str] | None = None

    @property
    def ended(self) -> bool:
        """Return whether nothing more is to be expected."""
        return self.answer is not None or self.failed is not None
