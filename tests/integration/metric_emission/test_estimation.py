"""An estimate before labels, and what becomes of its standing when labels come."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from functions.metric_emission.metrics import ESTIMATED, ESTIMATED_HIGH, ESTIMATED_LOW
from functions.shared.domain import layout
from functions.shared.domain.emitted import EmittedBatch
from functions.shared.domain.estimate import Estimate
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.release import Role, ServedModel
from functions.shared.engines.bundle import LoadedModel
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.documents import read_document
from tests.fakes.versions import MODEL
from tests.unit.domain.test_estimate import drawn, fitted
from tests.unit.metric_emission.test_batches import like_training
from tests.unit.metric_emission.world import DAY, World, rows

ROWS = 1000


class CalibratedBundles(Bundles):
    """Versions whose calibration is that of the drawn scores."""

    def __init__(self, inner: Bundles) -> None:
        self._inner = inner
        self._calibration = fitted(10_000)

    def load(self, served: ServedModel) -> LoadedModel:
        model = self._inner.load(served)
        return replace(model, baseline=model.baseline.model_copy(update={"calibration": self._calibration}))


def calibrated() -> World:
    world = World()
    world.bundles = CalibratedBundles(world.bundles)
    return world


def record(world: World, number: int, *, labels: str) -> Estimate:
    """A batch of a day, measured, and then its labels: true ones, turned ones, or none."""
    truth, scores = drawn(ROWS, seed=100 + number)
    day = DAY + timedelta(days=number)
    profiles = {Role.CHAMPION: like_training(world.baseline)}
    batch = world.scored(f"{number}.csv", rows(*scores.tolist(), day=day, prefix=f"d{number}-"), day=day, profiles=profiles)
    world.moment = batch.created_at + timedelta(hours=1)
    world.record(batch)
    if labels != "none":
        told = truth if labels == "true" else ~truth
        lines = [f"d{number}-{row},{day.isoformat()}T10:00:00Z,{'yes' if label else 'no'}" for row, label in enumerate(told)]
        world.label("\n".join(["id,at,bought", *lines]) + "\n", name=f"{number}.csv")
    return estimate_of(world, batch)


def estimate_of(world: World, batch: Manifest) -> Estimate:
    emitted = read_document(world.store, EmittedBatch, layout.emitted_key(MODEL, batch.batch_id))
    assert emitted is not None
    assert emitted.estimate is not None
    return emitted.estimate


def test_each_estimate_tells_how_many_before_it_labels_bore_out() -> None:
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


def test_an_estimate_and_its_bounds_are_metrics() -> None:
    world = calibrated()
    estimate = record(world, 0, labels="none")
    told = {(found.metric, found.dimensions["metric"]): found.value for found in world.emitted if "metric" in found.dimensions}
    loss = estimate.metrics["log_loss"]
    assert (told[ESTIMATED_LOW, "log_loss"], told[ESTIMATED, "log_loss"], told[ESTIMATED_HIGH, "log_loss"]) == (
        loss.low,
        loss.value,
        loss.high,
    )
    assert {name for metric, name in told if metric is ESTIMATED} == {"accuracy", "auc", "log_loss", "brier"}
    # The true log loss of these very scores, by their own labels.
    truth, scores = drawn(ROWS, seed=100)
    assert loss.value == pytest.approx(-np.mean(np.log(np.where(truth, scores, 1 - scores))), abs=0.05)
