"""Which messages were sent, each recorded by what it is about.

The text is composed whenever it is shown.
"""

from collections.abc import Iterator
from datetime import datetime

from functions.shared.domain import layout
from functions.shared.domain.alert import Alert
from functions.shared.domain.decision import Decision
from functions.shared.domain.decision_message import decision_message
from functions.shared.domain.message import Message, message_about
from functions.shared.domain.release import Release
from functions.shared.domain.release_message import release_message
from functions.shared.domain.sent import Sent
from functions.shared.ports import ObjectStore
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.releases import Releases
from functions.shared.repositories.swap import swap


class Messages:
    """Records of messages in the store bucket."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def about(self, key: str, *, stack: str) -> Message | None:
        """Compose the message about the alert, decision or release at a key.

        It is None if nothing stands there any more, or an alert says the same. It is also None of a decision that only an erasure
        rewrote: nobody was sent a message when it was new.
        """
        if key.startswith(layout.DECISIONS):
            decision = read_document(self._store, Decision, key)
            if decision is None:
                return None
            message = decision_message(decision, stack=stack)
            return message if not decision.erased_rows or self._is_known(message) else None
        if key.startswith(layout.RELEASES):
            release = read_document(self._store, Release, key)
            return release_message(release, self._before(release), stack=stack) if release else None
        alert = read_document(self._store, Alert, key)
        return message_about(alert, stack=stack) if alert else None

    def _before(self, release: Release) -> Release | None:
        return Releases(self._store).at(release.model, release.seq - 1) if release.seq > 1 else None

    def _is_known(self, message: Message) -> bool:
        return read_document(self._store, Sent, layout.message_key(message.model, message.id)) is not None

    def begun(self, message: Message, now: datetime) -> Sent:
        """Return the record of a message, which begins now unless it began before."""

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

        Those about what an erasure removed are left out.
        """
        found = []
        for key in keys:
            record = Sent.from_json(self._store.read(key))
            message = self.about(layout.source_of_message(key), stack=stack)
            if message is not None:
                found.append((record, message))
        yield from sorted(found, key=lambda pair: pair[0].begun_at)
