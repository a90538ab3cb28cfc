"""Whether the champion has decayed, by the labels that count as complete, and who is told of it."""

from datetime import date, datetime

from functions.metric_emission.alerts import decay_alert, raise_once, told_lately
from functions.shared.domain import layout
from functions.shared.domain.drift.detection import DriftReport
from functions.shared.domain.emitted import EmittedBatch
from functions.shared.domain.performance.decay import detect_decay
from functions.shared.domain.performance.measures import DayPerformance
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import Release
from functions.shared.ports import ObjectStore
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.performances import performance_keys


def alert_on_decay(release: Release, mature: date | None, policy: Policy, *, store: ObjectStore, bundles: Bundles, now: datetime) -> None:
    """Tell people of a champion that loses more than at its training, unless they were told within the days that are judged.

    Args:
        release: what is served.
        mature: the last event day whose labels count as complete, None if there is none yet.
        policy: in force.
        store: where days and alerts stand.
        bundles: the versions.
        now: the time.
    """
    days = _last_days(release.model, mature, policy.performance.look_back_days, store) if mature else []
    champion = bundles.load(release.champion)
    decay = detect_decay(days, champion.baseline, policy.performance)
    if not decay.alert:
        return
    version = release.champion.version
    alert = decay_alert(champion.spec, version, days[-1].day, decay, _last_drift(release.model, version, store), now)
    if not told_lately(alert, store, days=policy.performance.look_back_days):
        raise_once(alert, store)


def _last_days(model: str, mature: date, days: int, store: ObjectStore) -> list[DayPerformance]:
    """The performance of so many mature days that have labels, in order; its keys end in the day."""
    keys = [key for key in performance_keys(model, store) if key <= layout.performance_key(model, mature)]
    return [DayPerformance.from_json(store.read(key)) for key in keys[-days:]]


def _last_drift(model: str, version: str, store: ObjectStore) -> DriftReport | None:
    """What was last seen of a version's features."""
    for manifest in Manifests(store).newest(model):
        emitted = read_document(store, EmittedBatch, layout.emitted_key(model, manifest.batch_id))
        if emitted is not None and emitted.version == version and emitted.drift is not None:
            return emitted.drift
    return None
