"""Which messages were sent, each recorded under its alert's name; the text is composed of the alert whenever it is shown."""

from collections.abc import Iterator
from datetime import datetime

from functions.shared.domain import layout
from functions.shared.domain.alert import Alert
from functions.shared.domain.message import Message, message_about
from functions.shared.domain.sent import Sent
from functions.shared.ports import ObjectStore
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.swap import swap


class Messages:
    """Records of messages in the store bucket."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def begun(self, message: Message, now: datetime) -> Sent:
        """Return the record of a message, which begins at this time unless it began before."""

        def found(body: bytes | None) -> tuple[bytes | None, Sent]:
            record = Sent.from_json(body) if body is not None else Sent(model=message.model, begun_at=now)
            return (record.to_json() if body is None else None), record

        return swap(self._store, layout.message_key(message.model, message.id), found)

    def record(self, message: Message, target: str) -> None:
        """Note that a target got a message, which has begun."""

        def sent(body: bytes | None) -> tuple[bytes | None, None]:
            assert body is not None, "only what has begun is sent"
            record = Sent.from_json(body)
            return record.model_copy(update={"sent": record.sent | {target}}).to_json(), None

        swap(self._store, layout.message_key(message.model, message.id), sent)

    def newest(self, model: str | None = None, *, most: int | None = None) -> list[str]:
        """Keys of the newest records of one model, or of all, oldest first."""
        listed = self._store.list(layout.message_prefix(model) if model else layout.MESSAGES)
        keys = [found.key for found in sorted(listed, key=lambda found: found.last_modified)]
        return keys if most is None else keys[-most:]

    def named(self, keys: list[str], *, stack: str) -> Iterator[tuple[Sent, Message]]:
        """Yield the messages at some keys with their records, oldest first.

        Those whose alert an erasure removed are left out.
        """
        found = []
        for key in keys:
            record = Sent.from_json(self._store.read(key))
            alert = read_document(self._store, Alert, layout.alert_of_message(key))
            if alert is not None:
                found.append((record, message_about(alert, stack=stack)))
        yield from sorted(found, key=lambda pair: pair[0].begun_at)
