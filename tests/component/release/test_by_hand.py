"""What a person asks for: promotions, rollbacks and retirement."""

from collections.abc import Callable

import pytest

from functions.shared.domain.decision import Verdict
from functions.shared.domain.errors import ReleaseRefusedError
from functions.shared.domain.rollout.canary import Action
from tests.component.release.world import (
    World,
    check,
    codes,
    in_canary,
    joint,
    serving,
)
from tests.fakes.watched_store import Moment


def test_a_version_is_promoted_by_hand_over_a_rollout() -> None:
    world = in_canary()
    world.train(verdict=Verdict.KEEP)
    published = world.promote("3", force=True)
    assert (published.reason, published.decided_by) == ("I say so", "ada")
    assert published == world.release
    assert world.served() == ("3", None, "1")
    assert codes(world.tick()) == ["nothing"]
    check(world)


def test_what_the_gate_kept_out_is_promoted_by_force_only() -> None:
    world = serving()
    world.train(verdict=Verdict.KEEP)
    before = world.release
    with pytest.raises(ReleaseRefusedError, match=r"kept version 2 out \(version 2 was judged\); `everscore promote sales 2 --force"):
        world.promote("2")
    assert world.release == before
    world.promote("2", force=True)
    assert world.served() == ("2", None, "1")
    world.promote("1")
    world.promote("2")
    assert world.served() == ("2", None, "1"), "it served before, so somebody forced it then"
    check(world)


def test_what_the_gate_kept_out_is_tried_out_by_force_only_and_then_retreats_by_itself() -> None:
    world = serving()
    world.train(verdict=Verdict.KEEP, agreement=joint(490, 10))
    with pytest.raises(ReleaseRefusedError, match="--force --reason WHY` serves it all the same, with --canary to a share first"):
        world.try_out("2")
    world.try_out("2", force=True)
    assert world.release.challenger is not None
    assert (world.served(), world.release.challenger.share) == (("1", "2", None), 0.05)
    assert (world.release.reason, world.release.decided_by) == ("I say so", "ada")
    check(world)
    world.batch("odd.csv", agreement=joint(100, 400))
    assert codes(world.tick()) == ["rank_correlation"]


def test_nothing_is_tried_out_that_serves_or_next_to_a_retired_champion() -> None:
    world = in_canary()
    for version in ("1", "2"):
        with pytest.raises(ReleaseRefusedError, match=f"version {version} in service already"):
            world.try_out(version)
    world.spoil_bundle(world.train())
    with pytest.raises(ReleaseRefusedError, match="is not the one that was decided on"):
        world.try_out("3")
    world.retire()
    with pytest.raises(ReleaseRefusedError, match="is retired"):
        world.try_out("2")


def test_any_version_that_ever_served_is_brought_back_by_name() -> None:
    world = in_canary()
    world.promote("2")
    world.train(beats="2")
    world.promote("3")
    world.train(beats="3")
    world.tick()
    assert world.served() == ("3", "4", "2")
    with pytest.raises(ReleaseRefusedError, match="version 4 of 'sales' was never the champion; champions so far: 1, 2, 3"):
        world.restore("4")
    world.restore("1")
    assert world.served() == ("1", None, "3")
    with pytest.raises(ReleaseRefusedError, match="serves already"):
        world.restore("1")
    check(world)


def test_a_rollback_brings_no_retired_model_back() -> None:
    world = in_canary()
    world.promote("2")
    released = world.retire()
    with pytest.raises(ReleaseRefusedError, match="is retired; `everscore promote sales 2` brings the champion back"):
        world.rollback()
    assert world.release == released


def test_a_rollback_ends_a_rollout_first_and_then_brings_the_previous_champion_back() -> None:
    world = in_canary()
    world.promote("2")
    world.train(beats="2")
    world.tick()
    assert world.served() == ("2", "3", "1")
    world.rollback()
    assert world.served() == ("2", None, "1")
    with pytest.raises(
        ReleaseRefusedError, match=r"canary of version 3 of 'sales' was rolled back already.* version 2, would give way to version 1"
    ):
        world.rollback()
    assert world.restore("1").champion.version == "1"
    assert world.served() == ("1", None, "2")
    check(world)
    assert codes(world.tick()) == ["nothing"]


def promoted() -> World:
    """Version 2 serves in place of version 1."""
    world = in_canary()
    world.promote("2")
    return world


def set_a_policy(world: World) -> None:
    world.set_policy(row_contract={"error_budget": 0.5})
    assert codes(world.tick()) == ["policy"]


def try_another_out(world: World) -> None:
    world.train(beats=world.release.champion.version)
    world.tick()
    world.rollback()


def retire_and_return(world: World) -> None:
    world.train(beats=world.release.champion.version)
    world.tick()
    world.retire()
    world.promote(world.release.champion.version)


@pytest.mark.parametrize("meanwhile", [lambda _: None, set_a_policy, try_another_out, retire_and_return])
@pytest.mark.parametrize("back", [World.rollback, lambda world: world.restore("1")])
def test_no_second_rollback_serves_the_version_that_the_first_took_away(
    back: Callable[[World], object], meanwhile: Callable[[World], None]
) -> None:
    world = promoted()
    back(world)
    meanwhile(world)
    with pytest.raises(ReleaseRefusedError, match="`everscore rollback sales VERSION`"):
        world.rollback()
    assert world.served() == ("1", None, "2")
    world.restore("2")
    assert world.served() == ("2", None, "1"), "whoever names it gets it"


def test_a_version_that_was_promoted_again_can_be_rolled_back_again() -> None:
    world = promoted()
    world.rollback()
    world.promote("2")
    world.rollback()
    assert world.served() == ("1", None, "2")


def test_a_guardrail_that_ended_a_canary_leaves_no_rollback_to_the_champion() -> None:
    world = promoted()
    world.train(beats="2")
    world.tick()
    world.batch("at 5%.csv")
    world.labels(harm=0.1)
    assert world.tick().action is Action.ROLLBACK
    with pytest.raises(ReleaseRefusedError, match="canary of version 3"):
        world.rollback()
    assert world.served() == ("2", None, "1")


def test_a_rollback_that_another_decider_came_before_names_who_won() -> None:
    world = promoted()
    world.train(beats="2")

    def promote_first(moment: Moment) -> None:
        if moment.side == "before" and moment.call.startswith("create releases/") and world.release.champion.version == "2":
            world.promote("3")

    with pytest.raises(ReleaseRefusedError, match="release 4 of 'sales' came first, by ada: I say so"):
        world.rollback(promote_first)
    assert world.served() == ("3", None, "2")


def test_a_rollback_that_only_a_step_of_a_schedule_came_before_is_done_all_the_same() -> None:
    world = in_canary()
    world.set_policy(row_contract={"error_budget": 0.5})

    def tick_first(moment: Moment) -> None:
        if moment.side == "before" and moment.call.startswith("create releases/") and not world.release.policy.number:
            world.tick()

    world.rollback(tick_first)
    assert world.served() == ("1", None, None)
    assert world.release.policy.number == 1


@pytest.mark.parametrize("damage", [World.spoil_bundle, World.lose_bundle])
def test_what_has_no_sound_bundle_is_never_served_by_hand_either(damage: Callable[[World, str], None]) -> None:
    world = in_canary()
    world.rollback()
    damage(world, "2")
    with pytest.raises(ReleaseRefusedError, match="version 2"):
        world.promote("2")
    world.train(verdict=Verdict.KEEP)
    world.promote("3", force=True)
    damage(world, "1")
    with pytest.raises(ReleaseRefusedError, match="version 1"):
        world.rollback()
    assert world.served() == ("3", None, "1")
    check(world)


def test_a_retired_model_takes_no_step_until_it_is_promoted_again() -> None:
    world = in_canary()
    world.promote("2")
    world.retire()
    world.train(beats="2")
    world.set_policy()
    assert codes(world.tick()) == ["nothing"]
    assert world.release.retired
    check(world)
    world.promote("2")
    assert not world.release.retired
    assert world.served() == ("2", None, "1"), "what was previous before it retired"
    check(world)


def test_what_makes_no_sense_is_refused_with_what_to_do() -> None:
    with pytest.raises(ReleaseRefusedError, match="everscore train"):
        World().rollback()
    world = serving()
    with pytest.raises(ReleaseRefusedError, match="no previous champion"):
        world.rollback()
    with pytest.raises(ReleaseRefusedError, match="serves already"):
        world.promote("1")
    with pytest.raises(ReleaseRefusedError, match="that was decided on"):
        world.promote("7")
    check(world)
