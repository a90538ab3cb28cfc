"""Labels and batches that are recorded at the same time, or broken off at any call: nothing is lost or counted twice."""

import io

import pyarrow.parquet as pq
import pytest

from functions.shared.domain import layout
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.errors import ConflictError
from functions.shared.domain.labelled_columns import BATCH
from functions.shared.domain.manifest import Manifest
from tests.component.metric_emission.test_labels import SCORES, TRUTH, champion, csv
from tests.component.metric_emission.test_waiting import arrive, profile, waiting
from tests.component.metric_emission.world import DAY, World, rows
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Crash, CrashAt, Moment, WatchedStore, Watcher


def two_files() -> World:
    world = World()
    world.scored("a.csv", rows(*SCORES))
    return world


def other_half() -> str:
    return "id,at,bought\n" + "".join(line + "\n" for line in csv().splitlines()[3:])


def moments(*, standing: bool = False) -> list[Moment]:
    """Before each call on the store from the first that writes on, where other labels stand already or do not."""
    seen: list[Moment] = []
    world = two_files()
    if standing:
        world.label(csv(TRUTH[:1]), "first.csv")
    world.label(csv(TRUTH[:2]), store=WatchedStore(world.store, seen.append))
    first = next(number for number, moment in enumerate(seen) if moment.call.startswith("write "))
    return [moment for moment in seen[first:] if moment.side == "before"]


def test_a_crash_while_labels_are_recorded_is_made_good_by_the_next_delivery() -> None:
    expected = two_files()
    expected.label(csv(TRUTH[:2]))
    for moment in moments():
        world = two_files()
        created = world.upload_labels(csv(TRUTH[:2]))
        with pytest.raises(Crash):
            world.deliver(created, store=WatchedStore(world.store, CrashAt(moment)))
        world.deliver(created)
        assert world.performance() == expected.performance(), moment
        assert world.store.keys() == expected.store.keys(), moment


@pytest.mark.parametrize("standing", [False, True])
def test_two_files_that_are_worked_off_at_the_same_time_both_count(standing: bool) -> None:  # noqa: FBT001
    for moment in moments(standing=standing):
        world = two_files()
        if standing:
            world.label(csv(TRUTH[:1]), "first.csv")

        def deliver(now: Moment, world: World = world, at: Moment = moment) -> None:
            if now == at:
                world.label(other_half(), "other.csv")

        world.label(csv(TRUTH[:2]), store=WatchedStore(world.store, deliver))
        assert (world.performance().rows_labelled, champion(world.performance()).metrics["accuracy"]) == (4, 0.75), moment


def test_a_day_that_others_restate_again_and_again_is_left_to_the_next_delivery() -> None:
    world = two_files()
    key = layout.performance_key(MODEL, DAY)
    world.label(csv(TRUTH[:1]))

    def meddle(now: Moment) -> None:
        if now.side == "before" and now.call == f"replace {key}":
            world.store.write(key, world.performance().model_copy(update={"rows_predicted": now.number + 100}).to_json())

    with pytest.raises(ConflictError, match="20 times in a row"):
        world.label(csv(), "b.csv", store=WatchedStore(world.store, meddle))


def overtaken() -> tuple[World, Manifest]:
    world = World()
    world.label(csv(TRUTH))
    return world, arrive(world, "a.csv", *SCORES[:3])


def moments_of_a_batch() -> list[Moment]:
    seen: list[Moment] = []
    world, manifest = overtaken()
    world.record(manifest, store=WatchedStore(world.store, seen.append))
    return seen


def test_a_crash_while_a_batch_is_recorded_loses_no_label() -> None:
    expected, manifest = overtaken()
    expected.record(manifest)
    for moment in moments_of_a_batch():
        world, manifest = overtaken()
        with pytest.raises(Crash):
            world.record(manifest, store=WatchedStore(world.store, CrashAt(moment)))
        world.record(manifest)
        assert world.performance() == expected.performance(), moment
        assert world.store.keys() == expected.store.keys(), moment


def test_labels_and_rows_that_come_at_the_same_time_always_meet() -> None:
    """The batch is committed and measured wholly within each call that the labels' delivery makes."""
    seen: list[Moment] = []
    plain = World()
    plain.label(csv(), store=WatchedStore(plain.store, seen.append))
    for moment in seen:
        world = World()

        def deliver(now: Moment, world: World = world, at: Moment = moment) -> None:
            if now == at:
                world.record(arrive(world, "a.csv", *SCORES))

        created = world.upload_labels(csv())
        finish(world, created, WatchedStore(world.store, deliver))
        assert (world.performance(DAY).rows_labelled, waiting(world)) == (4, []), moment


def act(world: World, first: Manifest, *, labels_wait: bool, watcher: Watcher) -> None:
    """Labels meet the batch: they come after it, or it is measured after them."""
    store = WatchedStore(world.store, watcher)
    if labels_wait:
        world.record(first, store=store)
    else:
        finish(world, world.upload_labels(csv()), store)


@pytest.mark.parametrize("labels_wait", [False, True])
def test_labels_that_meet_a_batch_while_it_is_scored_again_count_for_its_last_scoring(labels_wait: bool) -> None:  # noqa: FBT001
    """The batch is scored again, and that is measured, wholly within each call that the delivery makes."""

    def before() -> tuple[World, Manifest]:
        world = World()
        if labels_wait:
            world.label(csv())
        return world, arrive(world, "a.csv", *SCORES)

    seen: list[Moment] = []
    act(*before(), labels_wait=labels_wait, watcher=seen.append)
    assert {moment.call.split(" ")[0] for moment in seen} >= {"write", "list"}
    for moment in seen:
        world, first = before()

        def rescore(now: Moment, world: World = world, first: Manifest = first, at: Moment = moment) -> None:
            if now == at:
                again = rows(*(1 - score for score in SCORES))
                named = {"source": first.source, "batch_id": "f" * 32, "supersedes": first.batch_id, "profiles": profile(world)}
                world.record(world.scored("again.csv", again, **named))

        act(world, first, labels_wait=labels_wait, watcher=rescore)
        assert champion(world.performance()).metrics["accuracy"] == 0.25, moment
        bodies = [world.store.read(found.key) for found in world.store.list(layout.labelled_prefix(MODEL))]
        batches = {batch for body in bodies for batch in pq.read_table(io.BytesIO(body))[BATCH].to_pylist()}
        assert batches == {"f" * 32}, moment


def finish(world: World, created: StoredObject, store: WatchedStore) -> None:
    """Deliver labels, and once more if another writer was in the way, as the queue would."""
    try:
        world.deliver(created, store=store)
    except ConflictError:
        world.deliver(created)
