"""Judge by complete labels whether the champion has decayed, and alert if so."""

from itertools import islice

from functions.metric_emission.alerts import alerted_lately, decay_alert
from functions.metric_emission.ports import Model
from functions.shared.domain.alert import AlertKind
from functions.shared.domain.drift.detection import DriftReport
from functions.shared.domain.performance.decay import Decay, detect_decay
from functions.shared.repositories.causes import Over, Sight, follow
from functions.shared.repositories.performances import performances

_LOOKED_BACK = 20
"""How many batches are searched for the last drift report."""


def alert_on_decay(model: Model) -> None:
    """Alert if the champion of a model that serves loses more than at its training.

    No second alert is raised within the days that are judged.
    """
    is_served = model.release is not None and not model.release.retired
    mature = model.mature if is_served and model.labelled_days else None
    if mature is None or not model.judges_decay(mature):
        return
    policy, champion = model.policy.performance, model.champion
    judged = [day for day in model.labelled_days if day <= mature][-policy.look_back_days :]
    days = list(performances(model.name, model.store, judged))
    decay = detect_decay(days, champion.baseline, policy)
    now = model.ports.now()
    if not decay.alert:
        follow(model.name, model.store, now, over=_over(decay, model.version))
        return
    alert = decay_alert(champion.spec, model.version, days[-1].day, decay, _last_drift(model), now)
    is_news = not alerted_lately(alert, model.store, days=policy.look_back_days)
    follow(model.name, model.store, now, seen=[Sight(alert, news=is_news)])


def _over(decay: Decay, version: str) -> Over:
    """Return that a decay is over: the loss itself is back within the margin.

    That the decay is no longer sure does not suffice.
    """
    is_back = decay.ready and decay.excess is not None and decay.margin is not None and decay.excess <= decay.margin
    why = f"its loss is {decay.loss:.3f} a row, {decay.baseline_loss:.3f} at training" if is_back else ""
    return lambda name, _: why if name == f"{AlertKind.PERFORMANCE}-v{version}" else ""


def _last_drift(model: Model) -> DriftReport | None:
    """Return what was last seen of the champion's features."""
    for arrival in islice(model.scored(), _LOOKED_BACK):
        judged = model.judgement(arrival.batch)
        if judged is not None and judged.drift is not None:
            return judged.drift
    return None
