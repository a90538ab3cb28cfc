"""An alert says which features move the scores."""

import json
from dataclasses import replace
from datetime import timedelta

from functions.shared.domain.drift.baseline import Baseline, ColumnBaseline
from functions.shared.domain.release import ServedModel
from functions.shared.engines.bundle import LoadedModel
from tests.component.metric_emission.test_batches import like_training
from tests.component.metric_emission.world import DAY, MeasuredBundles, World, rows
from tests.fakes.versions import MODEL

MANY = {"drift": {"min_rows": 100}, "performance": {"min_days": 2, "min_labels": 1}, "labels": {"delay_days": 0}}


class ExplainedBundles(MeasuredBundles):
    """A version whose scores rise by a tenth from bin to bin of the shop and don't care for the price."""

    def load(self, served: ServedModel) -> LoadedModel:
        model = super().load(served)
        return replace(model, baseline=explained(model.baseline))


def explained(baseline: Baseline) -> Baseline:
    def means(column: ColumnBaseline) -> tuple[tuple[float, ...], ...]:
        step = {"shop": 0.1, "price": 0.0}.get(column.bins.name)
        return () if step is None else (tuple(step * place for place in range(len(column.counts))),)

    return baseline.model_copy(
        update={"features": tuple(column.model_copy(update={"means": means(column)}) for column in baseline.features)}
    )


def drifting(world: World) -> None:
    world.set_policy(**MANY)
    world.record(world.profiled("a.csv", like_training(world.baseline, "price", "shop", "member")))


def test_drift_is_reported_with_what_each_drifted_column_does_to_the_scores() -> None:
    world = World(bundles=ExplainedBundles(0.5))
    drifting(world)
    [alert] = world.alerts()
    assert [column.feature for column in alert.why] == ["shop", "price"]
    [shop, price] = [column.effect.moved for column in alert.why if column.effect]
    # All rows move to the shop's last bin: from their own, as many tenths as bins lie between.
    [counts] = [column.counts for column in world.baseline.features if column.bins.name == "shop"]
    last = len(counts) - 1
    expected = sum(rows * 0.1 * (last - place) for place, rows in enumerate(counts)) / sum(counts)
    assert abs(shop - expected) < 1e-9
    assert price == 0
    first, second = (
        f"{name} (PSI {alert.evidence[name]:.2f}, moves the scores by {moved:.2g})" for name, moved in (("shop", expected), ("price", 0))
    )
    assert alert.message.startswith(f"drift in {first}, {second}")


def test_decay_is_reported_with_what_was_last_seen_to_move_the_scores() -> None:
    world = World(bundles=ExplainedBundles(0.01))
    drifting(world)
    days = [DAY + timedelta(days=number) for number in range(4)]
    for day in days:
        world.scored(f"{day}.csv", rows(*[0.9] * 30, day=day, prefix=f"{day}-"), day=day)
    labels = [f"{day}-{number},{day}T10:00:00Z,no" for day in days for number in range(30)]
    world.label("\n".join(["id,at,bought", *labels]))
    [alert] = [alert for alert in world.alerts() if alert.kind == "performance"]
    assert [column.feature for column in alert.why] == ["shop", "price"]
    assert "; of all features, shop moves the scores most, by " in alert.message


def test_versions_that_recorded_no_means_raise_alerts_as_ever() -> None:
    world = World()
    drifting(world)
    [alert] = world.alerts()
    assert alert.why == ()
    assert "moves" not in alert.message


def test_a_column_that_was_named_once_and_moved_no_score_calls_people_when_it_does() -> None:
    world = World(bundles=ExplainedBundles(0.5))  # shop moves the scores there, and price does not
    world.set_policy(drift=MANY["drift"] | {"pooled_batches": 1})
    world.record(world.profiled("a.csv", like_training(world.baseline, "price", "shop")))
    world.record(world.profiled("b.csv", like_training(world.baseline, "price", "shop")))
    [alert] = world.alerts()
    assert (alert.evidence.keys(), alert.calling_columns) == ({"price", "shop"}, ("shop",))
    world.set_policy(drift=MANY["drift"] | {"pooled_batches": 1, "least_effect": 0})
    for name in ("c.csv", "d.csv"):
        world.record(world.profiled(name, like_training(world.baseline, "price", "shop")))
    assert sorted(alert.calling_columns or () for alert in world.alerts()) == [("price", "shop"), ("shop",)]


def test_each_column_that_an_alert_of_an_earlier_version_names_was_called_for() -> None:
    world = World(bundles=ExplainedBundles(0.5))
    drifting(world)
    [found] = world.store.list(f"alerts/{MODEL}/")
    said = json.loads(world.store.read(found.key))
    del said["calling_columns"]
    world.store.write(found.key, json.dumps(said).encode())
    world.set_policy(drift=MANY["drift"] | {"least_effect": 0})
    world.record(world.profiled("b.csv", like_training(world.baseline, "price", "shop", "member")))
    assert len(world.alerts()) == 1
