"""Follow what causes alerts: call people once, keep it current, close it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.shared.domain import layout
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.cause import Cause, Causes, cause_of
from functions.shared.domain.errors import InputError
from functions.shared.foundation.counted import counted
from functions.shared.ports import ObjectStore
from functions.shared.repositories.alerts import raise_once
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.swap import swap

type Over = Callable[[str], str]
"""Why a cause of this name is over; empty while it lasts, or where nothing is known of it."""


@dataclass(frozen=True, slots=True)
class Sight:
    """An alert that follows from what was seen just now.

    `news` says whether people are called: if it is None, they are where the cause was not open.
    """

    alert: Alert
    news: bool | None = None


def causes_of(model: str, store: ObjectStore) -> Causes:
    """Return the causes of a model's alerts."""
    return read_document(store, Causes, layout.causes_key(model)) or Causes(model=model)


def follow(model: str, store: ObjectStore, now: datetime, *, seen: Sequence[Sight] = (), over: Over = lambda _: "") -> None:
    """Bring the causes of a model's alerts up to date.

    Alerts and closings are written first, each once: after a crash they are there, and this is done again.

    Args:
        model: whose alerts they are.
        store: holds them.
        now: the time.
        seen: what was seen just now.
        over: why an open cause is over.
    """
    known = causes_of(model, store)
    opens = {cause_of(sight.alert): _opens(sight, known, store, now) for sight in seen}
    ended = {name: why for name in known.open() if name not in opens and (why := over(name))}
    if not opens and not ended:
        return
    for name, why in ended.items():
        _write_closing(name, known.causes[name], why, model, store, now)

    def changed(body: bytes | None) -> tuple[bytes | None, None]:
        before = causes = Causes.from_json(body) if body is not None else Causes(model=model)
        for sight in seen:
            causes = causes.sighted(sight.alert, now=now, opens=opens[cause_of(sight.alert)])
        for name in ended.keys() & causes.open().keys():
            causes = causes.closed(name, ended[name], now)
        causes = causes.kept(now)
        return (causes.to_json() if causes != before else None), None

    swap(store, layout.causes_key(model), changed)


def _opens(sight: Sight, known: Causes, store: ObjectStore, now: datetime) -> str | None:
    """Return the window in which a closed cause opens again; call people if due.

    What opens without a call keeps the window of the last one, so that people who are not called are sent no second closing.
    """
    earlier = known.causes.get(cause_of(sight.alert))
    if sight.news if sight.news is not None else known.calls(sight.alert, now=now):
        return sight.alert.window if raise_once(sight.alert, store) else None
    return earlier.window if earlier and earlier.latest != sight.alert.window else None


def _write_closing(name: str, cause: Cause, why: str, model: str, store: ObjectStore, now: datetime) -> None:
    """Write that a cause is over, if people were called for it."""
    called = read_document(store, Alert, layout.alert_key(model, cause.window, cause.kind.value))
    if called is None:
        return
    # A failure may quote a file: only its alert has that, where erasure looks.
    times, was = counted(cause.seen, "alerts"), cause.message or called.message
    message = f"closed, {why}; since {cause.opened_at:%Y-%m-%d %H:%M} UTC {times} said: {was}"
    closing = Alert(
        model=model,
        kind=cause.kind,
        window=cause.window,
        message=message,
        evidence={"cause": name},
        runbook=f"docs/runbook.md#{cause.kind.value}",
        raised_at=now,
        closed=True,
    )
    store.create(layout.closing_key(model, cause.window, cause.kind.value), closing.to_json())


def change_causes(model: str, store: ObjectStore, change: Callable[[Causes], Causes]) -> Causes:
    """Store what a person says about alerts, and return all."""

    def changed(body: bytes | None) -> tuple[bytes | None, Causes]:
        causes = change(Causes.from_json(body) if body is not None else Causes(model=model))
        return causes.to_json(), causes

    return swap(store, layout.causes_key(model), changed)


def checked_cause(name: str, causes: Causes, *, or_kind: bool = False) -> str:
    """Return the name of an open alert, or a kind that stands for all of its alerts.

    Raises:
        InputError: if there is none, with those that there are.
    """
    kinds = [kind.value for kind in AlertKind] if or_kind else []
    known = [*sorted(causes.open()), *kinds]
    if name not in known:
        remedy = f"choose from: {', '.join(known)}" if known else "nothing has to be done"
        raise InputError(f"no open alert of {causes.model!r} is called {name!r}", remedy=remedy, code="unknown_alert")
    return name
