"""Join labels with their rows, and measure the event days of these rows again."""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime

import pyarrow as pa

from functions.metric_emission.alerts import labels_alert
from functions.metric_emission.day_labels import files_with
from functions.metric_emission.day_performance import day_performance
from functions.metric_emission.day_rows import Gathered, gather, keep_up
from functions.metric_emission.decay import alert_on_decay
from functions.metric_emission.indexing import index_batches
from functions.metric_emission.join import Joined, Labels, join_labels, label_days, relabelled, scored_ids, write_labelled
from functions.metric_emission.latest_batches import by_upload, latest_batches
from functions.metric_emission.measurements import Measurement, label_measurements, performance_measurements
from functions.metric_emission.ports import Delivery, Model
from functions.metric_emission.slips import alert_on_slips
from functions.metric_emission.totals import fold
from functions.metric_emission.truth import forget_truth, hold_against_labels
from functions.metric_emission.waiting import leave_waiting, put_to_wait, waiting_in
from functions.shared.domain import layout
from functions.shared.domain.arrival import Arrival
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.errors import BatchRejectedError, InputError
from functions.shared.domain.labelled_columns import ID
from functions.shared.domain.labels import numeric_targets
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.metrics import Occasion
from functions.shared.domain.performance.days import DayPerformance
from functions.shared.domain.rejections import FileCode
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.ports import ObjectStore
from functions.shared.reading.files import read_table
from functions.shared.reading.labels import count_refused, label_columns, labels_given, plain_targets
from functions.shared.reading.readable import Readable
from functions.shared.reading.unforeseen import unforeseen_refused
from functions.shared.repositories.batch_index import BatchIndex
from functions.shared.repositories.causes import Sight, follow
from functions.shared.repositories.performances import gather_days
from functions.shared.repositories.swap import swap


def measure_labels(created: StoredObject, delivery: Delivery) -> None:
    """Join a file of labels with its rows, restate their days, and alert on decay.

    A file of no model that serves, that is no table, or that lacks the id or the target column is alerted on and left alone: a
    retry cannot help.

    Raises:
        NotFoundError: if the file is gone.
    """
    ports = delivery.ports
    arrived = ports.inbox.info(created.key, created.version_id).last_modified
    try:
        model = _served(created.key, delivery)
        labels = read_labels(created, model.spec, inbox=ports.inbox)
    except BatchRejectedError as rejected:
        whose, now = _whose(created.key, rejected), ports.now()
        follow(whose, ports.store, now, seen=[Sight(labels_alert(created, whose, arrived, rejected, now), arrived=arrived)])
        return
    file = layout.batch_id(created.bucket, created.key, created.version_id, "labels")
    index_batches(model)
    waiting = put_to_wait(model.name, file, labels, arrived, ports.store)
    gathered = _gathered(labels, model)
    candidates = _candidates(labels, gathered, arrived, model)
    joined = join_labels(labels, candidates, model.spec, store=ports.store, arrived=arrived.isoformat())
    alert_on_slips(joined, file, created.key, arrived, model, is_new=True)
    restated = _store_labelled(joined, file, model, gathered)
    measured = [*restated, *label_measurements(model.name, labels.table.num_rows, labels.refused)]
    leave_waiting(waiting, joined.unmatched, ports.store)
    if fold(model.name, Occasion.LABELS, measured, store=ports.store, now=ports.now, once=file).new:
        ports.emit(measured)
    alert_on_decay(model)


def _served(key: str, delivery: Delivery) -> Model:
    """Return the model that labels are of.

    Raises:
        BatchRejectedError: if the key names no model, or one that serves nothing.
    """
    try:
        model = delivery.model(layout.model_of(key))
    except InputError as error:
        raise BatchRejectedError(FileCode.NO_MODEL, error.message, "upload to labels/<model>/<file>") from error
    if model.release is None:
        message = f"model {model.name!r} serves nothing yet"
        raise BatchRejectedError(FileCode.NO_RELEASE, message, f"everscore train {model.name} …, then upload the labels again")
    return model


def _whose(key: str, rejected: BatchRejectedError) -> str:
    """Whose alert it is. A slip in a key makes no model."""
    return layout.UNNAMED_MODEL if rejected.code in {FileCode.NO_MODEL, FileCode.NO_RELEASE} else layout.model_of(key)


def _gathered(labels: Labels, model: Model) -> Gathered | None:
    """Return the rows of the days that labels are about; None if they state no times."""
    days = label_days(labels, model.spec)
    return None if days is None else gather(days, model)


def _candidates(labels: Labels, gathered: Gathered | None, arrived: datetime, model: Model) -> Iterator[Manifest]:
    """Yield the batches with rows of labels' ids, those of the last uploads first."""
    if gathered is None:
        return latest_batches(labels, arrived, model)
    recent = (arrival for arrival in gathered.holding(labels.table[ID]) if arrival.day >= model.first_recent)
    return by_upload(recent, lambda arrival: gathered.manifest(arrival, model))


def label_batch(manifest: Manifest, model: Model) -> None:
    """Join a batch's rows with labels that came before it.

    If the batch was scored again, these are also the labels of the rows that it replaces.
    """
    keep_up(manifest, model)
    _join_waiting(manifest, model)
    if manifest.supersedes:
        measured = _relabel(manifest, model)
        model.ports.emit(measured)
        fold(manifest.model, Occasion.LABELS, measured, store=model.store, now=model.ports.now)


def _join_waiting(manifest: Manifest, model: Model) -> None:
    ports = model.ports
    for waiting in waiting_in(model.waiting_files, manifest.model, model.store, ports.now()):
        joined = join_labels(waiting.labels, [manifest], model.spec, store=model.store, arrived=waiting.arrived.isoformat())
        if joined.by_day:
            alert_on_slips(joined, waiting.file, f"a file of {waiting.arrived.date()}", waiting.arrived, model, is_new=False)
            measured = _store_labelled(joined, f"{waiting.file}-{manifest.batch_id}", model)
            ports.emit(measured)
            fold(manifest.model, Occasion.LABELS, measured, store=model.store, now=ports.now)
            leave_waiting(waiting, joined.unmatched, model.store)


def _relabel(manifest: Manifest, model: Model) -> list[Measurement]:
    """Restate a batch that was scored again by the labels that its rows have.

    Measure the newest day.
    """
    ids, labelled = scored_ids(manifest, model.spec, store=model.store), []
    for day in manifest.event_days:
        keys = files_with(ids, day, model.spec, model.store)
        for key, rows in relabelled(manifest, day, keys, model.spec, store=model.store):
            write_labelled(model.store, key, rows)
        if any(model.store.list(layout.labelled_prefix(model.name, day))):
            labelled.append(day)
    restated = _restate_days(labelled, model, gather(manifest.event_days, model))
    before = model.manifests.find(model.name, manifest.supersedes or "", manifest.source)
    if before:
        forget_truth(before, model)
    return _newest_day(restated, model)


def _store_labelled(joined: Joined, name: str, model: Model, gathered: Gathered | None = None) -> list[Measurement]:
    """Store labelled rows, restate their days, and measure the newest day.

    Each delivery of the same labels stores them under the same name. Rows of batches that were scored again meanwhile are replaced at once:
    whoever measured the last scoring may have looked for labels before these were stored.
    """
    if gathered is None:
        gathered = gather(joined.by_day, model)
    for day, rows in joined.by_day.items():
        write_labelled(model.store, layout.labelled_key(model.name, day, name), rows)
    restated = _restate_days(joined.by_day, model, gathered)
    hold_against_labels(joined.batches, model)
    measured = _newest_day(restated, model)
    for before, again in _scored_again(joined.batches, model):
        forget_truth(before, model)
        measured = _relabel(again, model) or measured
        hold_against_labels([again], model)
    return measured


def _scored_again(batches: Sequence[Manifest], model: Model) -> Iterator[tuple[Manifest, Manifest]]:
    """Yield batches that are superseded by now, each with its upload's last scoring."""
    again = BatchIndex(model.store).scored_again(model.name) if batches else {}
    for manifest in batches:
        arrival = again.get(Arrival.of(manifest).upload)
        if arrival is not None and arrival.batch != manifest.batch_id:
            yield manifest, model.manifests.at(model.name, arrival)


def _newest_day(restated: Sequence[DayPerformance], model: Model) -> list[Measurement]:
    """Measure the newest day that has labels, if it was restated.

    Only one day is emitted: metrics do not keep days of the same moment apart.
    """
    newest = model.labelled_days[-1:]
    days = [day for day in restated if day.day in newest]
    return [measured for day in days for measured in performance_measurements(day, metric=model.spec.metric)]


def _restate_days(days: Collection[date], model: Model, gathered: Gathered) -> list[DayPerformance]:
    """Write the metrics of some days, and those of their months."""
    restated = [_restate(day, model, gathered.predicted(day)) for day in days]
    gather_days(model.name, days, model.store)
    model.labels_came()
    return restated


def _restate(day: date, model: Model, predicted: int) -> DayPerformance:
    """Write one day's metrics from all its labels.

    If labels of another file come in between, write them once more.
    """

    def restated(_: bytes | None) -> tuple[bytes, DayPerformance]:
        performance = day_performance(
            day,
            model.spec,
            store=model.store,
            predicted=predicted,
            costs=model.policy.decision.costs,
            ceiling_of=model.ceiling_of,
            expected_of=model.expected_losses,
        )
        return performance.to_json(), performance

    return swap(model.store, layout.performance_key(model.name, day), restated)


def read_labels(created: StoredObject, spec: ModelSpec, *, inbox: ObjectStore) -> Labels:
    """Return the labels of a file, without rows that lack an id or a label.

    Raises:
        BatchRejectedError: if the file is no table, or lacks the id or the target column.
    """
    with unforeseen_refused(inbox.open(created.key, created.version_id), created.key) as source:
        return _labels(source, created.key, spec)


def _labels(source: Readable, key: str, spec: ModelSpec) -> Labels:
    columns = label_columns(source, key, spec)
    has_time = spec.time_column in columns
    read = read_table(source, key=key, columns=columns, timezone=spec.timezone, formats=spec.formats)
    table = read.table
    target = plain_targets(table[spec.target], spec.formats, spec.task)
    regression = spec.task is Task.REGRESSION
    truth = numeric_targets(target) if regression else labels_given(target, spec.classes)
    named = {"id": table[spec.id_column], "label": truth}
    if has_time and spec.time_column:
        named["time"] = table[spec.time_column]
    rows = pa.table(named)
    refused = len(read.rejected) + (count_refused(target) if regression else 0)
    return Labels(rows.filter(rows["label"].is_valid()), has_time, refused)
