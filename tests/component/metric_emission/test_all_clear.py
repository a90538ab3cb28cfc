"""An alert closes only when what it was about is seen to be over."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from functions.metric_emission.upkeep import sweep
from functions.shared.domain import layout
from functions.shared.domain.cause import Silence
from functions.shared.domain.manifest import BatchError, Manifest, Source, Status
from functions.shared.domain.rejections import FileCode
from functions.shared.domain.release import Role
from functions.shared.domain.spec import Task
from functions.shared.repositories.causes import change_causes
from functions.shared.repositories.manifests import Manifests, source_of
from tests.component.metric_emission.test_batches import like_training
from tests.component.metric_emission.test_decay import csv, decaying
from tests.component.metric_emission.world import World, rows
from tests.fakes.counting_store import CountingStore
from tests.fakes.documents import make_manifest
from tests.fakes.memory_store import EPOCH
from tests.fakes.versions import MODEL, make_version

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def swept_daily(world: World, days: int) -> None:
    for day in range(days):
        world.moment = EPOCH + 2 * HOUR + day * DAY
        sweep(world.ports())


# Uploads that nothing came of


def test_an_upload_that_was_never_scored_keeps_its_alert_open_when_it_is_too_old_to_be_looked_for() -> None:
    world = World()
    world.inbox.write(f"batches/{MODEL}/lost.csv", b"x")
    swept_daily(world, 5)
    assert (list(world.causes().open()), len(world.alerts()), world.closings()) == (["unscored"], 1, [])


def test_an_alert_on_an_unscored_upload_closes_when_that_upload_is_scored() -> None:
    world = World()
    source = source_of("inbox", world.inbox.write(f"batches/{MODEL}/lost.csv", b"x"))
    swept_daily(world, 5)
    batch = layout.batch_id("inbox", source.key, source.version_id)
    Manifests(world.store).commit(make_manifest(source=source, batch_id=batch))
    sweep(world.ports())
    assert world.causes().open() == {}
    [closing] = world.closings()
    assert closing.startswith("closed, each upload that it was about has a manifest or was removed; since ")


def test_an_alert_on_an_unscored_upload_closes_when_that_upload_is_removed() -> None:
    world = World()
    key = f"batches/{MODEL}/lost.csv"
    world.inbox.write(key, b"x")
    swept_daily(world, 4)
    world.inbox.delete([key])
    sweep(world.ports())
    assert world.causes().open() == {}


@pytest.mark.parametrize("late", [None, 5], ids=["all others in time", "one of them late"])
def test_an_upload_that_was_never_scored_makes_no_sweep_dearer_than_the_one_before(late: int | None) -> None:
    inbox, store = CountingStore("inbox"), CountingStore()
    world = World(inbox=inbox, store=store)
    world.inbox.write(f"batches/{MODEL}/lost.csv", b"x")
    asked, waiting = [], list[Source]()
    for day in range(12):
        world.inbox._written = day * 24 * 3600 + 60
        came = [source_of("inbox", world.inbox.write(f"batches/{MODEL}/{day}-{number}.csv", b"x")) for number in range(5)]
        held = came[:1] if day == late else []
        for source in (*waiting, *came[len(held) :]):
            batch = layout.batch_id("inbox", source.key, source.version_id)
            Manifests(world.store).commit(make_manifest(source=source, batch_id=batch))
        waiting = held
        before = inbox.requests + store.requests
        world.moment = EPOCH + day * DAY + 2 * HOUR
        sweep(world.ports())
        asked.append(inbox.requests + store.requests - before)
    assert list(world.causes().open()) == ["unscored"]
    assert set(asked[8:]) == {asked[3]}


def test_an_open_alert_of_an_earlier_version_still_finds_its_upload() -> None:
    world = World()
    world.inbox.write(f"batches/{MODEL}/lost.csv", b"x")
    swept_daily(world, 3)
    causes = world.causes().model_dump(mode="json")
    assert causes["causes"]["unscored"].pop("arrived") == "2013-04-01T08:00:01Z"
    world.store.write(layout.causes_key(MODEL), json.dumps(causes).encode())
    swept_daily(world, 5)
    assert (list(world.causes().open()), world.closings()) == (["unscored"], [])


def test_an_upload_that_was_never_scored_calls_again_when_a_silence_of_it_lapses() -> None:
    world = World()
    world.inbox.write(f"batches/{MODEL}/lost.csv", b"x")
    swept_daily(world, 1)
    silence = Silence(who="ann", reason="known", at=world.moment, until=world.moment + 4 * DAY + HOUR)
    change_causes(MODEL, world.store, lambda causes: causes.silenced("unscored", silence))
    swept_daily(world, 5)
    assert len(world.alerts()) == 1
    swept_daily(world, 8)
    assert [alert.window for alert in world.alerts()] == ["2013-04-01", "2013-04-06"]


def test_an_alert_on_an_upload_that_was_never_scored_keeps_no_other_alert_open() -> None:
    world = World()
    world.inbox.write(f"batches/{MODEL}/lost.csv", b"x")
    world.record(failed(world, "a.csv"))
    swept_daily(world, 9)
    assert list(world.causes().open()) == ["unscored"]


# Labels


def slipped() -> World:
    """One label of a file is absurd, and another one waits for its row."""
    world = decaying(10.0, version=make_version(task=Task.REGRESSION))
    world.scored("a.csv", rows(0.01))
    world.label(csv(("2e6", "2")), "slipped.csv")
    assert list(world.causes().open()) == ["labels"]
    return world


def waiting_met(world: World) -> None:
    batch = world.scored("b.csv", rows(0.01, 0.01), profiles={Role.CHAMPION: like_training(world.baseline)})
    world.record(batch)


def test_what_waited_of_a_file_does_not_close_the_alert_about_that_file() -> None:
    world = slipped()
    waiting_met(world)
    assert list(world.causes().open()) == ["labels"]


def test_labels_that_waited_do_not_close_an_alert_about_a_file_that_could_not_be_read() -> None:
    world = decaying(10.0, version=make_version(task=Task.REGRESSION))
    world.label(csv(("2", "2")), "early.csv")
    world.label(b"\x00\x01\x02", "broken.csv")
    [name] = world.causes().open()
    waiting_met(world)
    assert list(world.causes().open()) == [name]


def test_a_file_of_which_no_label_met_its_row_says_nothing_of_absurd_labels() -> None:
    world = slipped()
    world.label(csv(("2",), prefix="later"), "later.csv")
    assert list(world.causes().open()) == ["labels"]
    world.label(csv(("2",)), "mended.csv")
    assert world.causes().open() == {}


def test_a_readable_file_that_is_measured_late_does_not_close_the_alert_on_a_newer_one() -> None:
    world = World()
    world.scored("a.csv", rows(0.5))
    late = world.upload_labels("id,at,bought\nr0,2013-04-01T10:00:00Z,yes\n", "late.csv")
    world.label(b"\x00\x01\x02", "broken.csv")
    [name] = world.causes().open()
    world.deliver(late)
    assert list(world.causes().open()) == [name]
    world.label("id,at,bought\nr0,2013-04-01T10:00:00Z,yes\n", "next.csv")
    assert world.causes().open() == {}


def test_plausible_labels_that_are_measured_late_do_not_close_the_alert_on_newer_absurd_ones() -> None:
    world = decaying(10.0, version=make_version(task=Task.REGRESSION))
    world.scored("a.csv", rows(0.01))
    late = world.upload_labels(csv(("2",)), "late.csv")
    world.label(csv(("2e6",)), "slipped.csv")
    world.deliver(late)
    assert list(world.causes().open()) == ["labels"]
    world.label(csv(("2",)), "mended.csv")
    assert world.causes().open() == {}


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_absurd_files_the_newer_has_to_be_followed_by_a_plausible_one(first: int) -> None:
    world = decaying(10.0, version=make_version(task=Task.REGRESSION))
    world.scored("a.csv", rows(0.01))
    absurd, between, other = (world.upload_labels(csv((label,)), f"{label}.csv") for label in ("2e6", "2", "3e6"))
    files = [absurd, other]
    world.deliver(files[first])
    world.deliver(files[1 - first])
    world.deliver(between)
    assert list(world.causes().open()) == ["labels"]
    world.label(csv(("2",)), "mended.csv")
    assert world.causes().open() == {}


# Batches


def drifted(world: World, name: str, *columns: str, **fields: Any) -> Manifest:
    return world.profiled(name, like_training(world.baseline, *columns), **fields)


def failed(world: World, name: str) -> Manifest:
    error = BatchError(code=FileCode.MISSING_COLUMN, message="no column 'price'", remedy="add it")
    return world.commit(name, status=Status.FAILED, error=error)


def suspect(world: World, name: str) -> Manifest:
    return world.commit(name, status=Status.SUSPECT, rows_in=10, rows_scored=1, rows_quarantined=9)


def judged_alone() -> World:
    world = World()
    world.set_policy(drift={"pooled_batches": 1, "min_rows": 100})
    return world


def test_a_batch_that_is_measured_late_does_not_close_the_drift_of_a_newer_one() -> None:
    world = judged_alone()
    late, newer = drifted(world, "late.csv"), drifted(world, "newer.csv", "price")
    world.record(newer)
    world.record(late)
    assert list(world.causes().open()) == ["drift-v1"]
    world.record(drifted(world, "next.csv"))
    assert world.causes().open() == {}


def test_only_the_newest_batch_closes_drift_though_others_came_after_it() -> None:
    world = judged_alone()
    world.record(drifted(world, "a.csv", "price"))
    well, newest = drifted(world, "b.csv"), drifted(world, "c.csv")
    world.record(well)
    assert list(world.causes().open()) == ["drift-v1"], "nobody knows yet how the newest looks"
    world.record(newest)
    assert world.causes().open() == {}


def test_an_earlier_upload_that_is_scored_again_does_not_close_the_drift_of_a_later_one() -> None:
    world = judged_alone()
    before = drifted(world, "a.csv")
    world.record(before, drifted(world, "b.csv", "price"))
    world.record(drifted(world, "a.csv", source=before.source, batch_id="f" * 32, supersedes=before.batch_id))
    assert list(world.causes().open()) == ["drift-v1"]


@pytest.mark.parametrize(("bad", "name"), [(failed, "failed-missing_column"), (suspect, "quarantine")])
def test_a_file_that_arrived_before_the_bad_one_closes_nothing(bad: Callable[[World, str], Manifest], name: str) -> None:
    world = World()
    good = world.scored("good.csv", rows(0.5))
    world.record(bad(world, "bad.csv"))
    world.record(good)
    assert list(world.causes().open()) == [name]
    world.record(world.scored("next.csv", rows(0.5)))
    assert world.causes().open() == {}


def test_a_bad_file_that_is_scored_again_and_is_well_closes_its_alert() -> None:
    world = World()
    before = suspect(world, "a.csv")
    world.record(before)
    world.record(world.scored("a.csv", rows(0.5), source=before.source, batch_id="f" * 32, supersedes=before.batch_id))
    assert world.causes().open() == {}
