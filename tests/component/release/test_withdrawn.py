"""What a rollout leaves behind when its challenger is withdrawn."""

from collections.abc import Callable

import pytest

from functions.shared.domain.decision import Verdict
from functions.shared.domain.release import Release, Role
from functions.shared.domain.rollout.canary import Action
from functions.shared.repositories.manifests import Manifests
from tests.component.release.world import (
    BAD,
    GOOD,
    World,
    answered,
    in_canary_that_answered,
)
from tests.fakes.versions import MODEL


def test_a_rollback_by_itself_records_the_batches_and_rows_that_the_challenger_answered() -> None:
    world = in_canary_that_answered()
    world.labels(harm=BAD)
    assert world.tick().action is Action.ROLLBACK
    assert answered(world) == ("2", 0.05, [60, 50])
    assert world.release.withdrawn is not None
    assert world.release.withdrawn.rows == 110
    named = {manifest.source.key.rsplit("/", 1)[-1]: manifest.batch_id for manifest in Manifests(world.store).newest(MODEL)}
    assert [batch.batch_id for batch in world.release.withdrawn.answered] == [named["two.csv"], named["one.csv"]]
    world.set_policy(canary={"min_days": 3})
    world.tick()
    assert answered(world) is None, "it is the business of one release"


def test_what_the_same_version_answered_in_an_earlier_rollout_is_not_listed() -> None:
    world = in_canary_that_answered()
    world.rollback()
    world.move("challenger", "2")
    world.tick()
    world.batch("later.csv", served={Role.CHAMPION: 930, Role.CHALLENGER: 70})
    world.rollback()
    assert answered(world) == ("2", 0.05, [70])


def test_batches_that_were_scored_again_are_not_listed() -> None:
    world = in_canary_that_answered()
    first = next(manifest for manifest in Manifests(world.store).newest(MODEL) if manifest.source.key.endswith("one.csv"))
    world.batch("one.csv", batch_id="again", supersedes=first.batch_id)
    world.rollback()
    assert answered(world) == ("2", 0.05, [60])


@pytest.mark.parametrize("end", [World.rollback, World.retire, lambda world: world.promote("3", force=True)])
def test_a_person_who_ends_a_rollout_learns_what_it_leaves(end: Callable[[World], Release]) -> None:
    world = in_canary_that_answered()
    world.train(verdict=Verdict.KEEP)
    released = end(world)
    assert released.withdrawn is not None
    assert answered(world) == ("2", 0.05, [60, 50])


def test_another_challenger_in_its_place_withdraws_the_first() -> None:
    world = in_canary_that_answered()
    world.move("challenger", world.train())
    world.tick()
    assert answered(world) == ("2", 0.05, [60, 50])


@pytest.mark.parametrize("promotion", [lambda world: world.promote("2"), lambda world: world.labels(harm=GOOD) or world.tick()])
def test_a_challenger_that_goes_on_or_becomes_the_champion_is_not_withdrawn(promotion: Callable[[World], object]) -> None:
    world = in_canary_that_answered()
    promotion(world)
    assert world.release.seq == 3
    assert answered(world) is None
