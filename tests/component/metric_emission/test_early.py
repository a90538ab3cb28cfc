"""A batch's loss by the labels that have come so far, as `everscore status` shows it."""

import math
from datetime import timedelta

import numpy as np
import pytest

from functions.shared.domain.performance.calibration import fit_calibration
from functions.shared.domain.performance.early import EarlyLoss
from functions.shared.domain.release import Role
from infra.cli.state import model_status
from tests.component.metric_emission.test_batches import like_training
from tests.component.metric_emission.world import DAY, MeasuredBundles, World, rows
from tests.fakes.counting_store import CountingStore
from tests.fakes.versions import make_version

SCORES = [float(score) for score in np.linspace(0.05, 0.95, 400)]
TRUTH = [bool(truth) for truth in np.random.default_rng(1).random(400) < np.array(SCORES)]


class Calibrated(MeasuredBundles):
    """Versions that were calibrated on such rows."""

    def __init__(self) -> None:
        super().__init__(0.5)
        rng = np.random.default_rng(2)
        self._measured |= {"calibration": fit_calibration(rng.random(400) < np.array(SCORES), np.array(SCORES), rng)}


def labelled(world: World, first: int, last: int) -> None:
    """Labels of some rows come."""
    lines = (f"r{number},2013-04-01T10:00:00Z,{'yes' if TRUTH[number] else 'no'}" for number in range(first, last))
    world.label("\n".join(["id,at,bought", *lines]), f"{first}.csv")


def begun() -> World:
    """A batch of 400 rows is scored."""
    world = World(bundles=Calibrated())
    world.record(world.scored("a.csv", rows(*SCORES), profiles={Role.CHAMPION: like_training(world.baseline)}))
    return world


def early(world: World) -> dict[str, float] | None:
    found: dict[str, float] | None = model_status(world.release, world.store)["early"]
    return found


def test_the_first_labels_correct_what_was_expected_of_all_rows() -> None:
    world = begun()
    labelled(world, 0, 199)
    assert early(world) is None
    labelled(world, 199, 300)
    found = early(world)
    assert found is not None
    assert (found["labelled"], found["rows"]) == (300, 400)
    losses = [-math.log(score if truth else 1 - score) for score, truth in zip(SCORES, TRUTH, strict=True)]
    assert found["low"] < np.mean(losses) < found["high"]


def test_with_all_labels_it_is_the_mean_loss() -> None:
    world = begun()
    labelled(world, 0, 400)
    found = early(world)
    assert found is not None
    losses = [-math.log(score if truth else 1 - score) for score, truth in zip(SCORES, TRUTH, strict=True)]
    assert EarlyLoss.model_validate(found).value == pytest.approx(np.mean(losses))
    assert found["low"] == found["high"]


def test_a_status_asks_for_at_most_60_requests_though_each_batch_has_labels_of_its_own_day() -> None:
    store = CountingStore()
    world = World(store=store)
    days = [DAY - timedelta(days=number) for number in range(25)]
    for day in days:
        world.record(world.scored(f"{day}.csv", rows(0.5, day=day, prefix=f"{day}-"), day=day))
        world.label(f"id,at,bought\n{day}-0,{day}T10:00:00Z,yes\n", f"{day}.csv")
    before = store.requests
    state = model_status(world.release, store)
    assert store.requests - before <= 60
    assert (len(state["batches"]), len(state["performance"])) == (20, 25)


def test_labels_that_come_when_another_version_serves_say_nothing_early() -> None:
    world = begun()
    world.serve(make_version("2", seed=2))
    labelled(world, 0, 300)
    assert early(world) is None, "its calibration expected something else of the same rows"
