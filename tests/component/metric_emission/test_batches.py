"""What becomes known of a batch that was committed."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from functions.metric_emission import ports
from functions.metric_emission.estimation import some_of
from functions.metric_emission.measurements import batch_measurements, drift_measurements
from functions.shared.batches.lifecycle import batch_error, drafted, pinned_release
from functions.shared.domain import layout
from functions.shared.domain.alert import Alert
from functions.shared.domain.decision_rule import above
from functions.shared.domain.drift.baseline import Baseline, ColumnBaseline, DayExcess
from functions.shared.domain.drift.detection import ColumnDrift, DriftReport
from functions.shared.domain.drift.profile import Profile
from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.manifest import BatchError, Manifest, Status, StoredFile, Timings
from functions.shared.domain.metrics import (
    BATCH_ERRORS,
    BATCH_SECONDS,
    BATCHES,
    BYTES_IN,
    BYTES_OUT,
    DRIFT,
    DRIFTED_COLUMNS,
    GIGABYTE_SECONDS,
    PREDICTED_POSITIVE,
    PREDICTED_POSITIVE_EXPECTED,
    PREDICTION_SECONDS,
    READ_SECONDS,
    ROWS_IN,
    ROWS_QUARANTINED,
    ROWS_SCORED,
    WAIT,
    WRITE_SECONDS,
)
from functions.shared.domain.rejections import FileCode
from functions.shared.domain.release import Role
from functions.shared.domain.totals import Totals
from functions.shared.repositories.documents import read_document, read_documents
from functions.shared.repositories.manifests import Manifests, source_of
from functions.shared.repositories.releases import Releases
from tests.component.metric_emission.world import DAY, DatedBundles, World
from tests.fakes.counting_store import CountingStore
from tests.fakes.documents import make_manifest, make_release
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL, make_version
from tests.fakes.watched_store import Crash, CrashAt, Moment, WatchedStore


def like_training(baseline: Baseline, *moved: str) -> Profile:
    """The training rows over again (120 of them), but in some columns all of them in the last bin."""

    def counts(column: ColumnBaseline) -> tuple[int, ...]:
        bins = len(column.counts)
        return (*([0] * (bins - 1)), sum(column.counts)) if column.bins.name in moved else column.counts

    features = {column.bins.name: counts(column) for column in baseline.features}
    return Profile(rows=120, features=features, scores={column.bins.name: counts(column) for column in baseline.scores})


def drift_of(world: World, manifest: Manifest) -> tuple[int, set[str]]:
    """Rows pooled, and the columns that drifted, as of a batch."""
    emitted = read_document(world.store, BatchJudgement, layout.emitted_key(MODEL, manifest.batch_id))
    assert emitted is not None
    assert emitted.drift is not None
    return emitted.drift.rows, {column.feature for column in emitted.drift.columns if column.drifted}


def test_a_batch_is_measured_by_what_its_manifest_says() -> None:
    world = World()
    manifest = world.profiled(
        "a.csv",
        like_training(world.baseline),
        rows_in=123,
        rows_quarantined=3,
        quarantined_by_reason={"missing_id": 1, "infinite": 2},
        timings=Timings(read_s=0.25, predict_s=0.5, write_s=0.125, total_s=2.0),
        outputs=(StoredFile(key="scored/part", rows=0, bytes=700, sha256=""),),
        quarantine=(StoredFile(key="quarantine/part", rows=3, bytes=50, sha256=""),),
    )
    emitted = [(found.metric, dict(found.dimensions), found.value) for found in batch_measurements(manifest, memory_gb=2.0)]
    model = {"model": MODEL}
    waited_s = (manifest.created_at - manifest.source.last_modified).total_seconds() - 2.0
    assert emitted == [
        (ROWS_IN, model, 123),
        (ROWS_SCORED, model, 120),
        (ROWS_QUARANTINED, {**model, "reason": "missing_id"}, 1),
        (ROWS_QUARANTINED, {**model, "reason": "infinite"}, 2),
        (BATCHES, {**model, "status": "scored"}, 1),
        (BYTES_IN, model, 100),
        (BYTES_OUT, model, 750),
        (GIGABYTE_SECONDS, model, 4.0),
        (READ_SECONDS, model, 0.25),
        (PREDICTION_SECONDS, model, 0.5),
        (WRITE_SECONDS, model, 0.125),
        (BATCH_SECONDS, model, 2.0),
        (WAIT, model, waited_s),
    ]


def test_a_batch_that_failed_is_counted_by_its_errors_code() -> None:
    error = BatchError(code="missing_column", message="no column 'price'", remedy="add it")
    emitted = list(batch_measurements(make_manifest(status=Status.FAILED, error=error), memory_gb=2.0))
    [errors] = [measurement for measurement in emitted if measurement.metric is BATCH_ERRORS]
    assert (errors.value, errors.dimensions) == (1, {"model": MODEL, "code": "missing_column"})


def test_how_long_a_file_waited_is_not_reported_for_a_batch_that_is_scored_again() -> None:
    emitted = batch_measurements(make_manifest(supersedes="an earlier one"), memory_gb=2.0)
    assert not [measurement for measurement in emitted if measurement.metric is WAIT]


def test_a_second_delivery_emits_nothing_and_alerts_nobody() -> None:
    world = World()
    manifest = world.profiled("a.csv", like_training(world.baseline))
    world.record(manifest)
    emitted, keys = list(world.emitted), world.store.keys()
    world.set_policy(drift={"min_rows": 1, "floor": 0.0, "false_discovery_rate": 0.99})
    keys |= {layout.policy_key(MODEL, 1)}
    world.record(manifest)
    assert world.emitted == emitted
    assert world.store.keys() == keys


def test_people_are_alerted_to_a_batch_that_failed() -> None:
    world = World()
    error = BatchError(code="missing_column", message="no column 'price'", remedy="add it")
    world.record(world.commit("a.csv", status=Status.FAILED, error=error))
    [alert] = world.alerts()
    assert (alert.kind, alert.message) == ("failed", f"batches/{MODEL}/a.csv failed: no column 'price'")
    assert alert.evidence == {"code": "missing_column", "key": f"batches/{MODEL}/a.csv"}
    assert alert.runbook == "docs/runbook.md#failed"


def test_people_are_alerted_to_a_batch_of_a_model_that_serves_nothing() -> None:
    world = World()
    world.store.delete([layout.release_key(MODEL)])
    upload = MemoryStore("inbox").write(f"batches/{MODEL}/a.csv", b"id\n1\n")
    draft = drafted(source_of("inbox", upload), attempt="a", now=world.moment)
    with pytest.raises(BatchRejectedError) as refused:
        pinned_release(world.store, draft)
    manifest = Manifests(world.store).commit(draft.model_copy(update={"error": batch_error(refused.value)}))
    world.record(manifest)
    [alert] = read_documents(world.store, Alert, layout.alert_prefix(layout.UNNAMED_MODEL))
    assert (alert.kind, alert.message) == ("failed", f"batches/{MODEL}/a.csv failed: model {MODEL!r} serves nothing yet")
    assert {found.dimensions["model"] for found in world.emitted} == {layout.UNNAMED_MODEL}, "a slip makes no series of its own"
    assert [key for key in world.store.keys() if key.startswith("totals/")] == [layout.totals_key(layout.UNNAMED_MODEL)]  # noqa: SIM118


def test_people_are_alerted_to_a_batch_with_many_quarantined_rows() -> None:
    world = World()
    world.record(world.profiled("a.csv", like_training(world.baseline), status=Status.SUSPECT, rows_in=160, rows_quarantined=40))
    [alert] = world.alerts()
    assert (alert.kind, alert.evidence) == ("quarantine", {"share": 0.25, "budget": 0.1})
    assert alert.message == f"25.0% of the rows of batches/{MODEL}/a.csv were quarantined"


def test_no_alert_is_raised_about_a_batch_like_all_others() -> None:
    world = World()
    for number in range(4):
        world.record(world.profiled(f"{number}.csv", like_training(world.baseline)))
    assert world.kinds() == []
    assert world.values(DRIFTED_COLUMNS) == [0, 0, 0, 0]
    assert max(world.values(DRIFT)) < 0.05


def test_only_the_columns_that_differ_most_are_metrics() -> None:
    columns = tuple(ColumnDrift(feature=f"f{number}", column="feature", value=number / 100, jensen_shannon=0) for number in range(50))
    report = DriftReport(alert=False, rows=1000, too_few=False, columns=columns)
    said = {found.dimensions["column"]: found.value for found in drift_measurements(MODEL, report) if found.metric is DRIFT}
    assert said == {f"f{number}": number / 100 for number in range(40, 50)}


def test_drift_is_judged_over_the_last_batches_together() -> None:
    world = World()
    recorded = []
    for number in range(5):
        recorded.append(world.profiled(f"{number}.csv", like_training(world.baseline, "price")))
        world.record(recorded[-1])
    # 120 rows a batch, three batches pooled, at least 300 rows to judge.
    assert [drift_of(world, manifest) for manifest in recorded] == [
        (120, set()),
        (240, set()),
        (360, {"price"}),
        (360, {"price"}),
        (360, {"price"}),
    ]
    assert world.values(DRIFTED_COLUMNS) == [0, 0, 1, 1, 1]


def share_of(world: World, manifest: Manifest) -> ColumnDrift:
    """How the share predicted positive was judged."""
    emitted = read_document(world.store, BatchJudgement, layout.emitted_key(MODEL, manifest.batch_id))
    assert emitted is not None
    assert emitted.drift is not None
    return emitted.drift.columns[-1]


def decided(world: World, positives: int, threshold: float) -> dict[str, Any]:
    """A batch like training whose threshold predicts some of its 120 rows positive."""
    rules = {Role.CHAMPION: above(threshold, inclusive=True)}
    profile = like_training(world.baseline).model_copy(update={"positives": positives})
    return {"profile": profile, "release": world.pinned.model_copy(update={"decision_rules": rules})}


def test_a_share_predicted_positive_that_drifts_is_reported_with_both_figures_and_each_batchs_share_is_a_metric() -> None:
    world = World()
    for number in range(3):
        world.record(world.profiled(f"{number}.csv", **decided(world, 118, 0.5)))
    [alert] = world.alerts()
    scores, truth = np.asarray(world.values(PREDICTED_POSITIVE)), world.values(PREDICTED_POSITIVE_EXPECTED)
    assert scores.tolist() == [118 / 120] * 3
    assert alert.message == f"drift in the share predicted positive (98.3%, {truth[-1]:.1%} expected by the threshold in force)"
    assert alert.evidence.keys() == {"predicted_positive"}


def test_batches_of_another_threshold_are_not_pooled_with_those_of_the_threshold_in_force() -> None:
    world = World()
    curve = world.baseline.error_curve
    assert curve is not None
    low, high = curve.thresholds[len(curve.thresholds) // 10], curve.thresholds[len(curve.thresholds) // 2]
    expected = {
        threshold: found + curve.false_negatives[-1] - missed
        for threshold, found, missed in zip(curve.thresholds, curve.false_positives, curve.false_negatives, strict=True)
    }
    for number, threshold in enumerate((low, low, low, high, high, high)):
        world.record(world.profiled(f"{number}.csv", **decided(world, round(expected[threshold] * 120 / curve.rows), threshold)))
    assert world.alerts() == []
    assert world.values(PREDICTED_POSITIVE_EXPECTED) == [expected[threshold] / curve.rows for threshold in (low,) * 3 + (high,) * 3]


def test_the_share_predicted_positive_is_judged_only_over_batches_of_the_threshold_in_force() -> None:
    world = World()
    recorded = []
    for number, threshold in enumerate((0.5, 0.5, 0.9, 0.9, 0.9)):
        recorded.append(world.profiled(f"{number}.csv", **decided(world, 118, threshold)))
        world.record(recorded[-1])
    found = [share_of(world, manifest) for manifest in recorded]
    # 120 rows a batch and at least 300 to judge: not until the third batch that 0.9 decided.
    assert [column.p_value is not None for column in found] == [False, False, False, False, True]
    assert [column.drifted for column in found] == [False, False, False, False, True]


LIVELY_DAYS = DatedBundles(DayExcess(days=1, mean=20.0, variance=100.0), DayExcess(days=7, mean=0.0, variance=1e-9))
"""Single days differ by more than any change here, runs of seven days do not."""


def on_days(*numbers: int) -> dict[str, Any]:
    """A batch whose rows lie on some event days."""
    return {"event_days": {DAY + timedelta(days=number): 120 // len(numbers) for number in numbers}}


@pytest.mark.parametrize(
    ("days", "drifted"),
    [
        (((0, 1, 2), (2, 3, 4), (4, 5, 6)), {"price"}),
        (((6,), (5,), (0, 1, 2, 3, 4)), {"price"}),
        (((0, 1, 2), (0, 1, 2), (0, 1, 2)), set()),
        (((0, 1, 2), (3, 4), (5,)), set()),
    ],
)
def test_drift_is_judged_by_the_event_days_of_the_pooled_batches_each_counted_once(
    days: tuple[tuple[int, ...], ...], drifted: set[str]
) -> None:
    world = World(bundles=LIVELY_DAYS)
    for number, numbers in enumerate(days):
        last = world.profiled(f"{number}.csv", like_training(world.baseline, "price"), **on_days(*numbers))
        world.record(last)
    assert drift_of(world, last) == (360, drifted)


@pytest.mark.parametrize(("days", "drifted"), [(((0, 1, 2, 3), (4, 5, 6)), True), (((5,), (6,)), False)])
def test_the_share_predicted_positive_is_judged_by_the_days_of_the_batches_that_its_threshold_decided(
    days: tuple[tuple[int, ...], ...], *, drifted: bool
) -> None:
    world = World(bundles=LIVELY_DAYS)
    world.set_policy(drift={"min_rows": 200})
    for number, (threshold, numbers) in enumerate(((0.5, (0, 1, 2, 3, 4)), *((0.9, numbers) for numbers in days))):
        profile = like_training(world.baseline, "price").model_copy(update={"positives": 118})
        last = world.profiled(f"{number}.csv", **(decided(world, 118, threshold) | {"profile": profile}), **on_days(*numbers))
        world.record(last)
    assert share_of(world, last).drifted is drifted
    assert "price" in drift_of(world, last)[1], "columns are judged by the days of all pooled batches, seven here"


def test_drift_is_reported_once_and_again_when_another_column_joins() -> None:
    world = World()
    world.set_policy(drift={"pooled_batches": 1, "min_rows": 100})
    for number, moved in enumerate([("price",), ("price",), ("price", "shop"), ("price",), (), ("price",)]):
        world.record(world.profiled(f"{number}.csv", like_training(world.baseline, *moved)))
    evidence = sorted((alert.evidence for alert in world.alerts()), key=len)
    assert [set(found) for found in evidence] == [{"price"}, {"price", "shop"}], "also after it was gone"
    world.serve(make_version("2", seed=2))
    second = world.bundles.load(world.release.champion).baseline
    world.record(world.profiled("second.csv", like_training(second, "price")))
    assert world.kinds() == ["drift"] * 3, "another version was trained on other rows"


def test_drift_is_reported_once_in_whatever_order_batches_are_measured() -> None:
    world = World()
    world.set_policy(drift={"pooled_batches": 1, "min_rows": 100})
    for batch in reversed([world.profiled(f"{number}.csv", like_training(world.baseline, "price")) for number in range(3)]):
        world.record(batch)
    assert world.kinds() == ["drift"]


def test_batches_that_another_version_scored_are_not_pooled() -> None:
    world = World()
    manifests = [world.profiled(f"{number}.csv", like_training(world.baseline, "price")) for number in range(3)]
    world.serve(make_version("2", seed=2))
    late = world.profiled("late.csv", like_training(world.bundles.load(world.release.champion).baseline))
    world.record(late)
    assert drift_of(world, late)[0] == 120
    world.record(manifests[0])
    emitted = read_document(world.store, BatchJudgement, layout.emitted_key(MODEL, manifests[0].batch_id))
    assert emitted is not None
    assert (emitted.version, emitted.drift) == ("1", None), "the version that scored it serves no more"


def test_batches_that_came_later_do_not_change_what_is_seen_of_an_earlier_one() -> None:
    world = World()
    early, later = [world.profiled(f"{number}.csv", like_training(world.baseline)) for number in range(2)]
    world.record(later)
    world.record(early)
    assert (drift_of(world, early)[0], drift_of(world, later)[0]) == (120, 240)


def test_batches_that_were_superseded_are_not_pooled() -> None:
    world = World()
    first = world.profiled("a.csv", like_training(world.baseline, "price"))
    again = world.profiled("b.csv", like_training(world.baseline), supersedes=first.batch_id, source=first.source)
    world.record(again)
    assert drift_of(world, again)[0] == 120


def moments() -> list[Moment]:
    seen: list[Moment] = []
    world, manifest = drifting()
    world.record(manifest, store=WatchedStore(world.store, seen.append))
    return seen


def drifting() -> tuple[World, Manifest]:
    world = World()
    world.set_policy(drift={"min_rows": 100})
    return world, world.profiled("a.csv", like_training(world.baseline, "price"), status=Status.SUSPECT, rows_in=160, rows_quarantined=40)


def rows_counted(world: World) -> float:
    """What Prometheus is sent about rows that came in."""
    totals = Totals.from_json(world.store.read(layout.totals_key(MODEL)))
    [series] = [series for series in totals.series if series.metric == ROWS_IN.name]
    return series.value


def test_a_crash_at_any_call_never_loses_an_alert_nor_counts_a_batch_twice() -> None:
    for moment in moments():
        world, manifest = drifting()
        with pytest.raises(Crash):
            world.record(manifest, store=WatchedStore(world.store, CrashAt(moment)))
        world.record(manifest)
        assert sorted(world.kinds()) == ["drift", "quarantine"], moment
        claimed = (moment.side, moment.call) == ("after", f"create {layout.emitted_key(MODEL, manifest.batch_id)}")
        assert world.values(ROWS_IN) == ([] if claimed else [160]), moment
        assert rows_counted(world) == 160, "for Prometheus even the batch whose claim was written and not printed"


def test_a_delivery_within_another_emits_once() -> None:
    for moment in moments():
        world, manifest = drifting()

        def deliver(now: Moment, world: World = world, manifest: Manifest = manifest, at: Moment = moment) -> None:
            if now == at:
                world.record(manifest)

        world.record(manifest, store=WatchedStore(world.store, deliver))
        assert world.values(ROWS_IN) == [160]
        assert rows_counted(world) == 160
        assert sorted(world.kinds()) == ["drift", "quarantine"]


def test_a_release_in_the_making_is_no_trouble() -> None:
    world = World()
    standing = Releases(world.store).standing(MODEL)
    manifest = world.profiled("a.csv", like_training(world.baseline))
    Releases(world.store).publish(make_release(seq=2, champion=world.release.champion), over=standing)
    world.record(manifest)
    assert drift_of(world, manifest)[0] == 120


def test_a_batch_taken_up_again_after_a_failure_half_way_is_reported_twice_and_its_rows_once() -> None:
    world = World()
    error = BatchError(code=FileCode.PARTITIONS_FAILED, message="lost", remedy="redrive")
    world.record(world.commit("a.csv", status=Status.FAILED, error=error))
    for _ in range(2):
        world.record(world.commit("a.csv", status=Status.SCORED, rows_in=5, rows_scored=5))
    assert world.values(BATCHES) == [1, 1]
    assert world.values(ROWS_IN) == [0, 5]
    assert rows_counted(world) == 5


def test_a_batch_scored_in_partitions_cost_what_all_functions_took() -> None:
    timings = Timings(total_s=2.0, functions_s=7.0)
    [cost] = [m.value for m in batch_measurements(make_manifest(timings=timings), memory_gb=2.0) if m.metric is GIGABYTE_SECONDS]
    assert cost == 14.0


@pytest.mark.parametrize(("files", "rows", "looked_at"), [(1, 9_000_000, 1), (10, 1_000_000, 10), (300, 3_500_000, 3), (0, 0, 0)])
def test_an_estimate_looks_at_as_many_files_of_a_very_large_batch_as_fit_into_memory(files: int, rows: int, looked_at: int) -> None:
    outputs = tuple(StoredFile(key=str(number), rows=rows, bytes=1, sha256="") for number in range(files))
    assert len(some_of(outputs)) == looked_at


def index_writes(store: CountingStore) -> int:
    return sum(version.info.key.startswith("index/") for version in store.versions(""))


def test_a_batch_before_many_others_asks_for_one_request_more_than_one_among_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "LOOKED_THROUGH", 5)
    store = CountingStore()
    world = World(store=store)
    manifests = [world.profiled(f"{number}.csv", like_training(world.baseline)) for number in range(12)]
    world.record(manifests[-1])
    asked, written = [], []
    for manifest in (manifests[-2], manifests[0], manifests[1]):
        before, names = store.requests, index_writes(store)
        world.record(manifest)
        asked.append(store.requests - before)
        written.append(index_writes(store) - names)
    assert written == [0, 0, 0]
    assert max(asked[1:]) <= asked[0] + 1


def test_a_batch_before_many_others_whose_names_a_crash_left_out_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "LOOKED_THROUGH", 5)
    world = World()
    first = world.profiled("first.csv", like_training(world.baseline))
    world.record(first)
    for number in range(12):
        world.profiled(f"{number}.csv", like_training(world.baseline))
    names = {info.key for info in world.store.list(f"index/{MODEL}/") if first.batch_id in info.key}
    world.store.delete(names)
    world.record(first)
    assert {info.key for info in world.store.list(f"index/{MODEL}/") if first.batch_id in info.key} == names
