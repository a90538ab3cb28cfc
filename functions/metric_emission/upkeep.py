"""What the clock asks for: the hourly state of every model, and the daily sweep."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from threading import Lock
from typing import TYPE_CHECKING

from functions.metric_emission.alerts import over_by_clock, over_by_retirement, over_by_sweep, policy_alert, rhythm_alerts, unscored_alert
from functions.metric_emission.indexing import index_batches, index_missing
from functions.metric_emission.measurements import Measurement
from functions.metric_emission.ports import Model, Ports
from functions.metric_emission.totals import fold
from functions.metric_emission.waiting import given_up
from functions.shared.domain import layout
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.cause import Cause, State, state_of
from functions.shared.domain.metrics import (
    ALERTS,
    APPROVAL_AGE,
    CHALLENGER_SHARE,
    CHAMPION_AGE,
    LABELS_UNMATCHED,
    LAST_BATCH_AGE,
    MODELS,
    QUEUED_MESSAGES,
    RELEASE_SEQUENCE,
    SILENCE,
    UNSCORED_FILES,
    Occasion,
)
from functions.shared.domain.release import Release, approval_window
from functions.shared.foundation.fan_out import AT_ONCE, for_each
from functions.shared.ports import ObjectInfo, ObjectStore
from functions.shared.repositories.causes import Sight, causes_of, follow
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.manifests import Manifests, source_of
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases

if TYPE_CHECKING:
    from functions.shared.domain.totals import Totals

_DAY, _HOUR, _SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
_IN_WORK, _IN_PARTITIONS, _SWEPT = 2 * _DAY, 15 * _DAY, 30 * _DAY
"""Files of an attempt younger than the first may still be written. Without a manifest those younger than the second may be a
partition's, whose batch takes long: for so long its result is kept. Those older than the third were swept before."""
_SCORED_BY, _LOOKED_FOR = _HOUR, 2 * _DAY
"""An upload should have its manifest after the first; the second is how far a daily sweep looks back."""


def tick(ports: Ports) -> dict[str, int]:
    """Report the models that serve and the queues, alert, and send all totals.

    Returns:
        How many models serve.

    Raises:
        ExceptionGroup: at the end, of what was raised for some models, or by a Prometheus that takes nothing.
    """
    store, now = ports.store, ports.now
    reported: dict[str, Totals] = {}
    one_speaks = Lock()

    def report(name: str, measured: Sequence[Measurement]) -> None:
        with one_speaks:
            ports.emit(measured)
        reported[name] = fold(name, Occasion.TICK, measured, store=store, now=now).totals

    def look_at(model: str) -> list[Measurement]:
        state = _state(Model(model, ports))
        if state:
            report(model, state)
        return state

    try:
        states = [state for state in for_each(Releases(store).models(), look_at, at_once=AT_ONCE) if state]
        of_no_model = _alert_measurements(layout.UNNAMED_MODEL, store, now())
        report(layout.FLEET, [*_fleet_measurements(states), *_queue_measurements(ports.queued()), *of_no_model])
    finally:
        for_each([*reported], lambda name: ports.send(reported[name]))
    return {"models": len(states)}


def _fleet_measurements(states: Sequence[Sequence[Measurement]]) -> Iterator[Measurement]:
    """Of all models that serve together, by the state of each."""
    yield Measurement(MODELS, len(states), {})
    ages = [found.value for state in states for found in state if found.metric is LAST_BATCH_AGE]
    if ages:
        yield Measurement(SILENCE, min(ages), {})


def _queue_measurements(queued: Mapping[str, int]) -> Iterator[Measurement]:
    for queue, messages in queued.items():
        yield Measurement(QUEUED_MESSAGES, messages, {"queue": queue})


def _state(served: Model) -> list[Measurement]:
    """Measure the state of a model that serves, and alert on its silence or age.

    One that was retired has no state, and what was said of its service is over.
    """
    model, store, release, now = served.name, served.store, served.release, served.ports.now()
    if release and release.retired:
        follow(model, store, now, over=over_by_retirement)
        return []
    decision = Decisions(store).of(model, release.champion.version) if release else None
    if release is None or decision is None:
        return []
    index_batches(served)
    last = next(served.manifests.arrivals(model), None)
    silent = now - (last.created_at if last else release.decided_at)
    age = now - decision.decided_at
    standing = Policies(store).standing(model)
    damaged = [policy_alert(model, standing, now)] if standing.unreadable else []
    watched = [*rhythm_alerts(model, silent / _HOUR, age / _DAY, standing.policy.watch, now), *damaged]
    seen = [*map(Sight, watched), *_awaited(release, store)]
    follow(model, store, now, seen=seen, over=over_by_clock(release))
    named = {"model": model}
    return [
        Measurement(CHAMPION_AGE, age / _SECOND, named),
        Measurement(LAST_BATCH_AGE, silent / _SECOND, named),
        Measurement(RELEASE_SEQUENCE, release.seq, named),
        Measurement(CHALLENGER_SHARE, release.challenger.share if release.challenger else 0.0, named),
        *_approval_measurements(release, now),
        *_alert_measurements(model, store, now),
    ]


def _awaited(release: Release, store: ObjectStore) -> Iterator[Sight]:
    """Yield what waits for approval, of which the release called people."""
    if asked := release.approval:
        alert = read_document(store, Alert, layout.alert_key(release.model, approval_window(asked), AlertKind.APPROVAL.value))
        if alert is not None:
            yield Sight(alert, news=False)


def _approval_measurements(release: Release, now: datetime) -> Iterator[Measurement]:
    if asked := release.approval:
        waited = max((now - asked.since) / _SECOND, 0.0)
        yield Measurement(APPROVAL_AGE, waited, {"model": release.model, "version": asked.version})


def _alert_measurements(model: str, store: ObjectStore, now: datetime) -> Iterator[Measurement]:
    """Yield counts of alerts by kind: of the last day, or still open.

    A kind that a person silenced is not open.
    """
    raised = (found.key for found in store.list(layout.alert_prefix(model)) if now - found.last_modified < _DAY)
    kinds = (key.removesuffix(".json").rsplit("-", 1)[1] for key in raised if not layout.is_closing(key))
    causes = causes_of(model, store)
    lasting = {cause.kind.value for name, cause in causes.open().items() if state_of(causes, name, now) is not State.SILENCED}
    for kind, alerts in (Counter(dict.fromkeys(lasting, 1)) | Counter(kinds)).items():
        yield Measurement(ALERTS, alerts, {"model": model, "kind": kind})


def sweep(ports: Ports) -> dict[str, int]:
    """Clear up: delete abandoned files, give up labels, mend the index.

    It also reports uploads that have no manifest.

    Returns:
        How many files were deleted and how many uploads are unscored.
    """
    store, now = ports.store, ports.now
    abandoned = list(_abandoned_files(store, now()))
    store.delete(abandoned)
    for model, labels in given_up(store, now()).items():
        unmatched = [Measurement(LABELS_UNMATCHED, labels, {"model": model})]
        ports.emit(unmatched)
        fold(model, Occasion.SWEEP, unmatched, store=store, now=now)
    for model in store.folders(layout.MANIFESTS):
        index_missing(model, store)
    looked = now()
    unscored, uploads = _unscored_uploads(ports.inbox, store, looked)
    for model in sorted({*unscored, *store.folders(layout.CAUSES)}):
        seen = [_unscored_sight(model, unscored[model], looked)] if model in unscored else []
        follow(model, store, looked, seen=seen, over=over_by_sweep(looked))
    measured = [Measurement(UNSCORED_FILES, uploads, {})]
    ports.emit(measured)
    fold(layout.FLEET, Occasion.SWEEP, measured, store=store, now=now)
    return {"deleted": len(abandoned), "unscored": uploads}


def _abandoned_files(store: ObjectStore, now: datetime) -> Iterator[str]:
    """Files of attempts that neither committed nor can still be at work."""
    for kind in layout.attempts_prefixes():
        for model in store.folders(kind):
            manifests = Manifests(store)
            committed = manifests.keys(model)
            written = (found for found in store.list(f"{kind}{model}/") if layout.is_of_attempt(found.key))
            old = (found for found in written if _IN_WORK < now - found.last_modified < _SWEPT)
            for batch, files in groupby(old, key=lambda found: found.key.split("/")[2]):
                manifest = manifests.read(committed[batch]) if batch in committed else None
                if manifest and manifest.may_resume(now):
                    continue
                named = {file.key for file in (*manifest.outputs, *manifest.quarantine)} if manifest else set()
                least = _IN_WORK if manifest else _IN_PARTITIONS
                yield from (file.key for file in files if file.key not in named and now - file.last_modified > least)


def _unscored_sight(model: str, uploads: Sequence[ObjectInfo], now: datetime) -> Sight:
    """Return the alert on uploads, with the newest: later sweeps look no further."""
    alert = unscored_alert(model, [upload.key for upload in uploads], now)
    return Sight(alert, arrived=max(upload.last_modified for upload in uploads))


def _unscored_uploads(inbox: ObjectStore, store: ObjectStore, now: datetime) -> tuple[dict[str, list[ObjectInfo]], int]:
    """Return uploads without a manifest, by model, and how many of them are recent.

    The others are those that an open alert names.
    """
    manifests, unscored, recent = Manifests(store), defaultdict(list), 0
    alerts = {model: causes_of(model, store).open().get(AlertKind.UNSCORED.value) for model in store.folders(layout.CAUSES)}
    for found in inbox.list(f"{layout.BATCHES}/"):
        model = layout.model_or_unnamed(found.key)
        age = now - found.last_modified
        is_recent = age < _LOOKED_FOR
        if found.key.endswith("/") or age <= _SCORED_BY or not (is_recent or _may_be_named(found, alerts.get(model))):
            continue
        source = source_of(inbox.bucket, inbox.info(found.key))
        if manifests.find(model, layout.batch_id(source.bucket, source.key, source.version_id), source) is not None:
            continue
        unscored[model].append(found)
        recent += is_recent
    return dict(unscored), recent


def _may_be_named(upload: ObjectInfo, alert: Cause | None) -> bool:
    """Return whether an open alert on unscored uploads may be about an upload.

    An alert of an earlier version does not say which upload is its newest, so its last sight is the bound.
    """
    return alert is not None and alert.opened_at - _LOOKED_FOR < upload.last_modified <= (alert.arrived or alert.seen_at)
