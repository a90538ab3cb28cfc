"""Why alerts were raised, each cause once: open while it lasts, then closed.

A cause that is seen again does not call people again.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.document import Document, Value

KEPT = timedelta(days=30)
"""Time for which a cause that is closed is still shown."""

_ONE_AT_A_TIME = {AlertKind.QUARANTINE, AlertKind.SILENT, AlertKind.STALE, AlertKind.UNSCORED, AlertKind.LABELS}

_LASTING = {AlertKind.SILENT, AlertKind.STALE, AlertKind.UNSCORED, AlertKind.POLICY, AlertKind.APPROVAL, AlertKind.PERFORMANCE}


def lasts(kind: AlertKind) -> bool:
    """Return whether what is seen again under the same window is there again.

    Of other kinds, a window names a file, and the same alert is only delivered again.
    """
    return kind in _LASTING


def cause_of(alert: Alert) -> str:
    """Return the name of what an alert is about; alerts of one cause share it.

    Drift and decay are of one champion, a failure of one error code, an approval of one version, and an unreadable policy of its number.

    >>> from datetime import UTC
    >>> plain = dict(model="churn", message="", runbook="", raised_at=datetime(2013, 4, 1, tzinfo=UTC))
    >>> cause_of(Alert(kind=AlertKind.DRIFT, window="2013-04-01-0a1b2c3d", evidence={"temp": 0.3}, version="7", **plain))
    'drift-v7'
    >>> cause_of(Alert(kind=AlertKind.PERFORMANCE, window="2013-04-01-v7", evidence={}, **plain))
    'performance-v7'
    >>> evidence = {"code": "no_table", "key": "labels/churn/april.csv"}
    >>> cause_of(Alert(kind=AlertKind.FAILED, window="2013-04-01-0a1b2c3d", evidence=evidence, **plain))
    'failed-labels-no_table'
    """
    kind = alert.kind
    if alert.closed:
        return str(alert.evidence["cause"])
    if kind in _ONE_AT_A_TIME:
        return kind.value
    if kind is AlertKind.FAILED:
        of_labels = "labels-" if alert.is_of_labels else ""
        return f"{kind.value}-{of_labels}{alert.evidence.get('code', '')}"
    if kind is AlertKind.POLICY:
        return f"{kind.value}-{alert.evidence.get('unreadable', '')}"
    version = alert.version or alert.window.rpartition("-v")[2]
    return f"{kind.value}-v{version}"


def window_after(window: str, moment: datetime) -> str:
    """Return the window of an alert that calls again after a moment.

    The day stays first and the version last.

    >>> from datetime import UTC
    >>> window_after("2013-04-01", datetime(2013, 4, 1, 9, tzinfo=UTC)), window_after("2013-04-01-v7", datetime(2013, 4, 8, 12, tzinfo=UTC))
    ('2013-04-01-20130401T090000000000Z', '2013-04-01-20130408T120000000000Z-v7')
    """
    about, dash, version = window.partition("-v")
    return f"{about}-{moment:%Y%m%dT%H%M%S%fZ}{dash}{version}"


class Said(Value):
    """What a person said about a cause, who and when."""

    who: str
    reason: str
    at: datetime


class Silence(Said):
    """No message is sent about a cause, or a kind of alert, until a time."""

    until: datetime


class Cause(Value):
    """One cause of alerts.

    `window` is that of the alert that called people last, `latest` of the one that was seen last; `message` is what that one said. It
    is empty for a failure, which may quote a file: the alert has it, and erasure finds it there. `seen` counts alerts. `arrived` is when
    the newest file came that it is about, where that is known; of what lasts, the last sight says so.
    """

    kind: AlertKind
    window: str
    latest: str
    message: str
    opened_at: datetime
    seen_at: datetime
    seen: int = 1
    arrived: datetime | None = None
    acknowledged: Said | None = None
    closed_at: datetime | None = None
    closed_by: str = ""

    @property
    def is_open(self) -> bool:
        """Return whether it lasts."""
        return self.closed_at is None


class Causes(Document):
    """The causes of a model's alerts that are open, or were closed lately.

    `silences` go by the name of a cause or of a kind, and may stand before there is any.
    """

    model: str
    causes: Mapping[str, Cause] = {}
    silences: Mapping[str, Silence] = {}

    def silence_of(self, name: str, kind: AlertKind, now: datetime) -> Silence | None:
        """Return what silences a cause at a time, if anything does."""
        found = (self.silences.get(silenced) for silenced in (name, kind.value))
        return next((silence for silence in found if silence and now < silence.until), None)

    def open(self) -> Mapping[str, Cause]:
        """Return those that last."""
        return {name: cause for name, cause in self.causes.items() if cause.is_open}

    def lapsed(self, alert: Alert, now: datetime) -> datetime | None:
        """Return when a silence ended in which a cause was seen last, or before which."""
        name, kind = cause_of(alert), alert.kind
        if self.silence_of(name, kind, now):
            return None
        known = self.causes.get(name)
        last = known.seen_at if known else alert.raised_at
        found = (self.silences.get(silenced) for silenced in (name, kind.value))
        return max((silence.until for silence in found if silence and last < silence.until), default=None)

    def sighted(self, alert: Alert, *, now: datetime, opens: str | None, arrived: datetime | None = None) -> "Causes":
        """Return these with one more sight of a cause: opened, or brought up to date.

        Args:
            alert: what was seen. The same alert counts once, however often it is delivered.
            now: when.
            opens: the window of the alert that called people just now, or under which a closed cause opens again; None leaves it closed.
            arrived: when the file came that it is about.
        """
        name = cause_of(alert)
        known = self.causes.get(name)
        message = "" if alert.kind is AlertKind.FAILED else alert.message
        if known is not None and known.is_open:
            seen = known.seen + (known.latest != alert.window)
            newest = arrived if lasts(alert.kind) else max(filter(None, (known.arrived, arrived)), default=None)
            times = {"latest": alert.window, "seen_at": now, "seen": seen, "arrived": newest}
            found = known.model_copy(update={**times, "message": message, "window": opens or known.window})
        elif known is None or opens:
            window, opened = opens or alert.window, alert.raised_at
            found = Cause(
                kind=alert.kind, window=window, latest=alert.window, message=message, opened_at=opened, seen_at=now, arrived=arrived
            )
        else:
            return self
        return self._with(name, found)

    def closed(self, name: str, why: str, now: datetime) -> "Causes":
        """Return these with one closed."""
        return self._with(name, self.causes[name].model_copy(update={"closed_at": now, "closed_by": why}))

    def acknowledged(self, name: str, said: Said) -> "Causes":
        """Return these with one that a person has taken up."""
        return self._with(name, self.causes[name].model_copy(update={"acknowledged": said}))

    def silenced(self, name: str, silence: Silence) -> "Causes":
        """Return these with a cause or kind silenced.

        A silence that ends at once ends the one before, and stays known, so that what outlasts it calls people.
        """
        running = self.silences.get(name)
        if silence.until <= silence.at and (running is None or running.until <= silence.at):
            return self
        return self.model_copy(update={"silences": {**self.silences, name: silence}})

    def kept(self, now: datetime) -> "Causes":
        """Return these without what ended long ago.

        A silence stays until its cause is seen again.
        """
        causes = {name: cause for name, cause in self.causes.items() if cause.closed_at is None or now - cause.closed_at < KEPT}
        silences = {
            silenced: silence
            for silenced, silence in self.silences.items()
            if now - silence.until < KEPT
            or any(silenced in (name, cause.kind.value) and cause.seen_at < silence.until for name, cause in causes.items())
        }
        return self.model_copy(update={"causes": causes, "silences": silences})

    def _with(self, name: str, cause: Cause) -> "Causes":
        return self.model_copy(update={"causes": {**self.causes, name: cause}})


class State(StrEnum):
    """The state of a cause; silenced ones and those in a person's care are open."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    CLOSED = "closed"


def state_of_alert(causes: Causes, alert: Alert, now: datetime, *, quiet: Collection[str]) -> State | None:
    """Return how what an alert called people for stands now.

    A cause that is not known any more was closed long ago, and one that opened again later has another alert or, if it is one of the
    `quiet` names, none. None is said of a recent alert without a cause, which an earlier version raised.
    """
    name = cause_of(alert)
    cause = causes.causes.get(name)
    if cause is None:
        return State.CLOSED if now - alert.raised_at >= KEPT else None
    was_before = name in quiet if alert.window == cause.window else alert.raised_at < cause.opened_at
    return State.CLOSED if was_before else state_of(causes, name, now)


def state_of(causes: Causes, name: str, now: datetime) -> State:
    """Return how a cause stands."""
    cause = causes.causes[name]
    if not cause.is_open:
        return State.CLOSED
    if causes.silence_of(name, cause.kind, now):
        return State.SILENCED
    return State.ACKNOWLEDGED if cause.acknowledged else State.OPEN
