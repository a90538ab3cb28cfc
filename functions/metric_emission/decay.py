"""Judge by complete labels whether the champion has decayed, and alert if so."""

from datetime import date

from functions.metric_emission.alerts import alerted_lately, decay_alert
from functions.metric_emission.ports import Model
from functions.shared.domain.drift.detection import DriftReport
from functions.shared.domain.performance.decay import detect_decay
from functions.shared.repositories.alerts import raise_once
from functions.shared.repositories.performances import performances

_LOOKED_BACK = 20
"""How many batches are searched for the last drift report."""


def alert_on_decay(model: Model, mature: date | None) -> None:
    """Alert if the champion loses more than at its training.

    No second alert is raised within the days that are judged.

    Args:
        model: which serves.
        mature: the last event day whose labels count as complete, None if there is none yet.
    """
    if mature is None or not model.judges_decay(mature):
        return
    policy, champion = model.policy.performance, model.champion
    judged = [day for day in model.labelled_days if day <= mature][-policy.look_back_days :]
    days = list(performances(model.name, model.store, judged))
    decay = detect_decay(days, champion.baseline, policy)
    if not decay.alert:
        return
    alert = decay_alert(champion.spec, model.version, days[-1].day, decay, _last_drift(model), model.ports.now())
    if not alerted_lately(alert, model.store, days=policy.look_back_days):
        raise_once(alert, model.store)


def _last_drift(model: Model) -> DriftReport | None:
    """Return what was last seen of the champion's features."""
    for arrival in list(model.scored_by(model.version))[:_LOOKED_BACK]:
        judged = model.judgement(arrival.batch)
        if judged is not None and judged.drift is not None:
            return judged.drift
    return None
