"""That a message was sent, and to whom."""

from datetime import datetime

from functions.shared.domain.document import Document


class Sent(Document):
    """The record of a message, whose name says what it is about.

    `sent` names the targets that got it.
    """

    model: str
    sent: frozenset[str] = frozenset()
    begun_at: datetime
