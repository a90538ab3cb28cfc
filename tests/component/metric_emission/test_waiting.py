"""Labels that overtake their rows wait for them."""

from datetime import timedelta

import pytest

from functions.metric_emission.ports import Delivery
from functions.metric_emission.service import measure_batch
from functions.shared.domain import layout
from functions.shared.domain.drift.profile import Profile
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.metrics import LABELS_UNMATCHED
from functions.shared.domain.release import Role
from tests.component.metric_emission.test_batches import like_training
from tests.component.metric_emission.test_decay import decaying, week
from tests.component.metric_emission.test_labels import SCORES, champion, csv, without_time
from tests.component.metric_emission.test_totals import totals_of, value
from tests.component.metric_emission.test_upkeep import run_sweep
from tests.component.metric_emission.world import DAY, World, rows
from tests.fakes.versions import MODEL


def profile(world: World) -> dict[Role, Profile]:
    return {Role.CHAMPION: like_training(world.baseline)}


def arrive(world: World, name: str, *scores: float, prefix: str = "r") -> Manifest:
    return world.scored(name, rows(*scores, prefix=prefix), profiles=profile(world))


def waiting(world: World) -> list[str]:
    return [found.key for found in world.store.list(layout.waiting_prefix(MODEL))]


def test_labels_before_their_rows_are_matched_when_the_rows_come() -> None:
    world = World()
    world.label(csv())
    assert len(waiting(world)) == 1
    world.record(arrive(world, "a.csv", *SCORES))
    assert (world.performance().rows_labelled, champion(world.performance()).metrics["accuracy"]) == (4, 0.75)
    assert not waiting(world)


def test_what_no_batch_has_goes_on_waiting() -> None:
    world = World()
    world.label(csv())
    world.record(arrive(world, "a.csv", *SCORES[:2]))
    assert (world.performance().rows_labelled, len(waiting(world))) == (2, 1)
    other = arrive(world, "b.csv", 0.9, 0.1, prefix="other")
    world.record(other)
    assert (world.performance().rows_labelled, len(waiting(world))) == (2, 1)


def test_labels_whose_rows_are_there_do_not_wait() -> None:
    world = World()
    arrive(world, "a.csv", *SCORES)
    world.label(csv())
    assert waiting(world) == []


@pytest.mark.parametrize("is_named", [True, False])
def test_labels_that_come_while_a_delivery_is_at_work_meet_its_next_batch(is_named: bool) -> None:  # noqa: FBT001
    """A crash may have come between a batch's commit and its names in the index; then only the batch can find the labels."""
    world = World()
    world.record(arrive(world, "before.csv", 0.5, prefix="before"))
    first, second = arrive(world, "a.csv", 0.5, prefix="other"), arrive(world, "b.csv", *SCORES)
    if not is_named:
        world.store.delete([found.key for found in world.store.list("index/") if second.batch_id in found.key])
    at_work = Delivery(world.ports())
    measure_batch(committed(first), at_work)
    world.label(csv())
    assert len(waiting(world)) == (not is_named)
    measure_batch(committed(second), at_work)
    assert (world.performance().rows_labelled, waiting(world)) == (4, [])


def committed(manifest: Manifest) -> StoredObject:
    key = layout.manifest_key(MODEL, manifest.source.last_modified.date(), manifest.batch_id)
    return StoredObject(bucket="store", key=key, version_id="v", etag="e", size_bytes=1)


def test_after_two_days_labels_are_given_up_and_those_left_are_counted() -> None:
    world = World()
    world.label(csv())
    world.record(arrive(world, "a.csv", SCORES[0]))
    run_sweep(world)
    assert (len(waiting(world)), world.values(LABELS_UNMATCHED)) == (1, [])
    world.moment += timedelta(days=3650)
    world.record(arrive(world, "b.csv", *SCORES))
    assert len(list(world.store.list(f"labelled/{MODEL}/"))) == 1
    run_sweep(world)
    assert (waiting(world), world.values(LABELS_UNMATCHED)) == ([], [3])
    assert value(totals_of(world), LABELS_UNMATCHED, model=MODEL) == 3


def test_labels_that_come_before_their_rows_show_decay_when_the_rows_come() -> None:
    world = decaying()
    days = [DAY + timedelta(days=number) for number in range(7)]
    lines = [f"{day}-{number},{day}T10:00:00Z,yes\n" for day in days for number in range(100)]
    world.label("id,at,bought\n" + "".join(lines))
    scored = [row for day in days for row in rows(*[0.01] * 100, day=day, prefix=f"{day}-")]
    world.record(world.scored("a.csv", scored, profiles=profile(world)))
    assert [alert.window for alert in world.alerts()] == ["2013-04-07-v1"]


def test_days_are_judged_with_the_batch_that_makes_them_mature() -> None:
    world = decaying()
    world.set_policy(labels={"delay_days": 7})
    week(world, DAY, "yes")
    assert not world.alerts()
    later = DAY + timedelta(days=13)
    world.record(world.scored("later.csv", rows(0.5, day=later), profiles=profile(world), day=later))
    assert [alert.window for alert in world.alerts()] == ["2013-04-07-v1"]


def test_without_times_a_label_goes_to_the_first_batch_that_has_its_id() -> None:
    world = World()
    world.label(without_time())
    world.record(arrive(world, "a.csv", *SCORES))
    world.record(arrive(world, "b.csv", *(1 - score for score in SCORES)))
    assert (world.performance().rows_labelled, champion(world.performance()).metrics["accuracy"]) == (4, 0.75)


def test_without_times_a_label_does_not_wait_for_a_batch_that_was_uploaded_after_it() -> None:
    world = World()
    world.label(without_time())
    tomorrow = DAY + timedelta(days=1)
    world.record(world.scored("later.csv", rows(*SCORES), day=tomorrow, profiles=profile(world)))
    assert not list(world.store.list(layout.labelled_prefix(MODEL)))
    assert len(waiting(world)) == 1
