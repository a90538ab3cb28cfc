"""What a manifest or a file of labels means for what is known of a model: metrics, performance, alerts."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from itertools import islice

import pyarrow as pa

from functions.metric_emission.alerts import batch_alerts, labels_alert, raise_once, told_to_drift
from functions.metric_emission.decay import alert_on_decay
from functions.metric_emission.estimation import estimate_batch
from functions.metric_emission.labels import Joined, Labels, day_performance, join_labels, labelled_key, relabelled, write_labelled
from functions.metric_emission.measurements import (
    Emit,
    Measurement,
    claimed_measurements,
    label_measurements,
    model_told,
    performance_measurements,
)
from functions.metric_emission.predicted import rows_predicted
from functions.metric_emission.totals import fold
from functions.metric_emission.waiting import leave_waiting, put_to_wait, waiting_for
from functions.shared.domain import layout
from functions.shared.domain.calendar import days_before, is_plausible, last_mature_day
from functions.shared.domain.drift.detection import DriftReport, detect_drift
from functions.shared.domain.drift.profiling import merge_profiles
from functions.shared.domain.emitted import EmittedBatch
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.errors import BatchRejectedError, NotFoundError
from functions.shared.domain.labels import numeric_targets
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.metrics import Occasion
from functions.shared.domain.performance.estimate import Estimate
from functions.shared.domain.performance.measures import DayPerformance
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import Release, Role
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.ports import ObjectStore
from functions.shared.reading.labels import count_refused, label_columns, labels_given, plain_targets
from functions.shared.reading.service import read_table
from functions.shared.reading.source import Source
from functions.shared.reading.unforeseen import unforeseen_refused
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.performances import performance_keys
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases
from functions.shared.repositories.swap import swap


def record_batch(
    created: StoredObject, *, store: ObjectStore, bundles: Bundles, emit: Emit, now: Callable[[], datetime], memory_gb: float
) -> None:
    """Alert on what a person should know of a committed batch, then emit its metrics and drift once, and count it once.

    Alerts come first since they may be raised again after a crash; metrics would be counted twice.

    Args:
        memory_gb: what the function has that scored the batch.
    """
    manifest = Manifests(store).read(created.key)
    # What is taken up again after a failure half-way has its metrics all the same, in another manifest under the same key.
    claimed = f"{manifest.batch_id}-failed" if manifest.resumable else manifest.batch_id
    claim_key = layout.emitted_key(manifest.model, claimed)
    known = read_document(store, EmittedBatch, claim_key)
    claim = known or _look_at(manifest, store=store, bundles=bundles, emit=emit, now=now)
    measured = claimed_measurements(manifest, claim, memory_gb=memory_gb)
    if known is None and store.create(claim_key, claim.to_json()):
        emit(measured)
    fold(model_told(manifest), Occasion.BATCH, measured, store=store, now=now, once=claimed)


def _look_at(manifest: Manifest, *, store: ObjectStore, bundles: Bundles, emit: Emit, now: Callable[[], datetime]) -> EmittedBatch:
    """Judge a batch, give its rows the labels that wait for them, judge the days that it made mature, and alert.

    The claim on its metrics is to be made.
    """
    release = Releases(store).current(manifest.model)
    policy = Policies(store).current(manifest.model)
    drift = _pooled_drift(manifest, release, policy, store, bundles) if release else None
    claim = EmittedBatch(
        batch_id=manifest.batch_id,
        model=manifest.model,
        version=manifest.release.champion if manifest.release else None,
        drift=drift,
        estimate=_estimate(manifest, release, policy, store, bundles) if release else None,
        emitted_at=now(),
    )
    if release and manifest.outputs:
        spec = bundles.load(release.champion).spec
        _join_waiting(manifest, spec, policy, store, emit, now)
        if manifest.supersedes:
            _relabel(manifest, spec, policy, store, emit, now)
        mature = last_mature_day([manifest], policy.labels.delay_days)
        alert_on_decay(release, mature, policy, store=store, bundles=bundles, now=now())
    told = told_to_drift(manifest, store) if drift and drift.alert else set[str]()
    for alert in batch_alerts(manifest, drift, told, policy, now()):
        raise_once(alert, store)
    return claim


def _estimate(manifest: Manifest, release: Release, policy: Policy, store: ObjectStore, bundles: Bundles) -> Estimate | None:
    """The estimate of a batch that the serving champion scored, if it is a binary classifier."""
    if manifest.release is None or manifest.release.champion != release.champion.version or not manifest.outputs:
        return None
    return estimate_batch(manifest, bundles.load(release.champion), policy, store)


def _pooled_drift(manifest: Manifest, release: Release, policy: Policy, store: ObjectStore, bundles: Bundles) -> DriftReport | None:
    """Drift over the last batches up to this one that the serving champion's version scored."""
    version = release.champion.version
    if manifest.release is None or manifest.release.champion != version:
        return None
    earlier = (other for other in Manifests(store).newest(manifest.model) if other.created_at <= manifest.created_at)
    scored = (other for other in earlier if other.release and other.release.champion == version and other.rows_scored)
    pooled = list(islice(scored, policy.drift.pooled_batches))
    if not pooled:
        return None
    profile = merge_profiles([batch.profiles[Role.CHAMPION] for batch in pooled])
    days = len({day for batch in pooled for day in batch.event_days})
    return detect_drift(bundles.load(release.champion).baseline, profile, policy.drift, days=days)


def record_labels(
    created: StoredObject, *, inbox: ObjectStore, store: ObjectStore, bundles: Bundles, emit: Emit, now: Callable[[], datetime]
) -> None:
    """Join a file of labels with its predictions, restate the days it touches, and alert if the champion has decayed.

    A file that is no table, or lacks the id or the target column, is told of and left alone: a retry cannot help.

    Raises:
        NotFoundError: if the model serves nothing, or the file is gone.
    """
    model = layout.model_of(created.key)
    release = Releases(store).current(model)
    if release is None:
        message = f"labels came for {model!r}, which serves nothing: train it first"
        raise NotFoundError(message)
    spec = bundles.load(release.champion).spec
    policy = Policies(store).current(model)
    arrived = inbox.info(created.key, created.version_id).last_modified
    try:
        labels = read_labels(created, spec, inbox=inbox)
    except BatchRejectedError as rejected:
        raise_once(labels_alert(created, arrived, rejected, now()), store)
        return
    file = layout.batch_id(created.bucket, created.key, created.version_id, "labels")
    waiting = put_to_wait(model, file, labels, arrived, store)
    manifests = _recent(model, policy, store, now())
    joined = join_labels(labels, manifests, spec, store=store, arrived=arrived.isoformat())
    measured = [
        *_store_labelled(joined, file, manifests, spec, policy, store),
        *label_measurements(model, labels.table.num_rows, labels.refused),
    ]
    leave_waiting(waiting, joined.unmatched, store)
    if fold(model, Occasion.LABELS, measured, store=store, now=now, once=file).new:
        emit(measured)
    mature = last_mature_day(manifests, policy.labels.delay_days)
    alert_on_decay(release, mature, policy, store=store, bundles=bundles, now=now())


def _join_waiting(manifest: Manifest, spec: ModelSpec, policy: Policy, store: ObjectStore, emit: Emit, now: Callable[[], datetime]) -> None:
    """Give labels that came before this batch to its rows."""
    for waiting in waiting_for(manifest.model, store, now()):
        joined = join_labels(waiting.labels, [manifest], spec, store=store, arrived=waiting.arrived.isoformat())
        if joined.by_day:
            manifests = _sharing_days(manifest, policy, store, now())
            measured = _store_labelled(joined, f"{waiting.file}-{manifest.batch_id}", manifests, spec, policy, store)
            emit(measured)
            fold(manifest.model, Occasion.LABELS, measured, store=store, now=now)
            leave_waiting(waiting, joined.unmatched, store)


def _relabel(manifest: Manifest, spec: ModelSpec, policy: Policy, store: ObjectStore, emit: Emit, now: Callable[[], datetime]) -> None:
    """Measure a batch that was scored again by the labels which its rows have already."""
    predicted = rows_predicted(manifest.event_days, _sharing_days(manifest, policy, store, now()), spec, store=store)
    restated = []
    for day in manifest.event_days:
        for key, rows in relabelled(manifest, day, spec, store=store):
            write_labelled(store, key, rows)
        if list(store.list(layout.labelled_prefix(spec.name, day))):
            restated.append(_restate(day, spec, policy, store, predicted[day]))
    measured = _newest_day(restated, spec, store)
    emit(measured)
    fold(manifest.model, Occasion.LABELS, measured, store=store, now=now)


def _recent(model: str, policy: Policy, store: ObjectStore, now: datetime) -> list[Manifest]:
    """The batches that labels may belong to, newest first."""
    return list(Manifests(store).newest(model, since=_first_recent(policy, now)))


def _first_recent(policy: Policy, now: datetime) -> date:
    return days_before(now.date(), policy.labels.look_back_days)


def _sharing_days(manifest: Manifest, policy: Policy, store: ObjectStore, now: datetime) -> list[Manifest]:
    """The batches that may hold rows of a batch's event days, newest first; it may be an old one that was scored again."""
    first = min([*filter(is_plausible, manifest.event_days), _first_recent(policy, now)])
    return list(Manifests(store).newest(manifest.model, since=first))


def _store_labelled(
    joined: Joined, name: str, manifests: Sequence[Manifest], spec: ModelSpec, policy: Policy, store: ObjectStore
) -> list[Measurement]:
    """Store labelled rows under a name that every delivery of them has, restate their days, and measure the newest."""
    predicted = rows_predicted(joined.by_day, manifests, spec, store=store)
    restated = []
    for day, rows in joined.by_day.items():
        write_labelled(store, labelled_key(spec.name, day, name), rows)
        restated.append(_restate(day, spec, policy, store, predicted[day]))
    return _newest_day(restated, spec, store)


def _newest_day(restated: Sequence[DayPerformance], spec: ModelSpec, store: ObjectStore) -> list[Measurement]:
    """What is told of restated days: the newest that has labels, if it is among them. Days told at one moment would be taken together."""
    newest = performance_keys(spec.name, store)[-1:]
    days = [day for day in restated if layout.performance_key(day.model, day.day) in newest]
    return [measured for day in days for measured in performance_measurements(day, metric=spec.metric)]


def read_labels(created: StoredObject, spec: ModelSpec, *, inbox: ObjectStore) -> Labels:
    """The labels of a file; rows without an id or a label say nothing and are left out.

    Raises:
        BatchRejectedError: if the file is no table, or lacks the id or the target column.
    """
    with unforeseen_refused(inbox.open(created.key, created.version_id), created.key) as source:
        return _labels(source, created.key, spec)


def _labels(source: Source, key: str, spec: ModelSpec) -> Labels:
    columns = label_columns(source, key, spec)
    has_time = spec.time_column in columns
    read = read_table(source, key=key, columns=columns, timezone=spec.timezone, formats=spec.formats)
    table = read.table
    target = plain_targets(table[spec.target], spec.formats)
    regression = spec.task is Task.REGRESSION
    truth = numeric_targets(target) if regression else labels_given(target, spec.classes)
    named = {"id": table[spec.id_column], "label": truth}
    if has_time and spec.time_column:
        named["time"] = table[spec.time_column]
    rows = pa.table(named)
    refused = len(read.rejected) + (count_refused(target) if regression else 0)
    return Labels(rows.filter(rows["label"].is_valid()), has_time, refused)


def _restate(day: date, spec: ModelSpec, policy: Policy, store: ObjectStore, predicted: int) -> DayPerformance:
    """Write one day's metrics from all labels that stand now; if another file's labels came in between, once more."""

    def restated(_: bytes | None) -> tuple[bytes, DayPerformance]:
        performance = day_performance(day, spec, store=store, predicted=predicted, costs=policy.decision.costs)
        return performance.to_json(), performance

    return swap(store, layout.performance_key(spec.name, day), restated)
