"""Which alerts follow from what was seen of a model.

Each is written once; its key says what it is about.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta

from functions.metric_emission.all_clear import came_later, is_newest
from functions.metric_emission.measurements import counted_model
from functions.metric_emission.ports import Model
from functions.shared.domain import layout
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.calendar import days_before, is_plausible
from functions.shared.domain.cause import Cause
from functions.shared.domain.drift.detection import ColumnDrift, DriftReport
from functions.shared.domain.drift.positives import PositiveShare
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.domain.performance.decay import Decay
from functions.shared.domain.policy import Policy, WatchPolicy
from functions.shared.domain.release import Release
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.foundation.counted import counted
from functions.shared.ports import ObjectStore
from functions.shared.repositories.causes import Over, Sight
from functions.shared.repositories.policies import StandingPolicy

EXPLAINED = 5
"""How many features an alert names as its possible cause."""

QUIET = timedelta(days=7)
"""Time without another such file after which an alert about files is closed."""

_OF_FILES = {AlertKind.FAILED, AlertKind.QUARANTINE, AlertKind.LABELS}
_OF_SERVING = {*AlertKind} - _OF_FILES - {AlertKind.UNSCORED}
_ENDED = {
    AlertKind.SILENT.value: "no batch is overdue any more",
    AlertKind.STALE.value: "the champion is not too old any more",
    AlertKind.POLICY.value: "a policy that can be read is in force",
}

type Evidence = dict[str, float | str]


def batch_alerts(
    manifest: Manifest, drift: DriftReport | None, policy: Policy, now: datetime, *, calling: Collection[str], news: Collection[str]
) -> list[Sight]:
    """Return the alerts that follow from a batch.

    Args:
        manifest: the batch's.
        drift: what it shows, None if that was not judged.
        policy: the thresholds in force.
        now: the time.
        calling: the drifted columns that call people.
        news: those of them for which nobody was called before; without any, drift calls nobody.
    """
    alerts = []
    if manifest.status is Status.FAILED and manifest.error:
        evidence: Evidence = {"code": manifest.error.code, "key": manifest.source.key}
        message = f"{manifest.source.key} failed: {manifest.error.message}"
        alerts.append(Sight(_about(manifest, AlertKind.FAILED, message, evidence, now)))
    if manifest.status is Status.SUSPECT:
        share = manifest.rows_quarantined / manifest.rows_in
        message = f"{share:.1%} of the rows of {manifest.source.key} were quarantined"
        evidence = {"share": share, "budget": policy.row_contract.error_budget}
        alerts.append(Sight(_about(manifest, AlertKind.QUARANTINE, message, evidence, now)))
    if drift is not None and drift.alert:
        columns = drifted(drift)
        found = sorted((column for column in drift.columns if column.drifted), key=_by_effect)
        message = "drift in " + ", ".join(_described(column, drift.positive) for column in found)
        alert = _about(manifest, AlertKind.DRIFT, message, {**columns}, now)
        named = {"why": drift.by_effect()[:EXPLAINED], "version": _champion(manifest), "calling_columns": tuple(sorted(calling))}
        alerts.append(Sight(alert.model_copy(update=named), news=bool(news)))
    return alerts


def over_by_batch(manifest: Manifest, drift: DriftReport | None, model: Model) -> Over:
    """Return what a batch shows to be over: failures, quarantine, drift.

    It came after what raised the alert. That drift is over only the newest batch can show.
    """
    is_scored = manifest.status is not Status.FAILED
    looks_well = drift is not None and not drift.too_few and is_newest(manifest, model)
    file = manifest.source.key.split("/", 2)[-1]

    def over(name: str, cause: Cause) -> str:
        kind, _, rest = name.partition("-")
        why = ""
        if kind == AlertKind.FAILED and is_scored and not rest.startswith("labels-"):
            why = f"{file} was scored"
        elif kind == AlertKind.QUARANTINE and is_scored:
            why = f"few rows of {file} were quarantined"
        elif kind == AlertKind.DRIFT and looks_well and rest == f"v{_champion(manifest)}":
            why = "the last batches look as at training again"
        return why if why and came_later(manifest, cause, model) else ""

    return over


def over_by_labels(file: str, arrived: datetime, *, are_plausible: bool) -> Over:
    """Return the alerts that a readable file of labels ends: on files before it.

    Alerts on unreadable files are over. Those on absurd labels are if some of its labels met their rows, and none is absurd.
    """

    def over(name: str, cause: Cause) -> str:
        if cause.arrived is not None and arrived <= cause.arrived:
            return ""
        if name.startswith(f"{AlertKind.FAILED}-labels-"):
            return f"the labels in {file} were read"
        return f"the labels in {file} are plausible" if name == AlertKind.LABELS and are_plausible else ""

    return over


def over_by_release(release: Release) -> Over:
    """Return what another champion, or a person's answer, shows to be over."""
    version, asked = release.champion.version, release.approval.version if release.approval else None

    def over(name: str, _cause: Cause) -> str:
        kind, _, rest = name.partition("-")
        if kind in {AlertKind.DRIFT, AlertKind.PERFORMANCE} and rest != f"v{version}":
            return f"version {version} serves instead"
        return "nothing waits for approval of it any more" if kind == AlertKind.APPROVAL and rest != f"v{asked}" else ""

    return over


def over_by_sweep(looked: datetime) -> Over:
    """Return the alerts on files that are over.

    A week passed without another such file, or this look found no upload without a manifest.
    """

    def over(_name: str, cause: Cause) -> str:
        if cause.kind is AlertKind.UNSCORED:
            return "each upload that it was about has a manifest or was removed" if cause.seen_at <= looked else ""
        return f"not seen again for {counted(QUIET.days, 'days')}" if cause.kind in _OF_FILES and looked - cause.seen_at >= QUIET else ""

    return over


def over_by_clock(release: Release) -> Over:
    """Return the alerts that the hourly look at a model ends.

    What it saw just now is not asked about.
    """
    by_release = over_by_release(release)
    return lambda name, cause: by_release(name, cause) or _ENDED.get(name.partition("-")[0], "")


def over_by_retirement(_name: str, cause: Cause) -> str:
    """Return that an alert about what a model served is over, once it serves nothing."""
    return "the model was retired" if cause.kind in _OF_SERVING else ""


def _by_effect(column: ColumnDrift) -> float:
    return -column.effect.moved if column.effect else 0.0


def _described(column: ColumnDrift, positive: PositiveShare | None) -> str:
    if column.column == "prediction" and positive is not None:
        return f"the share predicted positive ({positive.share:.1%}, {positive.expected:.1%} expected by the threshold in force)"
    effect = f", moves the scores by {column.effect.moved:.2g}" if column.effect else ""
    return f"{column.feature} (PSI {column.value:.2f}{effect})"


def drifted(drift: DriftReport) -> dict[str, float]:
    """PSI of each column that drifted."""
    return {column.feature: column.value for column in drift.columns if column.drifted}


def reported_drift(manifest: Manifest, store: ObjectStore) -> set[str]:
    """Return the columns for whose drift from training people were called before."""
    keys = (found.key for found in store.list(layout.alert_prefix(manifest.model)) if found.key.endswith(f"-{AlertKind.DRIFT}.json"))
    alerts = (Alert.from_json(store.read(key)) for key in keys)
    return {column for alert in alerts if alert.version == _champion(manifest) for column in _called_for(alert)}


def _called_for(alert: Alert) -> Collection[str]:
    return alert.evidence if alert.calling_columns is None else alert.calling_columns


def _champion(manifest: Manifest) -> str | None:
    return manifest.release.champion if manifest.release else None


def _about(manifest: Manifest, kind: AlertKind, message: str, evidence: Evidence, now: datetime) -> Alert:
    last = max(filter(is_plausible, manifest.event_days), default=manifest.source.last_modified.date())
    return _alert(counted_model(manifest), kind, f"{last.isoformat()}-{manifest.batch_id[:8]}", message, evidence, now)


def _alert(model: str, kind: AlertKind, window: str, message: str, evidence: Evidence, now: datetime) -> Alert:
    runbook = f"docs/runbook.md#{kind.value}"
    return Alert(model=model, kind=kind, window=window, message=message, evidence=evidence, runbook=runbook, raised_at=now)


def labels_alert(created: StoredObject, model: str, arrived: datetime, rejected: BatchRejectedError, now: datetime) -> Alert:
    """A file of labels cannot be read, or is of no model that serves."""
    window = f"{arrived.date().isoformat()}-{layout.batch_id(created.bucket, created.key, created.version_id, 'labels')[:8]}"
    evidence: Evidence = {"code": rejected.code, "key": created.key}
    message = f"the labels in {created.key} could not be used: {rejected.message} ({rejected.remedy})"
    return _alert(model, AlertKind.FAILED, window, message, evidence, now)


def slip_alert(model: str, file: str, source: str, rows: int, label: float, answer: float, now: datetime) -> Alert:
    """Return an alert that some labels are very far from their answers.

    It names the farthest of them.
    """
    evidence: Evidence = {"rows": rows, "label": label, "answer": answer, "key": source}
    message = (
        f"labels in {source} are very far from the champion's answers, {rows:,} in all: "
        f"the farthest is {label:.6g}, where the answer was {answer:.6g}"
    )
    return _alert(model, AlertKind.LABELS, f"{now.date().isoformat()}-{file[:8]}", message, evidence, now)


def decay_alert(spec: ModelSpec, version: str, last_day: date, decay: Decay, drift: DriftReport | None, now: datetime) -> Alert:
    """Return the alert that the champion loses more than at its training.

    `last_day` is the newest labelled day, `drift` the champion's last known drift.
    """
    figures = ("loss", "baseline_loss", "excess", "low", "margin", "prevalence", "baseline_prevalence")
    evidence: Evidence = {name: value for name in figures if (value := getattr(decay, name)) is not None}
    loss = " of squared error" if spec.task is Task.REGRESSION else ""
    message = f"version {version} loses {decay.loss:.3f}{loss} a row, {decay.baseline_loss:.3f} at training"
    why = drift.by_effect()[:EXPLAINED] if drift else ()
    if why and why[0].effect:
        message += f"; of all features, {why[0].feature} moves the scores most, by {why[0].effect.moved:.2g}"
    alert = _alert(spec.name, AlertKind.PERFORMANCE, f"{last_day.isoformat()}-v{version}", message, evidence, now)
    return alert.model_copy(update={"why": why})


def alerted_lately(alert: Alert, store: ObjectStore, *, days: float) -> bool:
    """Return whether this alert about this version was raised in the last event days."""
    day, version = date.fromisoformat(alert.window[:10]), alert.window[10:]
    prefix, ending = layout.alert_prefix(alert.model), f"{version}-{alert.kind.value}.json"
    earlier = (found.key.removeprefix(prefix)[:10] for found in store.list(prefix) if found.key.endswith(ending))
    return any(days_before(day, days) < date.fromisoformat(known) <= day for known in earlier)


def rhythm_alerts(model: str, silent_hours: float | None, age_days: float, policy: WatchPolicy, now: datetime) -> list[Alert]:
    """Alert on a missing batch and on an old champion, once a day.

    The model's rhythm says when.
    """
    alerts, window = [], now.date().isoformat()
    longest, oldest = policy.max_hours_between_batches, policy.max_champion_age_days
    if longest is not None and silent_hours is not None and silent_hours > longest:
        message = f"no batch for {counted(round(silent_hours), 'hours')}, one is due every {longest:g}"
        alerts.append(_alert(model, AlertKind.SILENT, window, message, {"hours": silent_hours, "longest": longest}, now))
    if oldest is not None and age_days > oldest:
        message = f"the champion is {counted(round(age_days), 'days')} old, {oldest:g} are allowed"
        alerts.append(_alert(model, AlertKind.STALE, window, message, {"days": age_days, "oldest": oldest}, now))
    return alerts


def policy_alert(model: str, standing: StandingPolicy, now: datetime) -> Alert:
    """Return the alert that an unreadable policy leaves an earlier one in force.

    It is raised once a day until another policy is written.
    """
    number, problem = max(standing.unreadable.items())
    message = f"policy {number} cannot be read, so policy {standing.policy.number} is in force: {problem}"
    evidence: Evidence = {"unreadable": number, "in_force": standing.policy.number}
    return _alert(model, AlertKind.POLICY, now.date().isoformat(), message, evidence, now)


def unscored_alert(model: str, keys: list[str], now: datetime) -> Alert:
    """Return uploads of a model that nothing came of."""
    message = f"{counted(len(keys), 'uploads')} without a manifest, the first is {keys[0]}"
    return _alert(model, AlertKind.UNSCORED, now.date().isoformat(), message, {"files": len(keys), "first": keys[0]}, now)
