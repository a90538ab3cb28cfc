"""A person moves an alias in the registry's own page; the next tick answers."""

from collections.abc import Callable

import pytest

from functions.shared.domain.decision import Verdict
from functions.shared.domain.errors import RegistryUnavailableError
from functions.shared.domain.rollout.canary import Action
from functions.shared.repositories.releases import Releases
from tests.component.release.world import World, check, codes, in_canary, serving
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Moment


def away(moment: Moment) -> None:
    """The registry does not answer."""
    if moment.bucket == "registry":
        raise RegistryUnavailableError("the registry is away")


def test_the_alias_champion_moved_to_a_sound_version_is_a_promotion() -> None:
    world = in_canary()
    world.train()
    world.move("champion", "3")
    step = world.tick()
    assert (step.action, step.share) == (Action.PROMOTE, 1.0)
    assert world.served() == ("3", None, "1")
    assert world.release.reason == "the alias champion was set to version 3"
    assert world.release.decided_by == "a person in the registry"
    check(world)


def test_the_alias_champion_moved_to_the_running_challenger_ends_its_rollout_well() -> None:
    world = in_canary()
    world.move("champion", "2")
    assert world.tick().action is Action.PROMOTE
    assert world.served() == ("2", None, "1")
    check(world)


def test_the_alias_champion_moved_back_to_the_first_version_is_granted() -> None:
    world = in_canary()
    world.promote("2")
    world.move("champion", "1")
    assert world.tick().action is Action.PROMOTE
    assert world.served() == ("1", None, "2")
    check(world)


@pytest.mark.parametrize(("alias", "served"), [("champion", ("2", None, "1")), ("challenger", ("1", "2", "2"))])
def test_a_version_that_the_gate_kept_out_and_that_served_before_is_brought_back_by_an_alias(
    alias: str, served: tuple[str, str | None, str | None]
) -> None:
    world = serving()
    world.train(verdict=Verdict.KEEP)
    world.promote("2", force=True)
    world.rollback()
    world.tick()
    world.move(alias, "2")
    assert codes(world.tick()) == ["wish"]
    assert world.served() == served
    check(world)


def test_a_version_that_the_gate_kept_out_is_refused_with_the_reason_and_the_alias_put_back() -> None:
    world = in_canary()
    world.train(verdict=Verdict.KEEP)
    before = world.release
    world.move("champion", "3")
    step = world.tick()
    assert (step.action, step.share) == (Action.NONE, 0.05)
    assert [reason.code for reason in step.reasons] == ["refused"]
    assert "kept version 3 out (version 3 was judged); `everscore promote sales 3 --force" in step.reasons[0].message
    assert world.release == before
    check(world)


@pytest.mark.parametrize("alias", ["champion", "challenger"])
@pytest.mark.parametrize("damage", [World.spoil_bundle, World.lose_bundle])
def test_a_version_without_a_sound_bundle_is_refused_and_the_alias_put_back(alias: str, damage: Callable[[World, str], None]) -> None:
    world = in_canary()
    world.train()
    damage(world, "3")
    before = world.release
    world.move(alias, "3")
    step = world.tick()
    assert [reason.code for reason in step.reasons] == ["refused"]
    assert world.release == before
    check(world)


@pytest.mark.parametrize("alias", ["champion", "challenger"])
def test_a_version_that_was_registered_by_somebody_else_is_refused(alias: str) -> None:
    world = serving()
    world.move(alias, world.register())
    step = world.tick()
    assert "that was decided on" in step.reasons[0].message
    check(world)


def test_the_alias_challenger_begins_a_rollout_of_a_version_that_won() -> None:
    world = in_canary()
    world.rollback()
    world.move("challenger", "2")
    step = world.tick()
    assert (step.action, step.share) == (Action.EXPAND, 0.05)
    assert world.served() == ("1", "2", None)
    check(world)


@pytest.mark.parametrize("alias", ["champion", "challenger"])
def test_a_refusal_is_shown_on_the_registrys_page_and_by_status_until_the_next_release(alias: str) -> None:
    world = serving()
    world.train(verdict=Verdict.KEEP)
    world.move(alias, "2")
    step = world.tick()
    reason = step.reasons[0].message
    assert [(said.code, said.message) for said in step.reasons] == [("refused", reason)]
    assert "`everscore promote sales 2 --force --reason WHY`" in reason
    assert world.registry.refusal(MODEL).endswith(f"UTC: {reason}")
    refusal = Releases(world.store).refusal(world.release)
    assert refusal is not None
    assert refusal.reason == reason
    assert world.served() == ("1", None, None)
    check(world)
    world.set_policy()
    world.tick()
    assert Releases(world.store).refusal(world.release) is None


def test_of_two_aliases_that_were_moved_at_once_the_second_learns_that_it_was_not_granted() -> None:
    world = in_canary()
    world.train()
    world.train()
    world.move("champion", "3")
    world.move("challenger", "4")
    step = world.tick()
    assert (step.action, [reason.code for reason in step.reasons]) == (Action.PROMOTE, ["wish", "refused"])
    assert world.served() == ("3", None, "1")
    refusal = Releases(world.store).refusal(world.release)
    assert refusal is not None
    assert "set challenger to version 4 again" in refusal.reason
    check(world)
    world.move("challenger", "4")
    assert world.tick().action is Action.EXPAND


def test_the_alias_challenger_moved_during_a_rollout_begins_another_one() -> None:
    world = in_canary()
    first = world.release.challenger
    world.train()
    world.move("challenger", "3")
    world.tick()
    second = world.release.challenger
    assert first is not None
    assert second is not None
    assert (second.version, second.share) == ("3", 0.05)
    assert second.salt != first.salt
    check(world)


def test_the_alias_challenger_removed_ends_the_rollout() -> None:
    world = in_canary()
    world.move("challenger", None)
    step = world.tick()
    assert (step.action, step.share) == (Action.ROLLBACK, 0.0)
    assert world.served() == ("1", None, None)
    check(world)


def test_the_champion_cannot_be_its_own_challenger() -> None:
    world = serving()
    world.move("challenger", "1")
    assert "is the champion already" in world.tick().reasons[0].message
    check(world)


def test_a_retired_model_comes_back_by_the_alias_champion_and_by_no_other() -> None:
    world = in_canary()
    world.retire()
    world.move("challenger", "2")
    assert "is retired" in world.tick().reasons[0].message
    assert world.release.retired
    check(world)
    world.move("champion", "1")
    assert world.tick().action is Action.PROMOTE
    assert (world.release.retired, world.served()) == (False, ("1", None, None))
    check(world)


@pytest.mark.parametrize(("alias", "version"), [("champion", None), ("previous", None), ("previous", "2")])
def test_an_alias_that_asks_for_nothing_is_put_back_without_a_word(alias: str, version: str | None) -> None:
    world = in_canary()
    world.promote("2")
    before = world.release
    world.move(alias, version)
    assert [reason.code for reason in world.tick().reasons] == ["nothing"]
    assert world.release == before
    check(world)


def test_a_persons_own_aliases_are_left_alone() -> None:
    world = serving()
    world.move("favourite", "1")
    world.train()
    world.tick()
    assert world.aliases() == {"champion": "1", "challenger": "2", "favourite": "1"}


# The registry lost versions


def test_an_older_version_that_was_deleted_from_the_registry_holds_up_nothing() -> None:
    world = in_canary()
    world.promote("2")
    world.train(beats="2")
    world.tick()
    world.batch("at 5%.csv")
    world.registry.delete(MODEL, "1")
    world.labels(harm=0.1)
    assert world.tick().action is Action.ROLLBACK
    assert world.served() == ("2", None, "1"), "its bundle is in the store: it can be restored"
    assert world.aliases() == {"champion": "2"}
    assert [reason.code for reason in world.tick().reasons] == ["nothing"]
    world.restore("1")
    assert world.served() == ("1", None, "2")


# The registry is away


@pytest.mark.parametrize(("harm", "action"), [(0.1, Action.ROLLBACK), (-0.1, Action.EXPAND)])
def test_while_the_registry_is_away_a_rollout_goes_on_and_its_aliases_are_set_later(harm: float, action: Action) -> None:
    world = in_canary()
    world.labels(harm=harm)
    step = world.tick(away)
    assert step.action is action
    assert step.reasons[-1].code == "registry_unavailable"
    assert world.release.seq == 3
    assert world.registry.sequence(MODEL) == 2
    served = world.served()
    assert world.tick().action in {Action.NONE, Action.HOLD}
    assert world.served() == served, "aliases that are behind are no wish"
    check(world)


def test_while_the_registry_is_away_nothing_new_begins() -> None:
    world = serving()
    world.train()
    world.move("champion", "2")
    before = world.release
    step = world.tick(away)
    assert [reason.code for reason in step.reasons] == ["nothing", "registry_unavailable"]
    assert world.release == before
    assert world.tick().action is Action.PROMOTE, "the wish was only waiting"
    check(world)


@pytest.mark.parametrize("begin", [serving, in_canary])
def test_while_the_registry_is_away_a_new_policy_comes_into_force(begin: Callable[[], World]) -> None:
    world = begin()
    served = world.served()
    world.set_policy(decision={"threshold": 0.3})
    step = world.tick(away)
    assert codes(step) == ["policy", "registry_unavailable"]
    assert world.release.policy.decision.threshold == 0.3
    seq = world.release.seq
    assert "policy" not in codes(world.tick(away)), "it is in force"
    assert (world.release.seq, world.served()) == (seq, served)
    world.tick()
    check(world)


def test_a_wish_outlasts_a_policy_that_came_into_force_while_the_registry_was_away() -> None:
    world = serving()
    world.train()
    world.move("champion", "2")
    world.set_policy(decision={"threshold": 0.3})
    world.tick(away)
    assert world.served() == ("1", None, None)
    assert world.tick().action is Action.PROMOTE
    assert world.served() == ("2", None, "1")
    check(world)


def test_while_the_registry_is_away_a_retired_model_stays_as_it_is() -> None:
    world = serving()
    world.retire()
    world.set_policy(decision={"threshold": 0.3})
    before = world.release
    assert codes(world.tick(away)) == ["nothing", "registry_unavailable"]
    assert world.release == before


def test_while_the_registry_is_away_a_model_begins_to_serve_and_a_person_may_promote_and_roll_back() -> None:
    world = World()
    world.train(beats=None)
    world.tick(away)
    assert world.served() == ("1", None, None)
    world.train()
    world.promote("2", away)
    world.rollback(away)
    assert world.served() == ("1", None, "2")
    world.tick()
    check(world)


def test_a_registry_that_goes_away_within_a_tick_delays_only_the_aliases() -> None:
    world = serving()
    world.train()

    def leaves(moment: Moment) -> None:
        if moment.call.startswith("set "):
            away(moment)

    assert world.tick(leaves).action is Action.EXPAND
    assert world.served() == ("1", "2", None)
    assert world.aliases() == {"champion": "1"}
    world.tick()
    check(world)


# There is no registry


def test_without_a_registry_releases_go_on_and_one_that_comes_later_agrees_when_it_knows_the_versions() -> None:
    world = World(has_registry=False)
    world.train(beats=None)
    assert world.tick().action is Action.PROMOTE
    world.train()
    assert world.tick().action is Action.EXPAND
    world.rollback()
    world.promote("2")
    assert world.served() == ("2", None, "1")
    world.has_registry = True
    assert world.tick().action is Action.NONE
    assert world.aliases() == {}, "a version that is not there would seem to be deleted, which is a wish"
    world.train(beats="2")
    assert world.tick().action is Action.EXPAND
    for version in ("1", "2"):
        world.record(version)
    assert world.tick().action is not Action.ROLLBACK
    assert world.served() == ("2", "3", "1")
    check(world)
