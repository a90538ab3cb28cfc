"""Keep a call's answer in the store, for a caller who watches it there.

A training takes minutes, and no connection should have to wait for it: the caller sends an event, which Lambda takes at once.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from functions.shared.domain import layout
from functions.shared.domain.answer import ASKED, ENDED_EARLY, ENDED_EARLY_REMEDY, FUNCTION_ENDED, SILENT, Answer, checked_token
from functions.shared.domain.errors import EverscoreError
from functions.shared.domain.spec import checked_model_name
from functions.shared.ports import ObjectStore
from functions.shared.runtime.heartbeat import beating
from functions.shared.runtime.observability import logger

BEAT_S = 15.0

type Handler = Callable[[dict[str, Any], Any], Mapping[str, Any]]


def keeping_answers(store: Callable[[], ObjectStore]) -> Callable[[Handler], Handler]:
    """Return a decorator that keeps the answers to those events that ask for it.

    Lambda repeats an event whose function failed. It has its answer by then, or was ended without one, so nothing is done again.
    """

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def keeping(event: dict[str, Any], context: Any) -> Mapping[str, Any]:
            if ASKED not in event:
                return handler(event, context)
            request = {name: value for name, value in event.items() if name != ASKED}
            kept = _Kept(store(), layout.answer_key(checked_model_name(str(event.get("model", ""))), checked_token(event[ASKED])))
            if not kept.begin():
                return {}
            try:
                with beating(kept.renew, BEAT_S):
                    answer = handler(request, context)
            except Exception as error:  # whatever it is: the caller that watches reads it, and Lambda counts it
                kept.end(failed=(type(error).__name__, str(error)))
                raise
            kept.end(answer=answer)
            return answer

        return keeping

    return decorate


class _Kept:
    """An answer that stands in the store under `key`."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._store = store
        self._key = key
        self._answer = Answer(begun_at=_now(), beat_at=_now())

    def begin(self) -> bool:
        """Return whether this call is the first; after one that was ended, say so."""
        if self._store.create(self._key, self._answer.to_json()):
            return True
        standing = Answer.from_json(self._store.read(self._key))
        if standing == self._answer:  # a retried request
            return True
        if not standing.ended and _now() - standing.beat_at > SILENT:
            self._answer = standing
            self.end(failed=(FUNCTION_ENDED, str(EverscoreError(ENDED_EARLY, remedy=ENDED_EARLY_REMEDY))))
        return False

    def end(self, **found: Any) -> None:
        """Keep the answer, or the failure, for the caller that watches."""
        self._write(beat_at=_now(), **found)

    def renew(self) -> None:
        """Give a sign of life."""
        try:
            self._write(beat_at=_now())
        except Exception:  # noqa: BLE001 - whatever it is, the work goes on
            logger().warning("no sign of life could be given", exc_info=True)

    def _write(self, **changed: Any) -> None:
        self._store.write(self._key, self._answer.model_copy(update=changed).to_json())


def _now() -> datetime:
    return datetime.now(UTC)
