"""When labels show that the champion has decayed."""

import math
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from functions.metric_emission.slips import find_slips
from functions.shared.domain import layout
from functions.shared.domain.labelled_columns import LABEL
from functions.shared.domain.metrics import LABELS_REFUSED
from functions.shared.domain.release import Role, ServedModel
from functions.shared.domain.spec import Task
from functions.shared.engines.bundle import LoadedModel
from tests.component.metric_emission.test_batches import like_training
from tests.component.metric_emission.test_labels import champion, csv
from tests.component.metric_emission.world import DAY, MeasuredBundles, Scored, World, rows
from tests.fakes.versions import MODEL, make_version


def week(world: World, first: date, label: str) -> None:
    """Seven days of a hundred rows that the champion is sure will not buy, and what they did."""
    scored = [row for number in range(7) for row in rows(*[0.01] * 100, day=first + timedelta(days=number), prefix=f"d{number}-")]
    world.scored(f"{first}.csv", scored, day=first, profiles={Role.CHAMPION: like_training(world.baseline)})
    lines = [f"{row.id},{row.at.isoformat()},{label}\n" for row in scored]
    world.label("id,at,bought\n" + "".join(lines), f"{first}.csv")


def decaying(ceiling: float | None = None, **fields: Any) -> World:
    """A champion that lost .5 a row at its training, and whose labels count as complete at once."""
    world = World(bundles=MeasuredBundles(0.5, ceiling), **fields)
    world.set_policy(labels={"delay_days": 0})
    return world


def test_people_are_alerted_to_a_champion_that_decays_and_reminded_after_the_look_back() -> None:
    world = decaying()
    for number in range(5):
        week(world, DAY + timedelta(days=7 * number), "yes")
    said = world.alerts()
    assert [(alert.kind, alert.window) for alert in said] == [("performance", "2013-04-07-v1"), ("performance", "2013-05-05-v1")]
    assert said[0].message == "version 1 loses 4.605 a row, 0.500 at training"
    assert said[0].evidence["loss"] == pytest.approx(-math.log(0.01))


def late_batch(world: World, day: date) -> None:
    """A mended file with one row of an early day comes last."""
    arrived = DAY + timedelta(days=30)
    world.record(world.scored("mended.csv", rows(0.5, day=day), day=arrived, profiles={Role.CHAMPION: like_training(world.baseline)}))


def test_a_late_batch_of_days_before_a_decay_does_not_end_its_alert() -> None:
    world = decaying()
    world.set_policy(labels={"delay_days": 0}, performance={"look_back_days": 7})
    week(world, DAY, "no")
    week(world, DAY + timedelta(days=7), "yes")
    assert [*world.causes().open()] == ["performance-v1"]
    late_batch(world, DAY + timedelta(days=6))
    assert ([*world.causes().open()], world.closings()) == (["performance-v1"], [])


def test_a_late_batch_of_days_of_a_decay_that_is_over_raises_no_alert() -> None:
    world = decaying()
    world.set_policy(labels={"delay_days": 0}, performance={"look_back_days": 7, "min_days": 2})
    week(world, DAY, "yes")
    week(world, DAY + timedelta(days=7), "no")
    assert (len(world.closings()), world.causes().open()) == (1, {})
    late_batch(world, DAY + timedelta(days=5))
    assert (len(world.alerts()), world.causes().open()) == (1, {})


def test_a_regressions_decay_is_reported_in_squared_error() -> None:
    world = decaying(version=make_version(task=Task.REGRESSION))
    week(world, DAY, "2.01")
    assert [alert.message for alert in world.alerts()] == ["version 1 loses 4.000 of squared error a row, 0.500 at training"]


def test_another_champions_decay_is_news() -> None:
    world = decaying()
    week(world, DAY, "yes")
    world.serve(make_version("2", seed=2))
    week(world, DAY + timedelta(days=7), "yes")
    assert [alert.window for alert in world.alerts()] == ["2013-04-07-v1", "2013-04-14-v2"]


def test_no_alert_is_raised_about_a_champion_that_does_as_well_as_at_training() -> None:
    world = decaying()
    week(world, DAY, "no")
    assert world.alerts() == []


def test_a_champion_is_judged_by_days_alone_whose_labels_had_time_to_come() -> None:
    world = World(bundles=MeasuredBundles(0.5))
    days = [DAY + timedelta(days=number) for number in range(17)]
    for day in days:
        world.scored(f"{day}.csv", rows(*[0.2] * 100, day=day, prefix=f"{day}-"), day=day)
    ended = "".join(f"{day}-{number},{day}T10:00:00Z,{'no' if number % 5 else 'yes'}\n" for day in days[:10] for number in range(100))
    bought = "".join(f"{day}-{number},{day}T10:00:00Z,yes\n" for day in days[10:] for number in range(0, 100, 5))
    world.label(f"id,at,bought\n{bought}", "positives.csv")
    assert world.alerts() == [], "nobody yet knows who will not buy"
    world.label(f"id,at,bought\n{ended}{bought}", "all.csv")
    assert world.alerts() == []
    all_bought = "".join(f"{day}-{number},{day}T10:00:00Z,yes\n" for day in days[:10] for number in range(100))
    world.label(f"id,at,bought\n{all_bought}", "corrected.csv")
    assert [alert.window for alert in world.alerts()] == ["2013-04-10-v1"]


@pytest.mark.parametrize("absurd", ["1e40", "-1e80", "1e200"])
def test_one_absurd_label_of_a_regression_hides_no_decay_and_breaks_nothing(absurd: str) -> None:
    world = decaying(version=make_version(task=Task.REGRESSION))
    world.scored("a.csv", rows(0.01))
    world.label(csv((absurd,)), "absurd.csv")
    week(world, DAY, "2.01")
    assert [alert.message for alert in world.alerts()] == ["version 1 loses 4.000 of squared error a row, 0.500 at training"]
    assert world.values(LABELS_REFUSED) == [1, 0]


@pytest.mark.parametrize("absurd", ["2e6", "-31000000", "3e38"])
def test_a_misplaced_decimal_point_hides_no_decay_and_is_named(absurd: str) -> None:
    world = decaying(10.0, version=make_version(task=Task.REGRESSION))
    world.scored("a.csv", rows(0.01, 0.02, prefix="absurd"))
    world.label(csv((absurd, "2"), prefix="absurd"), "slipped.csv")
    week(world, DAY, "2.01")
    slip, decay = world.alerts()
    assert (slip.kind, slip.evidence["rows"], slip.evidence["key"]) == ("labels", 1, f"labels/{MODEL}/slipped.csv")
    farthest = f"the farthest is {float(absurd):.6g}, where the answer was 0.01"
    assert slip.message == f"labels in labels/{MODEL}/slipped.csv are very far from the champion's answers, 1 in all: {farthest}"
    capped = (700 * 4 + 1.98**2 + 10) / 702
    assert decay.message == f"version 1 loses {capped:.3f} of squared error a row, 0.500 at training"


def test_an_error_within_ten_times_the_worst_that_training_showed_is_no_slip() -> None:
    world = decaying(10.0, version=make_version(task=Task.REGRESSION))
    world.scored("a.csv", rows(0.0))
    world.label(csv((f"{math.sqrt(1000)}",)), "far.csv")
    assert world.alerts() == []


class BundlesOfTwo(MeasuredBundles):
    """Versions whose losses are cut at 10, except those of the second, cut at 1,000."""

    def load(self, served: ServedModel) -> LoadedModel:
        model = super().load(served)
        return replace(model, baseline=model.baseline.model_copy(update={"loss_ceiling": 1000.0 if served.version == "2" else 10.0}))


def test_after_a_rollback_each_champions_losses_are_cut_where_its_own_training_says() -> None:
    one, two, three = (make_version(number, seed=int(number), task=Task.REGRESSION) for number in "123")
    world = World(bundles=BundlesOfTwo(0.5), version=one)
    world.scored("first.csv", rows(0.0, prefix="first"))
    world.serve(two)
    world.scored("second.csv", rows(0.0, prefix="second"))
    world.serve(two, three)
    world.scored("both.csv", [Scored("both0", 1.0, challenger=20.0)])
    world.serve(one)
    world.label(csv(("21",), prefix="first") + csv(("2e3",), prefix="second")[13:] + csv(("21",), prefix="both")[13:])
    day = world.performance()
    losses = {(group.role, group.version): group.loss_sum for group in day.groups}
    assert losses == {(Role.CHAMPION, "1"): 10, (Role.CHAMPION, "2"): 1000 + 20**2, (Role.CHALLENGER, "3"): 1}
    assert [(pair.champion, pair.sums.sum) for pair in day.pairs] == [("2", 1 - 20**2)]


@pytest.mark.parametrize(("ours", "theirs", "named"), [(1.0, 1e6, None), (1e6, 1.0, 1e6)])
def test_labels_are_held_against_the_champions_answers_whoever_answered(ours: float, theirs: float, named: float | None) -> None:
    labelled = pa.table({LABEL: [1.0, 2.0], "score": [theirs, 2.0], "champion_score": [ours, None]})
    found = find_slips([labelled], "score", 10.0)
    assert (found and found.answer) == named


def test_an_absurd_label_that_came_before_its_row_is_named_too() -> None:
    world = decaying(10.0, version=make_version(task=Task.REGRESSION))
    world.label(csv(("2e6",)), "early.csv")
    world.record(world.scored("a.csv", rows(0.01), profiles={Role.CHAMPION: like_training(world.baseline)}))
    assert [alert.kind for alert in world.alerts()] == ["labels"]


def test_an_absurd_answer_of_a_regression_leaves_all_sums_finite() -> None:
    world = decaying(version=make_version(task=Task.REGRESSION))
    week(world, DAY, "2.01")
    world.scored("absurd.csv", rows(1e200, prefix="absurd"))
    world.label(csv(("1",), prefix="absurd"), "absurd.csv")
    week(world, DAY + timedelta(days=7), "2.01")
    assert math.isfinite(champion(world.performance()).loss_sum_squares)
    assert b"Infinity" not in world.store.read(layout.performance_key(MODEL, DAY))
