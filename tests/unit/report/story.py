"""A model's stored documents, written by hand as the functions would have left them."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from functions.shared.domain import layout
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.decision import Fold, Reason, Verdict
from functions.shared.domain.drift.detection import ColumnDrift, DriftReport
from functions.shared.domain.drift.effect import Effect
from functions.shared.domain.drift.positives import PositiveShare
from functions.shared.domain.drift.profile import Profile
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.manifest import Manifest, PinnedChallenger, PinnedRelease, StoredFile
from functions.shared.domain.performance.days import BatchLosses, DayPerformance, GroupPerformance, Interval
from functions.shared.domain.performance.estimate import Estimate, Estimated
from functions.shared.domain.release import Release, Role, ServedChallenger, ServedModel
from functions.shared.ports import ObjectStore
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.releases import Releases
from tests.fakes.documents import make_decision, make_manifest, make_release
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL

FIRST_DAY = date(2013, 4, 1)
NOW = datetime(2013, 5, 1, 12, tzinfo=UTC)


def served(version: str) -> ServedModel:
    return ServedModel(version=version, digest=f"d{version}", prefix=layout.version_prefix(MODEL, version))


def on_trial(version: str, share: float, **fields: Any) -> ServedChallenger:
    return ServedChallenger(**served(version).model_dump(), share=share, salt="rollout", **fields)


def write_releases(store: ObjectStore, *releases: Release) -> None:
    repository = Releases(store)
    for release in releases:
        repository.publish(release, over=repository.standing(release.model))


def batch(number: int, **fields: Any) -> Manifest:
    """The batch of one day, the `number`-th from 1 April on: 90 rows by the champion, 8 by the challenger, 2 quarantined."""
    day = FIRST_DAY + timedelta(days=number)
    plain: dict[str, Any] = {
        "day": day,
        "rows_in": 100,
        "rows_scored": 98,
        "rows_quarantined": 2,
        "quarantined_by_reason": {"missing_id": 2},
        "release": PinnedRelease(seq=1, champion="1", challenger=PinnedChallenger(version="2", share=0.1)),
        "served": {Role.CHAMPION: 90, Role.CHALLENGER: 8},
        "event_days": {day: 98},
        "created_at": datetime(day.year, day.month, day.day, 10, tzinfo=UTC),
    }
    return make_manifest(f"{day}.csv", **(plain | fields))


def write_batch(
    store: ObjectStore, manifest: Manifest, drift: Mapping[str, float] | None = None, *, estimate: Estimate | None = None
) -> None:
    """A batch's commit and, with PSI by feature, what was emitted of it; above 0.1 a feature has drifted, and each moves a tenth of it."""
    Manifests(store).commit(manifest)
    if drift is None:
        return
    columns = tuple(
        ColumnDrift(
            feature=name,
            column="feature",
            value=psi,
            jensen_shannon=psi / 2,
            threshold=0.1,
            p_value=0.01,
            drifted=psi > 0.1,
            effect=Effect(output="score", moved=psi / 10, shift=-psi / 10),
        )
        for name, psi in drift.items()
    )
    positive = PositiveShare(share=0.25, expected=0.2) if manifest.profiles else None
    report = DriftReport(alert=any(column.drifted for column in columns), rows=300, too_few=False, columns=columns, positive=positive)
    emitted = BatchJudgement(batch_id=manifest.batch_id, model=MODEL, version="1", drift=report, estimate=estimate, emitted_at=NOW)
    store.write(layout.emitted_key(MODEL, manifest.batch_id), emitted.to_json())


def estimate_of(value: float, doubt: float) -> Estimate:
    """An estimate of the log loss, so far up or down in doubt."""
    return Estimate(rows=98, metrics={"log_loss": Estimated(value=value, low=value - doubt, high=value + doubt)})


def write_quarantine(store: ObjectStore, manifest: Manifest, rows: list[dict[str, Any]]) -> Manifest:
    """The batch's quarantined rows; returns its manifest with them."""
    key = layout.quarantine_key(MODEL, manifest.batch_id, manifest.attempt, 0)
    body = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    store.write(key, body)
    file = StoredFile(key=key, rows=len(rows), bytes=len(body), sha256="0" * 64)
    return manifest.model_copy(update={"quarantine": (file,)})


def rejected(line: int, code: str = "missing_id", message: str = "the value is missing", raw: str = ",1,2") -> dict[str, Any]:
    return {"row": line - 1, "line": line, "byte_offset": 0, "code": code, "message": message, "raw": raw}


def write_day(store: ObjectStore, day: date, losses: Mapping[tuple[Role, str], float]) -> None:
    """Performance of one event day: log loss by role and version, of 50 labelled rows each."""
    groups = tuple(
        GroupPerformance(
            role=role,
            version=version,
            rows=50,
            metrics={"log_loss": loss, "auc": 1 - loss},
            intervals={"log_loss": Interval(low=loss - 0.05, high=loss + 0.05)},
            loss_sum=50 * loss,
            loss_sum_squares=50 * loss**2,
        )
        for (role, version), loss in losses.items()
    )
    champions = [group.loss_sum for group in groups if group.role is Role.CHAMPION]
    batches = tuple(BatchLosses(batch_id=make_manifest(f"{day}.csv").batch_id, rows=50, loss_sum=loss) for loss in champions[:1])
    performed = DayPerformance(model=MODEL, day=day, rows_predicted=100, rows_labelled=50, groups=groups, batches=batches)
    store.write(layout.performance_key(MODEL, day), performed.to_json())


def write_alert(
    store: ObjectStore, kind: AlertKind, message: str, *, hour: int = 0, why: tuple[ColumnDrift, ...] = (), **evidence: float | str
) -> None:
    alert = Alert(
        model=MODEL,
        kind=kind,
        window=f"2013-04-{hour + 1:02}",
        message=message,
        evidence=evidence,
        why=why,
        runbook=f"docs/runbook.md#{kind.value}",
        raised_at=NOW + timedelta(hours=hour),
    )
    store.write(layout.alert_key(MODEL, alert.window, kind.value), alert.to_json())


def whole_story() -> MemoryStore:
    """Ten days of a champion and its challenger, with something in every part of the page."""
    store = MemoryStore()
    write_releases(
        store,
        make_release(reason="the first version", decided_at=NOW - timedelta(days=30)),
        make_release(seq=2, challenger=on_trial("2", 0.1), newest="2", reason="gains at least 0.02", decided_at=NOW - timedelta(days=2)),
    )
    losses: dict[str, dict[str, float | None]] = {"champion": {"log_loss": 0.56}, "challenger": {"log_loss": 0.495}}
    fold = Fold(first_day=date(2013, 2, 1), last_day=date(2013, 2, 28), rows=500, **losses)
    decisions = Decisions(store)
    decisions.write(make_decision("1", champion_version=None, challenger={"log_loss": 0.4, "auc": 0.7}, rows=500))
    decisions.write(
        make_decision(
            "2",
            reasons=(Reason(code="better", message="gains at least 0.02"),),
            champion={"log_loss": 0.5},
            challenger={"log_loss": 0.45},
            difference=0.05,
            ci_low=0.02,
            ci_high=0.08,
            minimum_effect=0.01,
            cross_validation=(fold,),
        )
    )
    decisions.write(make_decision("3", decision=Verdict.KEEP, difference=-0.1, ci_low=-0.2, ci_high=-0.05, minimum_effect=0.01, rows=500))
    for number in range(10):
        manifest = batch(number, profiles={Role.CHAMPION: Profile(rows=100, positives=20 + number)})
        if number == 9:
            manifest = write_quarantine(store, manifest, [rejected(7), rejected(9)])
        write_batch(store, manifest, {"price": 0.02 * number, "shop": 0.01}, estimate=estimate_of(0.5 + number / 200, 0.04))
        write_day(
            store,
            FIRST_DAY + timedelta(days=number),
            {(Role.CHAMPION, "1"): 0.5 + number / 100, (Role.CHALLENGER, "2"): 0.4 + number / 200},
        )
    effect = Effect(output="score", moved=0.018, shift=-0.018)
    why = ColumnDrift(feature="price", column="feature", value=0.18, jensen_shannon=0.09, threshold=0.1, drifted=True, effect=effect)
    write_alert(store, AlertKind.DRIFT, "drift in price (PSI 0.18, moves the scores by 0.018)", why=(why,), price=0.18)
    return store
