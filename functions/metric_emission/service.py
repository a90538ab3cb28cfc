"""Measure a committed batch: judge it, label its rows, alert on it, count it."""

from functions.metric_emission.alerts import batch_alerts, over_by_batch, reported_drift
from functions.metric_emission.decay import alert_on_decay
from functions.metric_emission.indexing import index_batch
from functions.metric_emission.judging import judge
from functions.metric_emission.labelling import label_batch
from functions.metric_emission.measurements import counted_model, judged_measurements
from functions.metric_emission.ports import Delivery, Model
from functions.metric_emission.totals import fold
from functions.metric_emission.truth import hold_against_labels
from functions.shared.domain import layout
from functions.shared.domain.drift.detection import calling
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.metrics import Occasion
from functions.shared.repositories.causes import follow
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.swap import standing


def measure_batch(created: StoredObject, delivery: Delivery) -> None:
    """Measure a committed batch: alert on it, emit its metrics once, count it once.

    Alerts come first: after a crash they may be raised again, but metrics would be counted twice.
    """
    manifest = Manifests(delivery.ports.store).read(created.key)
    model = delivery.model(manifest.model)
    model.knows(manifest)
    index_batch(manifest, model)
    judgement = read_document(model.store, BatchJudgement, _key(manifest))
    is_known = judgement is not None
    if judgement is None:
        judgement = judge(manifest, model)
        _label(manifest, model)
        _alert(manifest, judgement, model)
    _count(manifest, judgement, model, is_known=is_known)


def _label(manifest: Manifest, model: Model) -> None:
    """Join a batch's rows with waiting labels, and judge days that became mature."""
    if model.release and manifest.outputs:
        label_batch(manifest, model)
        alert_on_decay(model)


def _alert(manifest: Manifest, judgement: BatchJudgement, model: Model) -> None:
    drift = judgement.drift
    now, columns, news = model.ports.now(), set[str](), set[str]()
    if drift and drift.alert:
        columns = calling(drift, model.champion.baseline, model.policy.drift.least_effect)
        news = columns - reported_drift(manifest, model.store)
    seen = batch_alerts(manifest, drift, model.policy, now, calling=columns, news=news)
    follow(counted_model(manifest), model.store, now, seen=seen, over=over_by_batch(manifest, drift, model))


def _count(manifest: Manifest, judgement: BatchJudgement, model: Model, *, is_known: bool) -> None:
    """Add a batch's metrics to the totals.

    The delivery that stores the judgement also emits them. Nobody counts a batch before its judgement is stored, so totals that were
    read earlier lack it. Any other delivery looks whether it was counted.
    """
    ports, counted = model.ports, counted_model(manifest)
    measured = judged_measurements(manifest, judgement, memory_gb=ports.memory_gb)
    before = None if is_known else standing(model.store, layout.totals_key(counted))
    is_first = not is_known and model.store.create(_key(manifest), judgement.to_json())
    if is_first:
        model.judged(_claimed(manifest), judgement)
        ports.emit(measured)
    if model.release:
        hold_against_labels([manifest], model)
    once, unseen = _claimed(manifest), before if is_first else None
    fold(counted, Occasion.BATCH, measured, store=model.store, now=ports.now, once=once, unseen=unseen)


def _key(manifest: Manifest) -> str:
    return layout.emitted_key(manifest.model, _claimed(manifest))


def _claimed(manifest: Manifest) -> str:
    """Return the name of a batch's judgement.

    A batch that failed half-way and may be taken up again has a name of its own: another manifest follows under the same key.
    """
    return f"{manifest.batch_id}-failed" if manifest.resumable else manifest.batch_id
