"""Keep estimates with the truth, by version, the newest batch first.

They are written from two sides: by labels for the batches that they met, and by a batch when it is judged, for labels may come in
between. Both write what the batch's judgement and the days with labels say at that moment.
"""

from collections.abc import Iterable, Iterator
from datetime import date

from functions.metric_emission.ports import Model
from functions.shared.domain import layout
from functions.shared.domain.arrival import Arrival
from functions.shared.domain.calendar import days_before, last_mature_day
from functions.shared.domain.judgement import HeldBatch
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.performance.days import DayPerformance
from functions.shared.domain.performance.estimate import HELD, Estimated, HeldEstimate
from functions.shared.domain.performance.truth import true_loss


def hold_against_labels(manifests: Iterable[Manifest], model: Model) -> None:
    """Write down the estimate and the truth of each batch that has both."""
    labelled = set(model.labelled_days)
    known: dict[date, DayPerformance] = {}
    for manifest in manifests:
        days = sorted(labelled & manifest.event_days.keys())
        estimated = _estimated(manifest, model) if days else None
        if estimated is None:
            continue
        for day in days:
            if day not in known:
                known[day] = DayPerformance.from_json(model.store.read(layout.performance_key(model.name, day)))
        truth = true_loss(manifest, [known[day] for day in days], date.max)
        if truth is None:
            forget_truth(manifest, model)
        else:
            held = HeldEstimate(value=estimated.value, low=estimated.low, high=estimated.high, truth=truth)
            model.store.write(_key(manifest), HeldBatch(held=held).to_json())


def forget_truth(manifest: Manifest, model: Model) -> None:
    """Delete the truth of a batch that was scored again or lost its labels."""
    if manifest.release:
        model.store.delete([_key(manifest)])


def held_before(manifest: Manifest, model: Model) -> Iterator[HeldEstimate]:
    """Yield the estimates before a batch whose truth mature labels show.

    The newest come first.
    """
    first = days_before(manifest.source.last_modified.date(), model.policy.labels.look_back_days)
    mature = last_mature_day([manifest], model.policy.labels.delay_days)
    prefix = layout.held_prefix(model.name, model.version)
    for found in model.store.list(prefix) if mature else ():
        arrival = Arrival.named(found.key.removeprefix(prefix).removesuffix(".json"))
        if arrival.day < first:
            return
        if arrival.created_at < manifest.created_at and arrival.reached and mature and arrival.reached <= mature:
            yield HeldBatch.from_json(model.store.read(found.key)).held


def _estimated(manifest: Manifest, model: Model) -> Estimated | None:
    judged = model.judgement(manifest.batch_id)
    return judged.estimate.metrics.get(HELD) if judged and judged.estimate else None


def _key(manifest: Manifest) -> str:
    arrival = Arrival.of(manifest)
    return f"{layout.held_prefix(manifest.model, arrival.champion)}{arrival.name}.json"
