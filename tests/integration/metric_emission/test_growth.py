"""What is asked of S3 does not grow with what a model has behind it."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from functions.metric_emission.upkeep import tick
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.metrics import DRIFTED_COLUMNS
from functions.shared.domain.release import Role
from functions.shared.repositories.decisions import Decisions
from tests.component.metric_emission.test_batches import like_training
from tests.component.metric_emission.world import DAY, World
from tests.fakes.counting_store import CountingStore
from tests.fakes.documents import make_decision

MOST_REQUESTS = 40
SPREADS: dict[str, Callable[[int], date]] = {"in one day": lambda _: DAY, "over days": lambda number: DAY - timedelta(days=number % 300)}


def grown(batches: int, spread: Callable[[int], date]) -> tuple[World, CountingStore]:
    """A model that many batches were scored and measured of; the last ones are the newest."""
    store = CountingStore()
    world = World(store=store)
    Decisions(store).write(make_decision("1", champion_version=None))
    profile = like_training(world.baseline)
    for number in reversed(range(batches)):
        world.profiled(f"{number}.csv", profile, day=spread(number), event_days={spread(number): profile.rows})
    world.record(newest(world))
    return world, store


def newest(world: World, name: str = "newest.csv") -> Manifest:
    return world.profiled(name, like_training(world.baseline))


def requests_of(store: CountingStore, act: Callable[[], object]) -> int:
    before = store.requests
    act()
    return store.requests - before


@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_a_batch_after_a_thousand_asks_for_no_more_than_one_after_a_hundred(spread: Callable[[int], date]) -> None:
    asked = []
    for batches in (100, 900):
        world, store = grown(batches, spread)
        manifest = newest(world, "after.csv")
        asked.append(requests_of(store, lambda world=world, manifest=manifest: world.record(manifest)))
        assert world.values(DRIFTED_COLUMNS)[-1] == 0
    assert asked[0] == asked[1] <= MOST_REQUESTS


@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_a_tick_after_a_thousand_batches_asks_for_no_more_than_one_after_a_hundred(spread: Callable[[int], date]) -> None:
    asked = []
    for batches in (100, 900):
        world, store = grown(batches, spread)
        asked.append(requests_of(store, lambda world=world: tick(world.ports())))
    assert asked[0] == asked[1] <= MOST_REQUESTS


def test_batches_that_come_together_share_what_is_known_of_their_model() -> None:
    world, store = grown(10, SPREADS["in one day"])
    alone = requests_of(store, lambda: world.record(newest(world, "alone.csv")))
    manifests = [newest(world, f"together {number}.csv") for number in range(10)]
    together = requests_of(store, lambda: world.record(*manifests))
    assert together < 10 * alone * 0.75


def test_rows_that_nobody_counted_are_left_out_of_the_pool() -> None:
    world = World()
    world.profiled("uncounted.csv", like_training(world.baseline), profiles={})
    counted = world.profiled("counted.csv", like_training(world.baseline))
    world.record(counted)
    bare = world.profiled("bare.csv", like_training(world.baseline), profiles={Role.CHALLENGER: like_training(world.baseline)})
    world.record(bare)
    assert world.values(DRIFTED_COLUMNS) == [0], "the second batch was judged by nothing"
