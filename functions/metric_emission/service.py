"""What a committed batch means for what is known of a model, in four steps: it is judged, labelled, alerted on and counted."""

from functions.metric_emission.alerts import batch_alerts, told_to_drift
from functions.metric_emission.decay import alert_on_decay
from functions.metric_emission.indexing import index_batch
from functions.metric_emission.judging import judge
from functions.metric_emission.labelling import label_batch
from functions.metric_emission.measurements import judged_measurements, model_told
from functions.metric_emission.ports import Delivery, Model
from functions.metric_emission.totals import fold
from functions.metric_emission.truth import hold_against_labels
from functions.shared.domain import layout
from functions.shared.domain.arrival import Arrival
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.metrics import Occasion
from functions.shared.repositories.alerts import raise_once
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.manifests import Manifests


def measure_batch(created: StoredObject, delivery: Delivery) -> None:
    """Alert on what a person should know of a committed batch, then emit its metrics and drift once, and count it once.

    Alerts come first since they may be raised again after a crash; metrics would be counted twice.
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
    """Give a batch's rows the labels that wait for them, and judge the days that it made mature."""
    if model.release and manifest.outputs:
        label_batch(manifest, model)
        alert_on_decay(model, model.mature([Arrival.of(manifest)]))


def _alert(manifest: Manifest, judgement: BatchJudgement, model: Model) -> None:
    drift = judgement.drift
    told = told_to_drift(manifest, model.store) if drift and drift.alert else set[str]()
    for alert in batch_alerts(manifest, drift, told, model.policy, model.ports.now()):
        raise_once(alert, model.store)


def _count(manifest: Manifest, judgement: BatchJudgement, model: Model, *, is_known: bool) -> None:
    """Emit a batch's metrics, by whoever stores its judgement, and add them to the totals."""
    ports = model.ports
    measured = judged_measurements(manifest, judgement, memory_gb=ports.memory_gb)
    if not is_known and model.store.create(_key(manifest), judgement.to_json()):
        ports.emit(measured)
    if model.release:
        hold_against_labels([manifest], model)
    fold(model_told(manifest), Occasion.BATCH, measured, store=model.store, now=ports.now, once=_claimed(manifest))


def _key(manifest: Manifest) -> str:
    return layout.emitted_key(manifest.model, _claimed(manifest))


def _claimed(manifest: Manifest) -> str:
    """The name of a batch's judgement. What is taken up again after a failure half-way has its own: another manifest under the same key."""
    return f"{manifest.batch_id}-failed" if manifest.resumable else manifest.batch_id
