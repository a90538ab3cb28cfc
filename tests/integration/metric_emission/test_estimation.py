"""An estimate before labels, and what becomes of its standing when labels come."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from functions.metric_emission.estimation import WINDOWS
from functions.shared.domain import layout
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.metrics import (
    ESTIMATED,
    ESTIMATED_HIGH,
    ESTIMATED_LOW,
    ESTIMATES_BORNE_OUT,
    ESTIMATES_COMPARED,
    ESTIMATES_REFUSED,
    HELD_ESTIMATE,
    HELD_ESTIMATE_HIGH,
    HELD_ESTIMATE_LOW,
    HELD_TRUTH,
)
from functions.shared.domain.performance.estimate import Estimate
from functions.shared.domain.release import Role, ServedModel
from functions.shared.engines.bundle import LoadedModel
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.documents import read_document
from tests.component.metric_emission.test_batches import like_training
from tests.component.metric_emission.world import DAY, World, rows
from tests.fakes.versions import MODEL
from tests.unit.shared.domain.performance.test_estimate import drawn, fitted

ROWS = 1000


class CalibratedBundles(Bundles):
    """Versions whose calibration is that of the drawn scores."""

    def __init__(self, inner: Bundles) -> None:
        self._inner = inner
        self._calibration = fitted(10_000)

    def load(self, served: ServedModel) -> LoadedModel:
        model = self._inner.load(served)
        return replace(model, baseline=model.baseline.model_copy(update={"calibration": self._calibration}))


def calibrated(delay_days: float = 0) -> World:
    world = World()
    world.set_policy(labels={"delay_days": delay_days})
    world.bundles = CalibratedBundles(world.bundles)
    return world


def record(world: World, number: int, *, labels: str) -> Estimate:
    """A batch of a day, measured, and then its labels: true ones, turned ones, or none."""
    _, scores = drawn(ROWS, seed=100 + number)
    day = DAY + timedelta(days=number)
    profiles = {Role.CHAMPION: like_training(world.baseline)}
    batch = world.scored(f"{number}.csv", rows(*scores.tolist(), day=day, prefix=f"d{number}-"), day=day, profiles=profiles)
    world.moment = batch.created_at + timedelta(hours=1)
    world.record(batch)
    if labels != "none":
        label(world, number, labels=labels)
    return estimate_of(world, batch)


def label(world: World, number: int, *, labels: str, rows: slice = slice(None)) -> None:
    """Labels come of some rows of a day's batch."""
    truth, _ = drawn(ROWS, seed=100 + number)
    reported = truth if labels == "true" else ~truth
    lines = [
        f"d{number}-{row},{DAY + timedelta(days=number)}T10:00:00Z,{'yes' if reported[row] else 'no'}" for row in range(*rows.indices(ROWS))
    ]
    world.label("\n".join(["id,at,bought", *lines]) + "\n", name=f"{number}-{rows.start}.csv")


def estimate_of(world: World, batch: Manifest) -> Estimate:
    emitted = read_document(world.store, BatchJudgement, layout.emitted_key(MODEL, batch.batch_id))
    assert emitted is not None
    assert emitted.estimate is not None
    return emitted.estimate


def test_each_estimate_says_how_many_before_it_labels_bore_out() -> None:
    world = calibrated()
    estimates = [record(world, number, labels=labels) for number, labels in enumerate(("true", "none", "true", "turned", "true"))]
    assert [(estimate.compared, estimate.borne_out) for estimate in estimates] == [(0, 0), (1, 1), (1, 1), (2, 2), (3, 2)]
    assert [estimate.refusals for estimate in estimates] == [()] * 5


def test_two_windows_whose_labels_say_otherwise_end_the_estimates() -> None:
    world = calibrated()
    estimates = [record(world, number, labels="turned") for number in range(3)]
    assert [(estimate.compared, estimate.borne_out) for estimate in estimates] == [(0, 0), (1, 0), (2, 0)]
    assert [reason.code for reason in estimates[2].refusals] == ["missed_truth"]
    assert len(world.values(ESTIMATED_LOW)) == 2, "a refused estimate has no metrics"


def test_an_estimate_is_shown_with_the_truth_of_the_same_batch_when_its_labels_are_mature() -> None:
    world = calibrated()
    first = record(world, 0, labels="turned")
    assert not world.values(HELD_TRUTH)
    record(world, 1, labels="none")
    truth, scores = drawn(ROWS, seed=100)
    reported = [world.values(metric) for metric in (HELD_ESTIMATE_LOW, HELD_ESTIMATE, HELD_ESTIMATE_HIGH, HELD_TRUTH)]
    loss = first.metrics["log_loss"]
    assert reported == [[loss.low], [loss.value], [loss.high], [pytest.approx(-np.mean(np.log(np.where(truth, 1 - scores, scores))))]]
    assert [world.values(metric) for metric in (ESTIMATES_COMPARED, ESTIMATES_BORNE_OUT, ESTIMATES_REFUSED)] == [[0, 1], [0, 0], [0, 0]]


def test_what_ended_the_estimates_of_a_version_ends_them_for_good() -> None:
    world = calibrated()
    estimates = [record(world, number, labels="turned" if number < 2 else "true") for number in range(WINDOWS + 4)]
    assert [reason.code for estimate in estimates for reason in estimate.refusals] == ["missed_truth"] * (WINDOWS + 2)
    assert {(estimate.compared, estimate.borne_out) for estimate in estimates[2:]} == {(2, 0)}


def test_labels_that_come_long_after_their_batches_are_held_against_them() -> None:
    world = calibrated()
    for number in range(WINDOWS + 4):
        record(world, number, labels="none")
    label(world, 0, labels="turned")
    label(world, 1, labels="true")
    estimate = record(world, WINDOWS + 4, labels="none")
    assert (estimate.compared, estimate.borne_out) == (2, 1)


def test_labels_that_may_be_half_known_are_no_truth() -> None:
    world = calibrated(delay_days=2)
    estimates = [record(world, number, labels="turned" if number == 0 else "none") for number in range(3)]
    assert [estimate.compared for estimate in estimates] == [0, 0, 1]


def test_of_batches_that_share_a_day_each_is_held_against_its_own_labels() -> None:
    world = calibrated()
    truth, scores = drawn(ROWS, seed=1)
    for prefix, reported in (("right", truth), ("wrong", ~truth)):
        batch = world.scored(
            f"{prefix}.csv", rows(*scores.tolist(), prefix=prefix), profiles={Role.CHAMPION: like_training(world.baseline)}
        )
        world.record(batch)
        lines = [f"{prefix}{row},{DAY}T10:00:00Z,{'yes' if label else 'no'}\n" for row, label in enumerate(reported)]
        world.label("id,at,bought\n" + "".join(lines), name=f"{prefix}.csv")
    estimate = record(world, 1, labels="none")
    assert (estimate.compared, estimate.borne_out) == (2, 1)


def test_labels_of_less_than_half_of_a_batch_are_no_truth() -> None:
    world = calibrated()
    record(world, 0, labels="none")
    label(world, 0, labels="turned", rows=slice(0, ROWS // 2 - 1))
    assert record(world, 1, labels="none").compared == 0
    label(world, 0, labels="turned", rows=slice(ROWS // 2 - 1, ROWS // 2))
    assert record(world, 2, labels="none").compared == 1


def test_an_estimate_and_its_bounds_are_metrics() -> None:
    world = calibrated()
    estimate = record(world, 0, labels="none")
    reported = {(found.metric, found.dimensions["metric"]): found.value for found in world.emitted if "metric" in found.dimensions}
    loss = estimate.metrics["log_loss"]
    assert (reported[ESTIMATED_LOW, "log_loss"], reported[ESTIMATED, "log_loss"], reported[ESTIMATED_HIGH, "log_loss"]) == (
        loss.low,
        loss.value,
        loss.high,
    )
    assert {name for metric, name in reported if metric is ESTIMATED} == {"accuracy", "auc", "log_loss", "brier"}
    # The true log loss of these very scores, by their own labels.
    truth, scores = drawn(ROWS, seed=100)
    assert loss.value == pytest.approx(-np.mean(np.log(np.where(truth, scores, 1 - scores))), abs=0.05)
