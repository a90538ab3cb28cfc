"""One open alert for each cause: brought up to date, closed by itself, and opened again without a second message about the same."""

from contextlib import suppress
from datetime import timedelta
from typing import Literal

import pytest

from functions.metric_emission.upkeep import sweep, tick
from functions.shared.domain import layout
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.cause import Silence
from functions.shared.domain.manifest import BatchError, Manifest, Status
from functions.shared.domain.rejections import FileCode
from functions.shared.domain.release import Approval
from functions.shared.ports import ObjectStore
from functions.shared.repositories.alerts import raise_once
from functions.shared.repositories.causes import Sight, change_causes, follow
from functions.shared.repositories.decisions import Decisions
from tests.component.metric_emission.test_batches import like_training
from tests.component.metric_emission.test_decay import DAY, decaying, week
from tests.component.metric_emission.test_why import ExplainedBundles
from tests.component.metric_emission.world import World, rows
from tests.fakes.documents import NOW, make_decision
from tests.fakes.versions import MODEL, make_version
from tests.fakes.watched_store import Crash, CrashAt, Moment, WatchedStore

HOUR = timedelta(hours=1)
SILENT = "no batch for 30 hours, one is due every 24"
JUDGED = {"pooled_batches": 1, "min_rows": 100}


def failed(world: World, name: str, code: FileCode = FileCode.MISSING_COLUMN) -> Manifest:
    error = BatchError(code=code, message="no column 'price'", remedy="add it")
    return world.commit(name, status=Status.FAILED, error=error)


def drifting(world: World, *columns: tuple[str, ...]) -> None:
    """A batch for each, in which these columns drift."""
    world.set_policy(drift=JUDGED)
    for number, moved in enumerate(columns):
        world.record(world.profiled(f"{number}.csv", like_training(world.baseline, *moved)))


def test_ten_broken_files_in_a_row_are_one_alert() -> None:
    world = World()
    world.record(*(failed(world, f"{number}.csv") for number in range(10)))
    assert len(world.alerts()) == 1
    [(name, cause)] = world.causes().causes.items()
    assert (name, cause.seen, cause.is_open) == ("failed-missing_column", 10, True)
    assert cause.message == "", "it may quote the file, and stands where erasure looks"


def test_another_error_is_another_alert() -> None:
    world = World()
    world.record(failed(world, "a.csv"), failed(world, "b.csv", FileCode.EMPTY_FILE))
    assert sorted(world.causes().open()) == ["failed-empty_file", "failed-missing_column"]


def test_an_alert_closes_by_itself_and_says_what_it_was() -> None:
    world = World()
    world.record(failed(world, "a.csv"), failed(world, "b.csv"))
    world.record(world.scored("c.csv", rows(0.5)))
    [closing] = world.closings()
    said = "since 2013-04-01 12:00 UTC 2 alerts said"
    assert closing == f"closed, c.csv was scored; {said}: batches/sales/a.csv failed: no column 'price'"
    assert world.causes().open() == {}


def test_what_breaks_again_after_it_was_well_is_a_new_alert() -> None:
    world = World()
    for name in ("a.csv", "b.csv"):
        world.record(failed(world, name))
        world.record(world.scored(f"good-{name}", rows(0.5)))
    assert (len(world.alerts()), len(world.closings())) == (2, 2)


def test_a_batch_that_is_delivered_again_after_its_alert_was_closed_opens_nothing() -> None:
    world = World()
    broken = failed(world, "a.csv")
    world.record(broken)
    world.record(world.scored("b.csv", rows(0.5)))
    world.store.delete([found.key for found in world.store.list("emitted/")])
    world.record(broken)
    assert world.causes().open() == {}
    assert len(world.alerts()) == 1


def test_drift_that_comes_and_goes_is_reported_once_and_closed_once() -> None:
    world = World()
    drifting(world, ("price",), (), ("price",), ())
    assert (len(world.alerts()), len(world.closings())) == (1, 1)
    assert world.causes().open() == {}


def test_drift_that_joins_belongs_to_the_open_alert_and_is_news_all_the_same() -> None:
    world = World()
    drifting(world, ("price",), ("price", "shop"), ("price", "shop"))
    [cause] = world.causes().open().values()
    assert (cause.seen, len(world.alerts()), world.closings()) == (3, 2, [])
    assert "shop" in cause.message


def test_another_champion_closes_what_was_about_the_last_one() -> None:
    world = World()
    Decisions(world.store).write(make_decision("1", champion_version=None))
    Decisions(world.store).write(make_decision("2"))
    drifting(world, ("price",))
    world.serve(make_version("2", seed=2))
    tick(world.ports())
    [closing] = world.closings()
    assert closing.startswith("closed, version 2 serves instead; since 2013-04-01 12:00 UTC 1 alert said: drift in price")


def test_a_silence_of_a_week_is_one_alert_and_a_batch_ends_it() -> None:
    world = World()
    Decisions(world.store).write(make_decision("1", champion_version=None))
    world.set_policy(watch={"max_hours_between_batches": 24})
    for hours in range(30, 200, 10):
        world.moment = NOW + hours * HOUR
        tick(world.ports())
    assert world.kinds() == ["silent"]
    assert world.causes().causes["silent"].message == "no batch for 190 hours, one is due every 24"
    world.scored("a.csv", rows(0.5), created_at=world.moment)
    tick(world.ports())
    assert world.causes().open() == {}
    assert "no batch is overdue any more" in world.closings()[0]


def test_decay_closes_when_the_loss_itself_is_back_and_not_when_it_is_only_less_sure() -> None:
    world = decaying()
    world.set_policy(labels={"delay_days": 0}, performance={"look_back_days": 7})
    week(world, DAY, "yes")
    assert list(world.causes().open()) == ["performance-v1"]
    week(world, DAY + timedelta(days=7), "no")
    assert world.causes().open() == {}
    assert world.closings()[0].startswith("closed, its loss is 0.010 a row, 0.500 at training; since ")


def test_labels_that_can_be_read_close_the_alert_about_those_that_could_not() -> None:
    world = World()
    world.label(b"\x00\x01\x02", "broken.csv")
    assert [name.startswith("failed-labels-") for name in world.causes().open()] == [True]
    world.scored("a.csv", rows(0.5))
    world.record(world.scored("b.csv", rows(0.5, prefix="b")))
    assert len(world.causes().open()) == 1, "a batch says nothing of labels"
    world.label("id,at,bought\nr0,2013-04-01T10:00:00Z,yes\n")
    assert world.causes().open() == {}


def test_what_no_file_caused_for_a_week_is_closed_by_the_daily_sweep() -> None:
    world = World()
    world.record(failed(world, "a.csv"))
    for days, is_open in ((6, True), (7, False)):
        world.moment = NOW + timedelta(days=days)
        sweep(world.ports())
        assert bool(world.causes().open()) == is_open


def test_an_approval_is_open_until_nothing_waits_for_it() -> None:
    world = World()
    Decisions(world.store).write(make_decision("1", champion_version=None))
    asked = Approval(version="2", share=1, since=NOW)
    release, window = world.release, "2013-04-01T120000Z-v2"
    world.store.write(layout.release_key(MODEL), release.model_copy(update={"approval": asked}).to_json())
    reported = Alert(
        model=MODEL, kind=AlertKind.APPROVAL, window=window, message="version 2 waits", evidence={}, version="2", runbook="", raised_at=NOW
    )
    raise_once(reported, world.store)
    tick(world.ports())
    assert [cause.kind for cause in world.causes().open().values()] == [AlertKind.APPROVAL]
    world.store.write(layout.release_key(MODEL), release.to_json())
    tick(world.ports())
    assert world.causes().open() == {}


@pytest.mark.parametrize("number", range(1, 20))
def test_a_crash_loses_no_alert_and_no_closing(number: int) -> None:
    world = World()
    batches = [failed(world, "a.csv"), failed(world, "b.csv"), world.scored("c.csv", rows(0.5))]
    for batch in batches:
        crashing = WatchedStore(world.store, CrashAt(Moment("store", number, "after", "")))
        with suppress(Crash):
            world.record(batch, store=crashing)
        world.record(batch)
    assert (len(world.alerts()), len(world.closings())) == (1, 1)
    assert world.causes().open() == {}


def test_drift_that_moves_the_scores_too_little_is_listed_and_calls_nobody_until_other_drift_moves_them() -> None:
    world = World(bundles=ExplainedBundles(0.5))  # price moves no score there, and shop moves them
    drifting(world, ("price",))
    assert [name for name, cause in world.causes().open().items() if cause.seen == 1] == ["drift-v1"]
    assert world.alerts() == []
    world.record(world.profiled("b.csv", like_training(world.baseline, "price", "shop")))
    assert len(world.alerts()) == 1
    world.record(world.profiled("c.csv", like_training(world.baseline)))
    assert len(world.closings()) == 1


def test_what_called_nobody_closes_without_a_message() -> None:
    world = World(bundles=ExplainedBundles(0.5))
    drifting(world, ("price",), ())
    assert (world.causes().open(), world.alerts(), world.closings()) == ({}, [], [])


def test_any_drift_calls_people_where_the_least_effect_is_none() -> None:
    world = World(bundles=ExplainedBundles(0.5))
    world.set_policy(drift=JUDGED | {"least_effect": 0})
    world.record(world.profiled("a.csv", like_training(world.baseline, "price")))
    assert world.kinds() == ["drift"]


def silenced(world: World, name: str, days: float) -> None:
    """A person silences a cause or kind from now on."""
    silence = Silence(who="ann", reason="known season", at=world.moment, until=world.moment + timedelta(days=days))
    change_causes(MODEL, world.store, lambda causes: causes.silenced(name, silence))


def about(world: World, kind: AlertKind, window: str) -> Alert:
    """An alert, seen now."""
    return Alert(model=MODEL, kind=kind, window=window, message=SILENT, evidence={}, version="1", runbook="", raised_at=world.moment)


def see(world: World, alert: Alert, *, news: bool | None = None, store: ObjectStore | None = None) -> None:
    """It is seen now."""
    follow(MODEL, store or world.store, world.moment, seen=[Sight(alert, news)])


def close(world: World, *, store: ObjectStore | None = None) -> None:
    """All is seen to be over now."""
    follow(MODEL, store or world.store, world.moment, over=lambda *_: "no batch is overdue any more")


def test_drift_that_began_in_a_silence_calls_once_when_it_lasts_beyond() -> None:
    world = World()
    silenced(world, "drift", days=7)
    drifting(world, ("price",), ("price",))
    assert len(world.alerts()) == 1, "of which nobody is sent a message"
    world.moment += timedelta(days=8)
    for name in ("late.csv", "later.csv"):
        world.record(world.profiled(name, like_training(world.baseline, "price")))
    assert [alert.raised_at for alert in world.alerts() if alert.raised_at > NOW] == [world.moment]


def test_drift_that_was_over_within_a_silence_calls_when_it_comes_back_after_it() -> None:
    world = World()
    silenced(world, "drift", days=7)
    drifting(world, ("price",), ())
    world.moment += timedelta(days=8)
    world.record(world.profiled("late.csv", like_training(world.baseline, "price")))
    assert sorted(alert.raised_at for alert in world.alerts()) == [NOW, world.moment]


def test_drift_that_is_to_call_nobody_calls_nobody_after_a_silence_either() -> None:
    world = World(bundles=ExplainedBundles(0.5))
    silenced(world, "drift", days=7)
    drifting(world, ("price",))
    world.moment += timedelta(days=8)
    world.record(world.profiled("late.csv", like_training(world.baseline, "price")))
    assert (len(world.causes().open()), world.alerts()) == (1, [])


def test_a_wait_for_approval_and_decay_call_again_after_a_silence_in_an_alert_of_their_own() -> None:
    for kind, window in ((AlertKind.APPROVAL, "2013-04-01T120000Z-v1"), (AlertKind.PERFORMANCE, "2013-04-01-v1")):
        world = World()
        waiting = about(world, kind, window)
        raise_once(waiting, world.store)
        silenced(world, kind.value, days=7)
        for _ in range(2):
            see(world, waiting, news=False)
        assert len(world.alerts()) == 1
        world.moment += timedelta(days=8)
        for _ in range(2):
            see(world, waiting, news=False)
        assert len(world.alerts()) == 2
        [cause] = world.causes().open().values()
        assert cause.window != window
        close(world)
        assert len(world.closings()) == 1


def test_a_wait_that_began_after_a_silence_calls_no_second_time() -> None:
    world = World()
    silenced(world, "approval", days=7)
    world.moment += timedelta(days=8)
    waiting = about(world, AlertKind.APPROVAL, "2013-04-09T120000Z-v1")
    raise_once(waiting, world.store)
    world.moment += HOUR
    see(world, waiting, news=False)
    assert len(world.alerts()) == 1


@pytest.mark.parametrize("kind", [AlertKind.SILENT, AlertKind.STALE, AlertKind.POLICY, AlertKind.UNSCORED])
def test_what_comes_back_on_the_day_on_which_it_was_over_calls_again_and_closes_again(kind: AlertKind) -> None:
    world = World()
    for hour in (8, 13, 18):
        world.moment = NOW.replace(hour=hour)
        for minutes in (0, 10):
            world.moment = NOW.replace(hour=hour, minute=minutes)
            see(world, about(world, kind, "2013-04-01"))
        world.moment = NOW.replace(hour=hour + 1)
        close(world)
    assert (len(world.alerts()), len(world.closings())) == (3, 3)
    assert world.causes().open() == {}


def test_a_silence_that_ends_on_the_day_of_its_alert_is_followed_by_a_call() -> None:
    world = World()
    silenced(world, "silent", days=0.25)
    for hours in (0, 1, 7, 8):
        world.moment = NOW + hours * HOUR
        see(world, about(world, AlertKind.SILENT, "2013-04-01"))
    assert len(world.alerts()) == 2, "the first of which is sent to nobody"


@pytest.mark.parametrize("number", range(1, 12))
@pytest.mark.parametrize("kind", [AlertKind.QUARANTINE, AlertKind.DRIFT, AlertKind.SILENT])
def test_a_crash_on_the_way_to_open_what_was_closed_earlier_leaves_it_open_and_called_once(kind: AlertKind, number: int) -> None:
    world = World()
    see(world, about(world, kind, "2013-04-01-0a1b2c3d"))
    world.moment += HOUR
    close(world)
    world.moment += HOUR
    crashing = WatchedStore(world.store, CrashAt(Moment("store", number, "after", "")))
    with suppress(Crash):
        see(world, about(world, kind, "2013-04-01-11111111"), store=crashing)
    world.moment += HOUR
    see(world, about(world, kind, "2013-04-01-11111111"), news=False if kind is AlertKind.DRIFT and len(world.alerts()) == 2 else None)
    [cause] = world.causes().open().values()
    assert (len(world.alerts()), cause.window) == (2, "2013-04-01-11111111")
    close(world)
    assert len(world.closings()) == 2


@pytest.mark.parametrize("number", range(1, 12))
def test_what_is_seen_after_a_closing_whose_writer_crashed_calls_again(number: int) -> None:
    world = World()
    see(world, about(world, AlertKind.QUARANTINE, "2013-04-01-0a1b2c3d"))
    world.moment += HOUR
    with suppress(Crash):
        close(world, store=WatchedStore(world.store, CrashAt(Moment("store", number, "after", ""))))
    closings = len(world.closings())
    world.moment += HOUR
    see(world, about(world, AlertKind.QUARANTINE, "2013-04-01-11111111"))
    assert len(world.alerts()) == 1 + closings


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 12))
def test_a_batch_that_is_bad_while_a_good_one_closes_the_alert_is_counted_or_calls(number: int, side: Literal["before", "after"]) -> None:
    world = World()
    see(world, about(world, AlertKind.QUARANTINE, "2013-04-01-0a1b2c3d"))
    world.moment += HOUR

    def good_meanwhile(moment: Moment) -> None:
        if (moment.number, moment.side) == (number, side):
            close(world)

    see(world, about(world, AlertKind.QUARANTINE, "2013-04-01-11111111"), store=WatchedStore(world.store, good_meanwhile))
    if world.closings():
        [closing] = world.closings()
        was_counted = "2 alerts said" in closing
        assert len(world.alerts()) == (1 if was_counted else 2)
        assert bool(world.causes().open()) != was_counted


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 12))
def test_an_alert_that_is_raised_while_another_is_closed_is_open_or_has_a_closing(number: int, side: Literal["before", "after"]) -> None:
    world = World()
    see(world, about(world, AlertKind.QUARANTINE, "2013-04-01-0a1b2c3d"))
    world.moment += HOUR

    def back_meanwhile(moment: Moment) -> None:
        if (moment.number, moment.side) == (number, side):
            close(world)
            see(world, about(world, AlertKind.QUARANTINE, "2013-04-01-11111111"))

    close(world, store=WatchedStore(world.store, back_meanwhile))
    called = {alert.window for alert in world.alerts()}
    assert len(called) == len(world.closings()) + len(world.causes().open())
