"""Release may crash, or meet itself, at any call: one decision a number, nothing half served, aliases that agree in the end."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.shared.domain import layout
from functions.shared.domain.decision import Verdict
from functions.shared.domain.errors import ConflictError, RegistryUnavailableError, ReleaseRefusedError
from functions.shared.domain.release import Release
from tests.component.release.world import World, check, in_canary, quiet, serving, waiting, waiting_for_a_step
from tests.fakes.turns import Turns
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Crash, CrashAt, Moment, Watcher

type Act = Callable[[World, Watcher], Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """Something that release is about to do."""

    make: Callable[[], World]
    act: Act = World.tick

    def moments(self) -> list[Moment]:
        """Every moment of doing it undisturbed."""
        seen: list[Moment] = []
        self.act(self.make(), seen.append)
        return seen


def first_version() -> World:
    world = World()
    world.train(beats=None)
    return world


def winner_waits() -> World:
    world = serving()
    world.train()
    return world


def labels_speak(harm: float, *, steps: tuple[float, ...] = (0.05, 0.25, 1.0)) -> World:
    world = serving()
    world.set_policy(canary={"steps": steps})
    world.tick()
    world.train()
    world.tick()
    world.labels(harm=harm)
    return world


def policy_changed() -> World:
    world = in_canary()
    world.set_policy(row_contract={"error_budget": 0.5})
    return world


def champion_wished(verdict: Verdict) -> World:
    world = in_canary()
    world.move("champion", world.train(verdict=verdict))
    return world


def end_wished() -> World:
    world = in_canary()
    world.move("challenger", None)
    return world


def aliases_behind() -> World:
    world = winner_waits()

    def away(moment: Moment) -> None:
        if moment.call.startswith("set "):
            raise RegistryUnavailableError("away")

    world.tick(away)
    return world


def promote_2(world: World, watcher: Watcher) -> Release:
    return world.promote("2", watcher)


def try_out_3(world: World, watcher: Watcher) -> Release:
    return world.try_out("3", watcher, force=True)


def loser_waits() -> World:
    world = in_canary()
    world.train(verdict=Verdict.KEEP)
    return world


def winner_needs_a_person() -> World:
    world = serving()
    world.set_policy(release={"approval": "required"})
    world.tick()
    world.train()
    return world


def step_needs_a_person() -> World:
    world = in_canary()
    world.set_policy(release={"approval": "every_step"})
    world.tick()
    world.labels(harm=-0.1)
    return world


def nobody_came() -> World:
    world = waiting(approval_days=7)
    world.wait(timedelta(days=8))
    return world


def approve_2(world: World, watcher: Watcher) -> Release:
    return world.approve("2", watcher)


def reject_2(world: World, watcher: Watcher) -> Release:
    return world.reject("2", watcher)


def after_a_promotion() -> World:
    world = in_canary()
    world.promote("2")
    return world


SCENES = {
    "first": Scene(first_version),
    "canary": Scene(winner_waits),
    "expand": Scene(lambda: labels_speak(-0.1)),
    "end well": Scene(lambda: labels_speak(-0.1, steps=(0.05, 1.0))),
    "end badly": Scene(lambda: labels_speak(0.1)),
    "policy": Scene(policy_changed),
    "wish": Scene(lambda: champion_wished(Verdict.PROMOTE)),
    "refused wish": Scene(lambda: champion_wished(Verdict.KEEP)),
    "end by wish": Scene(end_wished),
    "aliases behind": Scene(aliases_behind),
    "promote": Scene(in_canary, promote_2),
    "try out": Scene(loser_waits, try_out_3),
    "end by hand": Scene(in_canary, World.rollback),
    "retire": Scene(in_canary, World.retire),
    "roll back": Scene(after_a_promotion, World.rollback),
    "ask": Scene(winner_needs_a_person),
    "ask for a step": Scene(step_needs_a_person),
    "lapse": Scene(nobody_came),
    "approve": Scene(waiting, approve_2),
    "approve a step": Scene(waiting_for_a_step, approve_2),
    "reject": Scene(waiting, reject_2),
    "reject a step": Scene(waiting_for_a_step, reject_2),
}
BY_HAND = {"promote", "try out", "end by hand", "roll back", "retire", "approve", "approve a step", "reject", "reject a step"}


def reported(release: Release) -> dict[str, Any]:
    """A release without what differs from one try to the next."""
    plain = release.model_dump(exclude={"decided_at": True, "approval": {"since"}})
    if plain["challenger"]:
        del plain["challenger"]["salt"]
    return plain


def outcome(world: World) -> list[dict[str, Any]]:
    """What was decided once everybody had their turn: a tick that changes nothing more is due."""
    world.wait()
    world.tick()
    check(world)
    for release in world.history:
        assert world.store.writes(layout.release_history_key(MODEL, release.seq)) == 1
    if world.release.approval:
        assert [call.raised_at for call in world.calls()].count(world.release.approval.since) == 1, "a person is called, and once"
    return [reported(release) for release in world.history]


def expected(name: str) -> list[list[dict[str, Any]]]:
    """The undisturbed outcome, and for what a person asked also that it was not done: they are there to ask again."""
    done, undone = SCENES[name].make(), SCENES[name].make()
    SCENES[name].act(done, quiet)
    return [outcome(done), *([outcome(undone)] if name in BY_HAND else [])]


def is_whole(world: World) -> None:
    """What is served can be read and stands in the history."""
    if layout.release_key(MODEL) in world.store.keys():  # noqa: SIM118 - a method of the store
        assert world.release in world.history


@pytest.mark.parametrize("name", SCENES)
def test_a_crash_at_any_call_is_made_good_by_the_next_tick(name: str) -> None:
    scene, allowed = SCENES[name], expected(name)
    for moment in scene.moments():
        world = scene.make()
        with pytest.raises(Crash):
            scene.act(world, CrashAt(moment))
        is_whole(world)
        assert outcome(world) in allowed, moment


@pytest.mark.parametrize("name", ["canary", "wish", "aliases behind", "promote"])
def test_a_second_crash_does_no_more_harm_than_the_first(name: str) -> None:
    scene, allowed = SCENES[name], expected(name)
    for moment in scene.moments()[::3]:
        for again in (1, 4, 7):
            world = scene.make()
            with pytest.raises(Crash):
                scene.act(world, CrashAt(moment))
            with suppress(Crash):
                world.tick(CrashAt(Moment("store", again, "after", "")))
            is_whole(world)
            assert outcome(world) in allowed, (moment, again)


@pytest.mark.parametrize("name", SCENES)
def test_a_registry_that_leaves_at_any_call_changes_nothing_but_the_time(name: str) -> None:
    scene, allowed = SCENES[name], expected(name)
    for moment in scene.moments():
        if moment.bucket != "registry":
            continue
        world = scene.make()

        def leave(now: Moment, at: Moment = moment) -> None:
            if now.bucket == "registry" and now >= at:
                raise RegistryUnavailableError("away")

        scene.act(world, leave)
        is_whole(world)
        assert outcome(world) in allowed, moment


@pytest.mark.parametrize("name", SCENES)
def test_a_second_tick_that_runs_wholly_within_any_call_of_the_first_takes_no_second_step(name: str) -> None:
    scene, allowed = SCENES[name], expected(name)
    for moment in scene.moments():
        world = scene.make()

        def tick_along(now: Moment, world: World = world, at: Moment = moment) -> None:
            if now == at:
                with suppress(ConflictError):
                    world.tick()

        with suppress(ConflictError, ReleaseRefusedError):
            scene.act(world, tick_along)
        assert outcome(world) in allowed, moment


def mingle(world: World, acts: Mapping[str, Act], order: Sequence[str]) -> None:
    """Let callers act at the same time, one call after the other as the order says."""
    turns = Turns(order)

    def work(caller: str) -> None:
        try:
            with suppress(ConflictError, ReleaseRefusedError):
                acts[caller](world, turns.watcher(caller))
        finally:
            turns.end(caller)

    with ThreadPoolExecutor(len(acts)) as threads:
        list(threads.map(work, acts))


@settings(max_examples=10)
@given(name=st.sampled_from(sorted(SCENES)), order=st.lists(st.sampled_from(["first", "second", "third"]), max_size=80))
def test_ticks_whose_calls_mingle_in_any_order_take_one_step(name: str, order: list[str]) -> None:
    world = SCENES[name].make()
    mingle(world, {"first": SCENES[name].act, "second": World.tick, "third": World.tick}, order)
    assert outcome(world) in expected(name)


@pytest.mark.parametrize("act", [promote_2, World.rollback], ids=["promote", "end"])
def test_aliases_that_are_set_late_by_one_who_dies_over_it_are_not_taken_for_a_wish(act: Act) -> None:
    moments = [moment for moment in Scene(aliases_behind).moments() if moment.bucket == "registry"]
    for began, died in combinations(moments, 2):
        world = aliases_behind()
        crash = CrashAt(died)

        def watch(now: Moment, world: World = world, began: Moment = began, crash: CrashAt = crash) -> None:
            if now == began and not crash.crashed:
                act(world, quiet)
            crash(now)

        with pytest.raises((Crash, ConflictError)):
            world.tick(watch)
        decided = world.release
        world.wait()
        world.tick()
        assert world.release == decided, (began, died)
        check(world)
