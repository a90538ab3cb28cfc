"""What the clock asks for: ages, silence, and what crashes left."""

from datetime import timedelta

import pytest

from functions.metric_emission.upkeep import sweep, tick
from functions.shared.domain import layout
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.manifest import BatchError, Status, StoredFile
from functions.shared.domain.metrics import (
    ALERTS,
    APPROVAL_AGE,
    CHALLENGER_SHARE,
    CHAMPION_AGE,
    LAST_BATCH_AGE,
    MODELS,
    RELEASE_SEQUENCE,
    UNSCORED_FILES,
)
from functions.shared.domain.rejections import FileCode
from functions.shared.domain.release import Approval
from functions.shared.repositories.causes import Sight, follow
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.manifests import Manifests, source_of
from functions.shared.repositories.releases import Releases
from tests.component.metric_emission.world import World, rows
from tests.fakes.documents import NOW, make_decision, make_manifest
from tests.fakes.memory_store import EPOCH
from tests.fakes.versions import MODEL, make_version

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def run_tick(world: World) -> dict[str, int]:
    return tick(world.ports(send=world.sent.append, queued=lambda: {"scoring": 3}))


def run_sweep(world: World) -> dict[str, int]:
    return sweep(world.ports())


def decided() -> World:
    """Version 1 was decided on at `NOW`."""
    world = World()
    Decisions(world.store).write(make_decision("1", champion_version=None))
    return world


def retire(world: World, *, retired: bool = True) -> None:
    releases = Releases(world.store)
    releases.publish(world.release.model_copy(update={"seq": world.release.seq + 1, "retired": retired}), over=releases.standing(MODEL))


# Tick


def test_a_tick_reports_how_old_the_champion_and_its_last_batch_are() -> None:
    world = decided()
    world.scored("a.csv", rows(0.5), created_at=NOW + 6 * HOUR)
    world.moment = NOW + 2 * DAY
    assert run_tick(world) == {"models": 1}
    assert world.values(CHAMPION_AGE) == [2 * 24 * 3600]
    assert world.values(LAST_BATCH_AGE) == [42 * 3600]
    assert world.values(MODELS) == [1]


def test_a_tick_beats_its_heart_even_if_nothing_serves() -> None:
    world = decided()
    world.store.delete([layout.release_key(MODEL)])
    assert run_tick(world) == {"models": 0}, "a version lies there, but none serves"
    assert world.values(MODELS) == [0]
    assert world.values(CHAMPION_AGE) == []


def test_a_tick_reports_which_release_serves_and_how_much_a_challenger_answers() -> None:
    world = decided()
    run_tick(world)
    world.serve(world.version, make_version("2", seed=2))
    run_tick(world)
    assert (world.values(RELEASE_SEQUENCE), world.values(CHALLENGER_SHARE)) == ([1, 2], [0, 0.25])


def test_a_tick_reports_how_long_a_version_has_waited_for_a_person() -> None:
    world = decided()
    release = Releases(world.store).current(MODEL)
    assert release is not None
    run_tick(world)
    assert world.values(APPROVAL_AGE) == []
    asked = release.model_copy(update={"approval": Approval(version="2", share=0.05, since=NOW)})
    world.store.write(layout.release_key(MODEL), asked.to_json())
    world.moment = NOW + 2 * DAY
    run_tick(world)
    assert world.values(APPROVAL_AGE) == [2 * 24 * 3600]


def test_a_tick_counts_the_alerts_of_the_last_day_by_kind() -> None:
    world = decided()
    world.moment = EPOCH + 20 * HOUR
    for key in ("2013-04-01-aaaa-drift", "2013-04-02-bbbb-drift", "2013-04-02-v1-performance"):
        world.store.write(f"alerts/{MODEL}/{key}.json", b"{}")
    run_tick(world)
    said = {measurement.dimensions["kind"]: measurement.value for measurement in world.emitted if measurement.metric is ALERTS}
    assert said == {"drift": 2, "performance": 1}
    world.emitted.clear()
    world.moment += DAY
    run_tick(world)
    assert world.values(ALERTS) == []


def test_nobody_is_alerted_to_silence_or_age_unless_the_model_has_a_rhythm() -> None:
    world = decided()
    world.scored("a.csv", rows(0.5))
    world.moment = NOW + 1000 * DAY
    run_tick(world)
    assert world.kinds() == []


@pytest.mark.parametrize(
    ("hours", "kinds"),
    [(23.9, []), (24.1, ["silent"]), (240.1, ["silent", "stale"])],
)
def test_people_are_alerted_when_a_batch_is_missing_or_the_champion_is_old_by_the_models_own_rhythm(hours: float, kinds: list[str]) -> None:
    world = decided()
    world.set_policy(watch={"max_hours_between_batches": 24, "max_champion_age_days": 10})
    world.scored("a.csv", rows(0.5))
    world.moment = NOW + hours * HOUR
    run_tick(world)
    assert world.kinds() == kinds


@pytest.mark.parametrize(("hours", "kinds"), [(23.9, []), (24.1, ["silent"])])
def test_before_a_models_first_batch_silence_counts_from_its_release(hours: float, kinds: list[str]) -> None:
    world = decided()
    world.set_policy(watch={"max_hours_between_batches": 24})
    world.moment = world.release.decided_at + hours * HOUR
    run_tick(world)
    assert world.kinds() == kinds
    assert world.values(LAST_BATCH_AGE) == pytest.approx([hours * 3600])


def test_people_are_alerted_once_to_a_policy_that_cannot_be_read() -> None:
    world = decided()
    world.store.write(layout.policy_key(MODEL, 7), b'{"number": 7, "labels": {"look_back_days": null}}')
    for _ in range(2):
        run_tick(world)
    [alert] = world.alerts()
    assert (alert.kind, alert.evidence) == ("policy", {"unreadable": 7, "in_force": 0})
    assert alert.message.startswith("policy 7 cannot be read, so policy 0 is in force: labels.look_back_days cannot be null")
    world.set_policy()
    world.moment += 2 * DAY
    run_tick(world)
    assert world.alerts() == [alert], "once, however long it lasts"


def test_alerts_about_uploads_that_name_no_model_are_reported_with_the_fleet() -> None:
    world = World()
    world.store.write(f"alerts/{layout.UNNAMED_MODEL}/2013-04-01-unscored.json", b"{}")
    world.moment = EPOCH + HOUR
    run_tick(world)
    [fleet] = world.sent
    assert {"model": layout.UNNAMED_MODEL, "kind": "unscored"} in [series.dimensions for series in fleet.series]


def test_nothing_is_reported_about_a_model_that_was_retired() -> None:
    world = decided()
    world.set_policy(watch={"max_hours_between_batches": 1, "max_champion_age_days": 1})
    retire(world)
    world.moment = NOW + 10 * DAY
    assert run_tick(world) == {"models": 0}
    assert world.kinds() == []
    assert world.values(LAST_BATCH_AGE) == []


def test_alerts_about_what_a_model_served_are_closed_once_it_is_retired_and_come_again_if_it_returns() -> None:
    world = decided()
    world.set_policy(watch={"max_hours_between_batches": 1, "max_champion_age_days": 1})
    world.moment = NOW + 10 * DAY
    run_tick(world)
    for kind in {*AlertKind} - {AlertKind.SILENT, AlertKind.STALE, AlertKind.UNSCORED, AlertKind.QUARANTINE}:
        seen = Alert(model=MODEL, kind=kind, window=f"2013-04-11-{kind}", message="seen", evidence={}, runbook="", raised_at=world.moment)
        follow(MODEL, world.store, world.moment, seen=[Sight(seen)])
    before = {cause.kind.value for cause in world.causes().open().values()}
    assert before == {"silent", "stale", "policy", "drift", "performance", "approval", "failed", "labels"}
    retire(world)
    world.moment += DAY
    assert run_tick(world) == {"models": 0}
    assert {cause.kind.value for cause in world.causes().open().values()} == {"failed", "labels"}, "files come to retired models too"
    assert {cause.closed_by for cause in world.causes().causes.values() if not cause.is_open} == {"the model was retired"}
    retire(world, retired=False)
    world.moment += DAY
    run_tick(world)
    assert {cause.kind.value for cause in world.causes().open().values()} >= {"silent", "stale"}


def test_a_tick_sends_the_totals_of_each_model_and_of_the_fleet() -> None:
    world = decided()
    world.scored("a.csv", rows(0.5), created_at=NOW - HOUR)
    run_tick(world)
    model, fleet = ({(series.metric, *series.dimensions.values()): series.value for series in totals.series} for totals in world.sent)
    assert model["LastBatchAgeSeconds", MODEL] == 3600
    assert fleet == {("Models",): 1, ("SilenceSeconds",): 3600, ("QueuedMessages", "scoring"): 3}


def test_uploads_without_a_manifest_are_reported_with_the_next_tick_too() -> None:
    world = World()
    world.inbox.write(f"batches/{MODEL}/lost.csv", b"x")
    world.moment = EPOCH + 2 * HOUR
    run_sweep(world)
    run_tick(world)
    assert {series.metric: series.value for series in world.sent[-1].series if not series.dimensions} == {"UnscoredFiles": 1, "Models": 0}


def test_the_same_is_reported_once() -> None:
    world = decided()
    world.set_policy(watch={"max_champion_age_days": 1})
    for hour in range(48, 73):
        world.moment = NOW.replace(hour=0) + hour * HOUR
        run_tick(world)
    assert [alert.window for alert in world.alerts()] == ["2013-04-03"]
    assert world.values(ALERTS) == [1] * 25, "and shown while it lasts"


def test_one_models_trouble_keeps_no_other_from_its_turn() -> None:
    world = decided()
    world.store.write(layout.release_key("before"), b"{}")
    with pytest.raises(ExceptionGroup, match="1 of 2 models failed"):
        run_tick(world)
    assert world.values(CHAMPION_AGE) == [0.0]


# Sweep


def swept(age: timedelta) -> tuple[World, dict[str, int]]:
    """A store with a batch, another attempt at it, an attempt at a batch that has no manifest, after some time."""
    world = World()
    batch = world.scored("a.csv", rows(0.5))
    quarantined = layout.quarantine_key(MODEL, batch.batch_id, "a1", 0)
    for key in (
        quarantined,
        layout.scored_key(MODEL, batch.batch_id, "crashed", 0),
        layout.quarantine_key(MODEL, batch.batch_id, "crashed", 0),
        layout.scored_key(MODEL, "f" * 32, "a1", 0),
        layout.quarantine_key("other", "e" * 32, "a1", 0),
    ):
        world.store.write(key, b"x")
    named = batch.model_copy(update={"quarantine": (StoredFile(key=quarantined, rows=1, bytes=1, sha256=""),)})
    key = layout.manifest_key(MODEL, batch.source.last_modified.date(), batch.batch_id)
    world.store.write(key, named.to_json())
    world.moment = EPOCH + age
    return world, run_sweep(world)


def attempts(world: World) -> set[str]:
    """The attempts whose files are there."""
    return {"/".join(key.split("/")[1:4]) for key in world.store.keys() if key.startswith(("scored/", "quarantine/"))}  # noqa: SIM118


def test_files_of_attempts_that_never_committed_are_deleted_when_they_are_old() -> None:
    world, said = swept(16 * DAY)
    assert said["deleted"] == 4
    batch = next(iter(Manifests(world.store).keys(MODEL)))
    assert attempts(world) == {f"{MODEL}/{batch}/a1"}, "what a manifest names stays"


def test_files_of_a_batch_whose_partitions_may_still_be_scored_are_left_and_lost_attempts_at_others_deleted() -> None:
    world, said = swept(14 * DAY)
    assert said["deleted"] == 2
    batch = next(iter(Manifests(world.store).keys(MODEL)))
    assert attempts(world) == {f"{MODEL}/{batch}/a1", f"{MODEL}/{'f' * 32}/a1", f"other/{'e' * 32}/a1"}


def test_what_no_attempt_wrote_is_not_swept_away() -> None:
    world = World()
    somebodys = ["scored/m/notes.txt", "scored/m/b/export.parquet", "quarantine/m/b/a/mended.csv", "scored/m/b/a/deeper/part-00000.parquet"]
    for key in somebodys:
        world.store.write(key, b"mine")
    world.moment = EPOCH + 16 * DAY
    assert run_sweep(world)["deleted"] == 0
    assert set(somebodys) <= set(world.store.keys())


@pytest.mark.parametrize("age", [HOUR, 2 * DAY])
def test_files_of_an_attempt_that_may_still_be_at_work_are_left(age: timedelta) -> None:
    _, said = swept(age)
    assert said["deleted"] == 0


@pytest.mark.parametrize(("age", "left"), [(14 * DAY, 1), (16 * DAY, 0)])
def test_what_was_scored_of_a_batch_that_can_be_taken_up_again_is_left_as_long_as_it_can(age: timedelta, left: int) -> None:
    world = World()
    error = BatchError(code=FileCode.PARTITIONS_FAILED, message="lost", remedy="redrive")
    failed = world.commit("a.csv", status=Status.FAILED, error=error)
    world.store.write(layout.scored_key(MODEL, failed.batch_id, "a1", 0), b"x")
    world.moment = NOW + age
    run_sweep(world)
    assert len(attempts(world)) == left


def test_a_second_sweep_finds_nothing_more() -> None:
    world, _ = swept(3 * DAY)
    assert run_sweep(world)["deleted"] == 0


def test_people_are_alerted_by_model_to_uploads_that_nothing_came_of() -> None:
    world = World()
    for key in (f"batches/{MODEL}/lost.csv", f"batches/{MODEL}/lost too.csv", "batches/other/lost.csv", "batches/no model.csv"):
        world.inbox.write(key, b"x")
    world.inbox.write(f"batches/{MODEL}/folder/", b"")
    world.inbox.write(f"labels/{MODEL}/labels.csv", b"x")
    world.moment = EPOCH + 2 * HOUR
    assert run_sweep(world) == {"deleted": 0, "unscored": 4}
    assert world.values(UNSCORED_FILES) == [4]
    [alert] = world.alerts()
    assert alert.evidence == {"files": 2, "first": f"batches/{MODEL}/lost too.csv"}
    assert {key.split("/")[1] for key in world.store.keys() if key.startswith("alerts/")} == {MODEL, "other", layout.UNNAMED_MODEL}  # noqa: SIM118


@pytest.mark.parametrize("status", [Status.SCORED, Status.FAILED])
def test_an_upload_with_a_manifest_of_any_kind_is_no_lost_one(status: Status) -> None:
    world = World()
    source = source_of("inbox", world.inbox.write(f"batches/{MODEL}/a.csv", b"x"))
    batch = layout.batch_id("inbox", source.key, source.version_id)
    error = BatchError(code="empty_file", message="no rows", remedy="none") if status is Status.FAILED else None
    Manifests(world.store).commit(make_manifest(source=source, batch_id=batch, status=status, error=error))
    world.moment = EPOCH + 2 * HOUR
    assert run_sweep(world)["unscored"] == 0
    world.inbox.write(f"batches/{MODEL}/a.csv", b"a newer version")
    assert run_sweep(world)["unscored"] == 1


@pytest.mark.parametrize("age", [HOUR / 2, 3 * DAY])
def test_uploads_that_are_fresh_or_were_looked_for_before_are_not_reported(age: timedelta) -> None:
    world = World()
    world.inbox.write(f"batches/{MODEL}/a.csv", b"x")
    world.moment = EPOCH + age
    assert run_sweep(world)["unscored"] == 0
