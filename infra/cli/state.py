"""What `everscore status` shows of a model, gathered from stored documents."""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

from functions.cataloguing.columns import NOTED, Columns
from functions.shared.domain import layout
from functions.shared.domain.alert import Alert
from functions.shared.domain.cause import cause_of, state_of_alert
from functions.shared.domain.decision import Decision
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.performance.days import DayPerformance
from functions.shared.domain.performance.early import LEAST_LABELS, early_loss
from functions.shared.domain.release import Release, Role
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.bundle import SPEC
from functions.shared.ports import ObjectStore
from functions.shared.repositories.alerts import raised
from functions.shared.repositories.causes import causes_of, quiet
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.performances import labelled_days, performances
from functions.shared.repositories.releases import Releases
from infra.measured import measured

_BATCHES, _ALERTS = 20, 5
_READERS = 8


def fleet_status(store: ObjectStore) -> dict[str, Any]:
    """Return what each model serves, as `status --json` prints it without a model."""
    releases = Releases(store)
    served = (releases.current(model) for model in releases.models())
    return {"models": [_served(release, store) for release in served if release]}


def model_status(release: Release, store: ObjectStore) -> dict[str, Any]:
    """Return the state of a release's model, as `status --json` prints it."""
    model = release.model
    batches = list(islice(Manifests(store).newest(model), _BATCHES))
    last = sorted(raised(model, store), key=lambda alert: alert.last_modified)[-_ALERTS:]
    alerts = sorted((Alert.from_json(store.read(found.key)) for found in last), key=lambda alert: alert.raised_at)
    causes = causes_of(model, store)
    digest = quiet(causes, store)
    performed = list(performances(model, store, labelled_days(model, store)))
    with ThreadPoolExecutor(_READERS) as readers:
        judged = list(readers.map(lambda batch: measured(batch, store), batches))
    means = _last_means(batches)
    refusal = Releases(store).refusal(release)
    return {
        **_served(release, store),
        **_predicted(release, store),
        "refused": {"reason": refusal.reason, "refused_at": refusal.refused_at.isoformat()} if refusal else None,
        "versions": [_version(decision, means.get(decision.challenger_version)) for decision in Decisions(store).all(model)],
        **_last_seen(judged),
        "left_out": _left_out(model, store),
        "early": _early(zip(batches, judged, strict=True), {day.day: day.rows_labelled for day in performed}, store),
        "performance": [
            {
                "day": day.day.isoformat(),
                "role": group.role.value,
                "version": group.version,
                "rows": group.rows,
                "metrics": dict(group.metrics),
            }
            for day in performed
            for group in day.groups
        ],
        "batches": [_batch(manifest) for manifest in batches],
        "alerts": [
            {
                "kind": alert.kind.value,
                "window": alert.window,
                "message": alert.message,
                "file": alert.evidence.get("key"),
                "name": cause_of(alert),
                "since": alert.raised_at.isoformat(),
                "state": state_of_alert(causes, alert, datetime.now(UTC), quiet=digest),
            }
            for alert in alerts
        ],
        "digest": [
            {"name": name, "kind": cause.kind.value, "since": cause.opened_at.isoformat(), "seen": cause.seen, "message": cause.message}
            for name, cause in digest.items()
        ],
    }


def _left_out(model: str, store: ObjectStore) -> dict[str, list[str]]:
    """Return the columns that the table of scored rows leaves out, with types.

    There are none without a table. The table's newest metadata says so, since whoever may read the store need not be allowed to ask the
    catalogue.
    """
    written = (found for found in store.list(layout.table_metadata_prefix(model, "scored")) if found.key.endswith(".metadata.json"))
    newest = max(written, key=lambda found: found.last_modified, default=None)
    if newest is None:
        return {}
    columns = Columns.from_json(json.loads(store.read(newest.key))["properties"][NOTED])
    return {name: [*kinds] for name, kinds in columns.left_out.items()}


def _why(release: Release, store: ObjectStore) -> str:
    """Return why a release serves what it does, apart from policy changes."""
    while release.seq > 1:
        before = read_document(store, Release, layout.release_history_key(release.model, release.seq - 1))
        if (
            before is None
            or before.policy.number == release.policy.number
            or (before.versions, before.retired) != (release.versions, release.retired)
        ):
            break
        release = before
    return release.reason


def _served(release: Release, store: ObjectStore) -> dict[str, Any]:
    challenger = release.challenger
    return {
        "model": release.model,
        "seq": release.seq,
        "retired": release.retired,
        "reason": release.reason,
        "why": _why(release, store),
        "decided_by": release.decided_by,
        "decided_at": release.decided_at.isoformat(),
        "policy": release.policy.number,
        "champion": {"version": release.champion.version},
        "challenger": {"version": challenger.version, "share": challenger.share, "mode": challenger.mode} if challenger else None,
        "approval": release.approval.model_dump(mode="json") if release.approval else None,
        "withdrawn": release.withdrawn.model_dump(mode="json") if release.withdrawn else None,
        "previous": {"version": release.previous.version} if release.previous else None,
    }


def _predicted(release: Release, store: ObjectStore) -> dict[str, Any]:
    """Return what the champion predicts; unknown if its bundle is gone."""
    spec = read_document(store, ModelSpec, release.champion.prefix + SPEC)
    if spec is None:
        return {"target": None, "task": None, "positive": None, "day_zone": None}
    return {"target": spec.target, "task": spec.task.value, "positive": spec.positive_class, "day_zone": spec.day_zone}


def _last_seen(emitted: Iterable[BatchJudgement | None]) -> dict[str, Any]:
    """Return drift and estimate of the newest batch that could be judged.

    Each column has its PSI by batch, oldest first.
    """
    judged = [(found, found.drift) for found in emitted if found is not None and found.drift is not None]
    if not judged:
        return {"drift": None, "estimate": None}
    newest, report = judged[0]
    alike = [drift for found, drift in reversed(judged) if found.version == newest.version and not drift.too_few]
    history = [column for drift in alike for column in drift.columns]
    features = [
        column.model_dump(mode="json")
        | {"history": [past.value for past in history if (past.feature, past.column) == (column.feature, column.column)]}
        for column in report.columns
    ]
    positive = report.positive.model_dump(mode="json") if report.positive else None
    drift = {"alert": report.alert, "rows": report.rows, "too_few": report.too_few, "features": features, "positive": positive}
    return {"drift": drift, "estimate": newest.estimate.model_dump(mode="json") if newest.estimate else None}


def _early(
    batches: Iterable[tuple[Manifest, BatchJudgement | None]], labelled: Mapping[date, int], store: ObjectStore
) -> dict[str, Any] | None:
    """Return the loss of the newest batch that enough labels have come for.

    It is by these labels, and by what was expected of the batch's other rows.

    Args:
        batches: the newest first, each with what was measured of it.
        labelled: how many rows have labels, by day.
    """
    for manifest, judged in batches:
        days = sorted(manifest.event_days.keys() & labelled.keys())
        if min(manifest.rows_scored, sum(labelled[day] for day in days)) < LEAST_LABELS:
            continue
        found = (read_document(store, DayPerformance, layout.performance_key(manifest.model, day)) for day in days)
        losses = [batch for day in found if day for batch in day.batches if batch.batch_id == manifest.batch_id]
        expected = judged.estimate.expected_loss if judged and judged.estimate else None
        is_of_version = judged is not None and all(each.expected_by == judged.version for each in losses)
        if losses and expected is not None and is_of_version and (early := early_loss(expected, manifest.rows_scored, losses)):
            return {"batch_id": manifest.batch_id, "key": manifest.source.key, **early.model_dump(mode="json")}
    return None


def _last_means(batches: list[Manifest]) -> dict[str, str]:
    """Return by version what computed its scores in the newest batch that it scored."""
    found: dict[str, str] = {}
    for release in (manifest.release for manifest in batches if manifest.release):
        versions = {Role.CHAMPION: release.champion, Role.CHALLENGER: release.challenger.version if release.challenger else ""}
        for role, means in release.means.items():
            found.setdefault(versions[role], means)
    return found


def _version(decision: Decision, means: str | None) -> dict[str, Any]:
    return {
        "version": decision.challenger_version,
        "decision": decision.verdict.value,
        "reasons": [reason.code for reason in decision.reasons],
        "explanation": "; ".join(reason.message for reason in decision.reasons if not reason.warning),
        "warnings": [reason.message for reason in decision.reasons if reason.warning],
        "engine": decision.engine,
        "engine_reason": decision.engine_reason,
        "engine_means": means,
        "library": decision.library,
        "metric": decision.metric,
        "metrics": dict(decision.challenger),
        "cross_validation": [fold.model_dump(mode="json") for fold in decision.cross_validation],
        "trained_rows": decision.trained_rows,
        "erased_rows": decision.erased_rows,
        "trained_days": [day.isoformat() for day in (decision.trained_first_day, decision.trained_last_day) if day],
        "snapshot": decision.snapshot.md5,
    }


def _batch(manifest: Manifest) -> dict[str, Any]:
    return {
        "batch_id": manifest.batch_id,
        "key": manifest.source.key,
        "status": manifest.status.value,
        "rows_in": manifest.rows_in,
        "rows_scored": manifest.rows_scored,
        "rows_quarantined": manifest.rows_quarantined,
        "rows_erased": manifest.rows_erased,
        "champion": manifest.release.champion if manifest.release else None,
        "challenger": manifest.release.challenger.version if manifest.release and manifest.release.challenger else None,
        "predicted_positive": manifest.predicted_positive,
        "predict_s": manifest.timings.predict_s,
        "challenger_predict_s": manifest.timings.challenger_predict_s,
        "total_s": manifest.timings.total_s,
        "unseen": manifest.unseen_shares,
        "error": manifest.error.message if manifest.error else None,
        "remedy": manifest.error.remedy if manifest.error else None,
    }
