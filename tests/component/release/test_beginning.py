"""What begins by itself: a first version, and the rollout of a winner."""

from collections.abc import Callable

import pytest

from functions.shared.domain.decision import Origin, Verdict
from functions.shared.domain.errors import ReleaseRefusedError
from functions.shared.domain.rollout.canary import Action
from tests.component.release.world import (
    BAD,
    World,
    check,
    codes,
    in_canary,
    read,
    serving,
)
from tests.fakes.documents import NOW
from tests.fakes.versions import MODEL


def test_the_first_version_that_was_decided_on_serves_at_once() -> None:
    world = World()
    assert world.tick().action is Action.NONE
    world.train(beats=None)
    step = world.tick()
    assert (step.action, step.share) == (Action.PROMOTE, 1.0)
    assert world.served() == ("1", None, None)
    assert (world.release.seq, world.release.newest, world.release.decided_by) == (1, "1", "release")
    check(world)


def test_nothing_happens_to_a_model_that_serves_and_has_no_challenger() -> None:
    world = serving()
    before = world.release
    assert codes(world.tick()) == ["nothing"]
    assert world.release == before
    check(world)


def test_a_winner_begins_at_the_first_step_with_a_salt_of_its_own() -> None:
    world = in_canary()
    challenger = world.release.challenger
    assert challenger is not None
    assert (challenger.version, challenger.share, challenger.mode) == ("2", 0.05, "canary")
    assert world.served() == ("1", "2", None)
    assert world.release.newest == "2"
    check(world)
    world.rollback()
    world.train()
    world.tick()
    assert world.release.challenger is not None
    assert world.release.challenger.salt != challenger.salt


@pytest.mark.parametrize(("mode", "steps"), [("shadow", (0.1, 1.0)), ("canary", (0.5, 1.0))])
def test_a_rollout_begins_as_the_policy_says(mode: str, steps: tuple[float, ...]) -> None:
    world = serving()
    world.set_policy(canary={"mode": mode, "steps": steps})
    world.tick()
    world.train()
    world.tick()
    assert world.release.challenger is not None
    assert (world.release.challenger.mode, world.release.challenger.share) == (mode, steps[0])


def test_a_loser_never_begins() -> None:
    world = serving()
    world.train(verdict=Verdict.KEEP)
    assert codes(world.tick()) == ["nothing"]


def test_a_winner_against_another_champion_never_begins() -> None:
    world = in_canary()
    world.promote("2")
    world.train(beats="1")
    assert codes(world.tick()) == ["nothing"]
    world.train(beats="2")
    assert world.tick().action is Action.EXPAND
    assert world.served() == ("2", "4", "1")


def test_an_imported_version_begins_though_another_champion_serves_by_now() -> None:
    origin = Origin(stack="dev", model=MODEL, version="7", digest="d7", was_first=True, has_rows=False, exported_at=NOW)
    world = in_canary()
    world.train(beats="1", trigger="import", origin=origin)
    world.promote("2")
    assert world.tick().action is Action.EXPAND
    assert world.served() == ("2", "3", "1")
    check(world)


def test_of_several_winners_only_the_newest_begins() -> None:
    world = serving()
    for _ in range(3):
        world.train()
    world.tick()
    assert world.served() == ("1", "4", None)
    world.rollback()
    assert codes(world.tick()) == ["nothing"], "versions 2 and 3 had their time"


def test_a_version_that_was_tried_does_not_come_back_by_itself() -> None:
    world = in_canary()
    world.labels(harm=BAD)
    assert world.tick().action is Action.ROLLBACK
    assert codes(world.tick()) == ["nothing"]
    assert world.served() == ("1", None, None)
    check(world)


def test_a_tick_reads_no_decision_on_a_version_that_had_its_time() -> None:
    world = serving()
    for _ in range(9):
        world.train(verdict=Verdict.KEEP)
    world.train()
    assert len(read(world, World.tick, "decisions/")) == 13, "each of ten, that whose bundle is served, and both of whom aliases speak"
    world.rollback()
    assert read(world, World.tick, "decisions/") == []


@pytest.mark.parametrize("damage", [World.spoil_bundle, World.lose_bundle])
def test_a_winner_without_a_sound_bundle_is_refused_and_the_champion_stays(damage: Callable[[World, str], None]) -> None:
    world = serving()
    damage(world, world.train())
    with pytest.raises(ReleaseRefusedError, match="version 2"):
        world.tick()
    assert world.served() == ("1", None, None)
    check(world)
