"""Follow what causes alerts: call people once, keep it current, close it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.shared.domain import layout
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.cause import Cause, Causes, cause_of, lasts, window_after
from functions.shared.domain.errors import InputError
from functions.shared.foundation.counted import counted
from functions.shared.ports import ObjectStore
from functions.shared.repositories.alerts import raise_once
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.swap import swap

type Over = Callable[[str, Cause], str]
"""Why a cause, given by its name too, is over; empty while it lasts, or where nothing is known of it."""


@dataclass(frozen=True, slots=True)
class Sight:
    """An alert that follows from what was seen just now.

    `news` says whether people are called: if it is None, they are where the cause was not open. What outlasts a silence calls anyway.
    `arrived` is when the file came that it is about, where that is known.
    """

    alert: Alert
    news: bool | None = None
    arrived: datetime | None = None


def causes_of(model: str, store: ObjectStore) -> Causes:
    """Return the causes of a model's alerts."""
    return read_document(store, Causes, layout.causes_key(model)) or Causes(model=model)


def quiet(causes: Causes, store: ObjectStore) -> Mapping[str, Cause]:
    """Return the open causes of drift for which nobody was called.

    They are a digest of what drifts and does little.
    """
    drift = {name: cause for name, cause in causes.open().items() if cause.kind is AlertKind.DRIFT}
    return {name: cause for name, cause in drift.items() if not _calls(cause, causes.model, store)}


def _calls(cause: Cause, model: str, store: ObjectStore) -> bool:
    """Return whether people were called about an open cause.

    One that opened again without a call has the window of the last call, which is over.
    """
    window, kind = cause.window, cause.kind.value
    if read_document(store, Alert, layout.alert_key(model, window, kind)) is None:
        return False
    return read_document(store, Alert, layout.closing_key(model, window, kind)) is None


def follow(model: str, store: ObjectStore, now: datetime, *, seen: Sequence[Sight] = (), over: Over = lambda *_: "") -> None:
    """Bring the causes of a model's alerts up to date.

    Alerts and closings are written first, each once: after a crash they are there, and this is done again.

    Args:
        model: whose alerts they are.
        store: holds them.
        now: the time.
        seen: what was seen just now.
        over: why an open cause is over.
    """

    def changed(body: bytes | None) -> tuple[bytes | None, None]:
        # All is decided by what the swap replaces: if others write meanwhile, it is decided again.
        known = causes = Causes.from_json(body) if body is not None else Causes(model=model)
        names = {cause_of(sight.alert) for sight in seen}
        for sight in seen:
            causes = causes.sighted(sight.alert, now=now, opens=_opens(sight, causes, store, now), arrived=sight.arrived)
        for name, cause in known.open().items():
            if name not in names and (why := over(name, cause)):
                _write_closing(name, cause, why, model, store, now)
                causes = causes.closed(name, why, now)
        if causes == known:
            return None, None
        return causes.kept(now).to_json(), None

    swap(store, layout.causes_key(model), changed)


def _opens(sight: Sight, known: Causes, store: ObjectStore, now: datetime) -> str | None:
    """Return the window in which a closed cause opens again; call people if due.

    What goes on beyond a silence, or is back on the day on which it was over, calls under another window, as its alert stands.
    """
    alert, earlier = sight.alert, known.causes.get(cause_of(sight.alert))
    closed = _closed(earlier, alert, store) if earlier else None
    lapsed = known.lapsed(alert, now)
    if lapsed and sight.news is False and _standing(alert, earlier.window if earlier else alert.window, store) is None:
        lapsed = None  # nobody was to be called about it, so the silence kept nothing back
    is_news = sight.news if sight.news is not None else earlier is None or closed is not None
    if not is_news and not lapsed:
        return _opens_quietly(alert, earlier, closed, store)
    if raise_once(alert, store):
        return alert.window
    if lapsed:
        return alert.window if _raised_after(lapsed, alert, store) else _call_again(alert, lapsed, store)
    if earlier is None or closed is None or _awaits_opening(alert, earlier, closed, store):
        return alert.window
    return _call_again(alert, closed, store) if lasts(alert.kind) else None


def _call_again(alert: Alert, since: datetime, store: ObjectStore) -> str:
    """Raise an alert that stands again, once after a moment; return its window."""
    again = alert.model_copy(update={"window": window_after(alert.window, since)})
    raise_once(again, store)
    return again.window


def _closed(cause: Cause, alert: Alert, store: ObjectStore) -> datetime | None:
    """Return when a cause was closed, perhaps by one who crashed after the closing."""
    closing = None if cause.closed_at else read_document(store, Alert, layout.closing_key(alert.model, cause.window, cause.kind.value))
    return closing.raised_at if closing else cause.closed_at


def _opens_quietly(alert: Alert, earlier: Cause | None, closed: datetime | None, store: ObjectStore) -> str | None:
    """Return the window in which a closed cause opens again without a call.

    It is that of the last call, so that people who are not called are sent no second closing.
    """
    if earlier is None or closed is None:
        return None
    if _awaits_opening(alert, earlier, closed, store):
        return alert.window
    return earlier.window if earlier.latest != alert.window or lasts(alert.kind) else None


def _awaits_opening(alert: Alert, earlier: Cause, closed: datetime, store: ObjectStore) -> bool:
    """Return whether an alert stands for which its cause was not opened yet.

    A crash or another writer came between.
    """
    if lasts(alert.kind):
        return _raised_after(closed, alert, store)
    if alert.window in {earlier.latest, earlier.window} or _standing(alert, alert.window, store) is None:
        return False
    return read_document(store, Alert, layout.closing_key(alert.model, alert.window, alert.kind.value)) is None


def _raised_after(moment: datetime, alert: Alert, store: ObjectStore) -> bool:
    standing = _standing(alert, alert.window, store)
    return standing is not None and standing.raised_at > moment


def _standing(alert: Alert, window: str, store: ObjectStore) -> Alert | None:
    return read_document(store, Alert, layout.alert_key(alert.model, window, alert.kind.value))


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
