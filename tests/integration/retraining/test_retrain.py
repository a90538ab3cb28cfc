"""A challenger for a model that serves: from which rows, when, and what becomes of it."""

import io
import json
import re
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from functions.retraining import handler
from functions.shared.domain import layout
from functions.shared.domain.decision import Decision, Verdict
from functions.shared.domain.errors import RegistryUnavailableError, RetrainingBusyError, TrainingError
from functions.shared.domain.policy import Window
from functions.shared.domain.spec import ModelSpec
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.leases import LONGEST, Leases
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.snapshots import Snapshots
from functions.shared.runtime import queue
from tests.fakes.extremes import all_at
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.versions import MODEL
from tests.fakes.watched_registry import WatchedRegistry
from tests.fakes.watched_store import Moment, WatchedStore
from tests.integration.retraining.world import NOW, POLICY, Row, World, day, labelled, sold, trained


def snapshot_days(world: World, decision: Decision) -> list[date]:
    days = Snapshots(world.store).read(decision.snapshot.md5)["everscore_day"].unique().to_pylist()
    return sorted(days)


def days(first: int, last: int) -> list[date]:
    return [day(number) for number in range(first, last + 1)]


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def messages(decision: Decision) -> list[str]:
    return [reason.message for reason in decision.reasons]


def opposite(row: Row) -> str:
    return "no" if row["bought"] == "yes" else "yes"


def several(rows: list[Row], classes: list[str]) -> list[Row]:
    """The rows with labels of several classes in turn."""
    return [{**row, "bought": classes[number % len(classes)]} for number, row in enumerate(rows)]


@pytest.mark.parametrize("most", [True, False])
def test_whatever_thresholds_may_be_set_a_challenger_is_judged_or_it_is_said_why_there_is_none(most: bool) -> None:  # noqa: FBT001
    world = labelled()
    Policies(world.store).write(MODEL, all_at(most=most, number=2))
    try:
        result = world.retrain()
    except TrainingError as refused:
        said = str(refused)
    else:
        said = result.skipped or result.decision.reasons[0].message  # type: ignore[union-attr]
    assert re.search(r"to train on|are needed", said), said


# What a challenger learns


def test_a_challenger_learns_all_before_the_newest_days_and_is_judged_on_these() -> None:
    world = labelled()
    decision = world.challenger()
    assert (decision.champion_version, decision.challenger_version, decision.trigger) == ("1", "2", "person")
    assert (decision.trained_first_day, decision.trained_last_day, decision.trained_rows) == (day(0), day(39), 400)
    assert (decision.holdout_first_day, decision.holdout_last_day, decision.rows, decision.days) == (day(40), day(44), 50, 5)
    assert decision.difference is not None
    assert decision.ci_low is not None
    assert decision.ci_high is not None
    assert decision.ci_low <= decision.difference <= decision.ci_high
    assert decision.difference == pytest.approx((decision.champion["log_loss"] or 0) - (decision.challenger["log_loss"] or 0))
    assert decision.thresholds.holdout_days == 5
    assert decision.agreement is not None
    assert decision.agreement.rows == 50
    assert Decisions(world.store).of(MODEL, "2") == decision
    assert not list(world.store.list("leases/"))


def test_a_gate_of_costs_compares_what_the_answers_of_both_versions_cost_and_the_canary_still_the_loss() -> None:
    world = labelled()
    costs = {"false_positive": 1, "false_negative": 20}
    world.set_policy(gate={**POLICY["gate"], "metric": "cost"}, decision={"costs": costs})
    decision = world.challenger()
    sides, held = (decision.champion, decision.challenger), sold(30, 15)[-50:]
    for side in sides:
        assert side["recall"] is not None
        assert side["precision"] is not None
        # Rows wrongly found and rows missed, back from the shares of the 50 held-out rows.
        positives = sum(row["bought"] == "yes" for row in held)
        hits = round(side["recall"] * positives)
        found = round(hits / side["precision"]) if hits else 0
        assert side["cost"] == pytest.approx((found - hits + 20 * (positives - hits)) / 50)
    assert decision.difference == pytest.approx((sides[0]["cost"] or 0) - (sides[1]["cost"] or 0))
    assert decision.minimum_effect == pytest.approx(0.02 * (sides[0]["cost"] or 0))
    assert decision.compares_costs
    assert decision.least_loss == pytest.approx(0.02 * (sides[0]["log_loss"] or 0))
    assert "by cost per row:" in messages(decision)[0]


def test_costs_are_measured_where_losses_are_compared_and_a_threshold_in_force_decides_for_both() -> None:
    world = labelled()
    world.set_policy(decision={"threshold": 0.0, "costs": {"false_positive": 3, "false_negative": 1}})
    decision = world.challenger()
    negatives = sum(row["bought"] == "no" for row in sold(30, 15)[-50:])
    for side in (decision.champion, decision.challenger):
        assert (side["recall"], side["cost"]) == (1, pytest.approx(3 * negatives / 50)), "from 0 on, each row is predicted positive"
    assert not decision.compares_costs


def test_the_snapshot_holds_the_rows_that_were_learnt_and_held_out_and_no_other() -> None:
    world = labelled()
    decision = world.challenger()
    stored = Snapshots(world.store).read(decision.snapshot.md5).drop_columns(["everscore_day"]).to_pylist()
    assert stored == sorted([*sold(0, 30), *sold(30, 15)], key=lambda row: (row["at"], row["id"]))
    assert (decision.snapshot.rows, decision.snapshot.first_day, decision.snapshot.last_day) == (450, day(0), day(44))


def test_no_row_is_used_whose_labels_may_not_be_complete() -> None:
    world = trained()
    world.label(sold(30, 30))
    world.batch(50)
    decision = world.challenger()
    assert decision.holdout_last_day == day(43), "labels are complete seven days later, by the policy's default"
    assert snapshot_days(world, decision)[-1] == day(43)


def test_a_batch_dated_in_the_future_by_a_few_rows_does_not_make_labels_mature() -> None:
    world = trained()
    world.label(sold(30, 30))
    world.batch(50, dated_ahead=4)
    assert world.challenger().holdout_last_day == day(43)


def test_of_several_labels_for_a_row_the_last_that_came_is_learnt() -> None:
    world = labelled()
    corrected = {**sold(30, 1)[0], "bought": opposite(sold(30, 1)[0])}
    world.label([corrected], "0 sorts before the first file, but came later")
    stored = Snapshots(world.store).read(world.challenger().snapshot.md5).to_pylist()
    assert [row["bought"] for row in stored if row["id"] == corrected["id"]] == [corrected["bought"]]
    assert len(stored) == 450


def test_a_labelled_file_that_was_rewritten_is_no_newer_for_it() -> None:
    world = labelled()
    corrected = {**sold(30, 1)[0], "bought": opposite(sold(30, 1)[0])}
    world.label([corrected], "correction")
    # An erasure of another row, or a rescore, writes the first file again.
    key = layout.labelled_key(MODEL, day(30), "first")
    world.store.write(key, world.store.read(key))
    stored = Snapshots(world.store).read(world.challenger().snapshot.md5).to_pylist()
    assert [row["bought"] for row in stored if row["id"] == corrected["id"]] == [corrected["bought"]]


def test_a_labelled_file_without_rows_is_in_nobodys_way() -> None:
    world = labelled()
    key = layout.labelled_key(MODEL, day(30), "first")
    emptied = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(world.store.read(key))).slice(0, 0), emptied)
    world.store.write(key, emptied.getvalue())
    assert world.challenger().trained_rows == 390


def test_a_row_of_the_training_file_that_claims_to_be_of_the_future_is_left_out_and_holds_up_nothing() -> None:
    world = World()
    world.set_policy()
    world.train([*sold(0, 30), {**sold(0, 1)[0], "id": "dreamt", "at": datetime(2099, 1, 1, tzinfo=UTC)}])
    world.serve()
    (first,) = world.decisions()
    assert [reason.message for reason in first.reasons if reason.code == "left_out"] == ["left out 1 row of the file: future_time 1"]
    world.label(sold(30, 20))
    world.batch(60)
    assert world.challenger().holdout_last_day == day(49)


def test_rows_of_a_class_that_the_champion_does_not_know_are_left_out_and_reported() -> None:
    world = labelled()
    new = [{**sold(number, 1)[0], "id": f"new-{number}"} for number in (31, 43)]
    world.label([{**new[0], "bought": "mabye"}, {**new[1], "bought": "perhaps"}], "typos")
    decision = world.challenger()
    assert decision.reasons[-1].message == "left out 2 rows: with a 'bought' that version 1 does not know"
    assert (decision.trained_rows, decision.rows) == (400, 50)


def test_a_typo_that_came_last_does_not_hide_the_label_before_it() -> None:
    world = labelled()
    world.label([{**sold(31, 1)[0], "bought": "mabye"}], "typo")
    decision = world.challenger()
    assert (decision.trained_rows, decision.rows) == (400, 50)
    assert not [reason for reason in decision.reasons if reason.code == "left_out"]


def test_a_window_without_one_of_the_champions_classes_is_refused() -> None:
    world, classes = World(), ["few", "many", "none"]
    world.set_policy()
    world.train(several(sold(0, 30), classes), estimator="sklearn.tree.DecisionTreeClassifier")
    world.serve()
    world.label(several(sold(30, 15), classes[:2]))
    world.batch(60)
    with pytest.raises(TrainingError, match="hold no 'bought' of none: widen the window"):
        world.retrain(window=Window(start=day(30), end=day(99)))
    assert world.challenger().rows == 50


def test_rows_that_todays_policy_calls_impossible_are_learnt_from_and_judged_on_no_more() -> None:
    world = labelled()
    world.set_policy(row_contract={"ranges": {"price": [-1.5, 1.5], "at": [0, 1]}})
    decision = world.challenger()
    rows = [*sold(0, 30), *sold(30, 15)]
    possible = [row for row in rows if -1.5 <= row["price"] <= 1.5]
    stored = Snapshots(world.store).read(decision.snapshot.md5)
    assert sorted(stored["price"].to_pylist()) == sorted(row["price"] for row in possible)
    assert f"left out {len(rows) - len(possible)} rows: outside the policy's row_contract.ranges" in messages(decision)


def test_of_too_many_rows_the_newest_are_learnt_and_the_decision_says_so() -> None:
    world = labelled()
    world.set_policy(retraining={"min_new_labels": 20, "max_rows": 130})
    decision = world.challenger()
    assert (decision.trained_rows, decision.trained_first_day, decision.trained_last_day) == (130, day(27), day(39))
    assert snapshot_days(world, decision) == days(27, 44)
    assert "learnt from the newest 130 of 400 rows: retraining.max_rows and retraining.max_values limit them" in messages(decision)


def test_of_wide_rows_fewer_are_learnt() -> None:
    world = labelled()
    world.set_policy(retraining={"min_new_labels": 20, "max_rows": 130, "max_values": 240})
    assert world.challenger().trained_rows == 120, "a row has two features"


def test_labelled_days_beyond_what_may_be_learnt_are_not_even_read() -> None:
    world = trained()
    world.label(sold(30, 30))
    world.batch(90)
    world.set_policy(retraining={"min_new_labels": 20, "max_rows": 120})
    calls: list[str] = []
    store = WatchedStore(world.store, lambda moment: calls.append(moment.call))
    decision = world.retrain(ports=world.ports(store=store)).decision
    assert decision is not None
    assert (decision.trained_rows, decision.trained_first_day) == (120, day(43))
    read = {found[1] for call in calls if (found := re.search(r"^read .*labelled/.*dt=([\d-]+)", call))}
    assert read == {str(when) for when in days(43, 59)}
    assert messages(decision)[-1].startswith("labelled rows up to 2013-02-12 were not read: retraining.max_rows")


def test_a_window_is_read_however_old_it_is() -> None:
    world = trained()
    world.label(sold(30, 30))
    world.batch(90)
    world.set_policy(retraining={"min_new_labels": 20, "max_rows": 100})
    decision = world.challenger(window=Window(start=day(30), end=day(39)))
    assert (decision.trained_first_day, decision.trained_last_day, decision.trained_rows) == (day(30), day(39), 100)


def test_a_late_label_for_a_row_of_the_champions_training_is_learnt_too() -> None:
    world = labelled()
    corrected = {**sold(0, 30)[0], "bought": opposite(sold(0, 30)[0])}
    world.label([corrected], "late")
    stored = Snapshots(world.store).read(world.challenger().snapshot.md5).to_pylist()
    assert [row["bought"] for row in stored if row["id"] == corrected["id"]] == [corrected["bought"]]


@pytest.mark.parametrize(
    ("policy", "request_", "first", "last"),
    [
        ({}, {"window": Window(start=day(10), end=day(20))}, 10, 20),
        ({}, {"window": Window(start=day(10), end=day(99))}, 10, 39),
        ({"window": {"start": day(5), "end": day(25)}}, {}, 5, 25),
        ({"window": {"start": day(5), "end": day(25)}}, {"window": Window(start=day(10), end=day(20))}, 10, 20),
        ({"last_days": 12}, {}, 28, 39),
    ],
)
def test_a_window_limits_what_is_learnt_and_never_reaches_into_what_is_judged_on(
    policy: dict[str, object], request_: dict[str, object], first: int, last: int
) -> None:
    world = labelled()
    world.set_policy(retraining={"min_new_labels": 20, **policy})
    decision = world.challenger(**request_)
    assert (decision.trained_first_day, decision.trained_last_day) == (day(first), day(last))
    assert snapshot_days(world, decision) == days(first, last) + days(40, 44)


def test_the_champions_own_training_days_are_never_judged_on() -> None:
    world = trained()
    world.set_policy(gate={"holdout_days": 100, "min_holdout_days": 2, "min_rows": 20, "min_rarer_class": 2, "resamples": 200})
    world.label(sold(30, 15))
    world.batch(60)
    decision = world.challenger()
    assert decision.holdout_first_day == day(24), "days 24 to 29 were held out of version 1"
    assert decision.trained_last_day == day(23)


# By which recipe


def spec_of(world: World, version: str) -> ModelSpec:
    return ModelSpec.from_json(world.store.read(layout.version_prefix(MODEL, version) + "spec.json"))


def test_a_person_tries_another_estimator_with_parameters_and_without_a_column() -> None:
    world = labelled()
    decision = world.challenger(estimator="sklearn.tree.DecisionTreeClassifier", parameters={"max_depth": 2}, drop=("shop",))
    spec = spec_of(world, "2")
    assert (spec.estimator, spec.parameters) == ("sklearn.tree.DecisionTreeClassifier", {"max_depth": 2})
    assert [feature.name for feature in spec.features] == ["price"]
    assert "shop" not in Snapshots(world.store).read(decision.snapshot.md5).column_names
    assert decision.champion["log_loss"] is not None, "the champion is measured with all of its columns"
    assert decision.difference is not None


def test_parameters_alone_are_set_on_top_of_the_champions() -> None:
    world = World()
    world.set_policy()
    world.train(sold(0, 30), parameters={"C": 0.5, "max_iter": 300})
    world.serve()
    world.label(sold(30, 15))
    world.batch(60)
    world.challenger(parameters={"C": 2.0})
    assert spec_of(world, "2").parameters == {"C": 2.0, "max_iter": 300}


def test_once_champion_another_recipe_is_the_models() -> None:
    world = labelled()
    world.challenger(estimator="sklearn.naive_bayes.GaussianNB", drop=("shop",))
    world.serve("2")
    world.label(sold(45, 5))
    assert world.challenger().champion_version == "2"
    assert spec_of(world, "3").model_dump(exclude={"libraries"}) == spec_of(world, "2").model_dump(exclude={"libraries"})


@pytest.mark.parametrize(
    ("request_", "reported"),
    [
        ({"drop": ("colour",)}, "has no feature colour to drop\nremedy: choose from its features: price, shop"),
        ({"drop": ("price", "shop")}, "no feature left of price, shop"),
        ({"estimator": "sklearn.linear_model.Ridge"}, "choose a classifier"),
        ({"estimator": "nobody.Knows"}, "installed in the functions' image"),
        ({"parameters": {"depth": 3}}, "has no parameter depth"),
        ({"estimator": "tests.fakes.estimators.Choosy"}, "cannot be trained on these rows: not this matrix"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_with_the_reason(request_: dict[str, object], reported: str) -> None:
    world = labelled()
    with pytest.raises(TrainingError, match=reported):
        world.retrain(**request_)
    assert len(world.decisions()) == 1


def test_whether_labels_can_be_learnt_is_asked_of_the_champions_recipe_not_of_a_poor_challengers() -> None:
    world = labelled()
    decision = world.challenger(estimator="sklearn.dummy.DummyClassifier")
    assert codes(decision) == ["no_gain"]


# The verdict


def test_weeks_that_lack_a_class_are_suspected_and_not_passed_as_unasked() -> None:
    world = trained()
    world.set_policy(gate={**POLICY["gate"], "holdout_days": 14, "min_holdout_days": 14})
    rows = sold(30, 21)
    second_week = {day(number) for number in range(44, 51)}
    world.label([{**row, "bought": "no"} if row["at"].date() in second_week else row for row in rows])
    world.batch(60)
    [reported] = [reason.message for reason in world.challenger().reasons if reason.code == "suspect_labels"]
    assert "none could be trained: every row has the 'bought' 'no'" in reported
    assert "gate.label_probe_margin 0.1" in reported


def test_a_challenger_that_learnt_what_the_champion_had_no_chance_to_wins() -> None:
    world = World()
    world.set_policy()
    world.train(sold(0, 8, a_day=10, noise=3))
    world.serve()
    world.label(sold(8, 40, a_day=20))
    world.batch(70)
    decision = world.challenger()
    assert (decision.verdict, codes(decision)) == (Verdict.PROMOTE, ["better"])


def test_labels_that_contradict_the_champion_wholly_decide_nothing() -> None:
    world = trained()
    world.label(sold(30, 30, cheap_sells=False, a_day=20))
    world.batch(70)
    decision = world.challenger(window=Window(start=day(30), end=day(99)))
    assert decision.verdict is Verdict.KEEP
    assert "suspect_labels" in codes(decision)


def test_a_challenger_like_its_champion_stays_out() -> None:
    decision = labelled().challenger()
    assert decision.verdict is Verdict.KEEP
    assert set(codes(decision)) & {"no_gain", "cannot_tell"}


def test_another_try_on_the_same_days_must_be_surer() -> None:
    world = labelled()
    first, second = world.challenger(), world.challenger()
    assert (first.alpha, second.alpha) == (0.05, 0.025)
    assert second.challenger_version == "3"


# Nothing to do


def test_without_a_batch_since_there_is_nothing_to_learn() -> None:
    world = trained()
    world.label(sold(30, 15))
    assert world.retrain().skipped == "no batch was scored yet, so there is nothing new to learn from: score one, and send its labels"


def test_how_far_event_time_has_come_is_known_from_the_newest_batches_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.retraining.material._LOOKED_AT", 2)
    world = labelled()
    for number in range(40, 60):
        world.batch(number)
    calls: list[str] = []
    result = world.retrain(ports=world.ports(store=WatchedStore(world.store, lambda moment: calls.append(moment.call))))
    assert result.decision is not None
    assert result.decision.holdout_last_day == day(44)
    read = {found[1] for call in calls if (found := re.search(r"^read manifests/.*dt=([\d-]+)", call))}
    assert read == {str(day(59)), str(day(60))}


def test_too_few_mature_labels_are_reported_with_what_is_needed() -> None:
    world = trained()
    world.label(sold(30, 15))
    world.batch(38)
    world.set_policy(retraining={"min_new_labels": 21})
    assert world.retrain().skipped == (
        "20 rows with mature labels came since 2013-01-30, 21 are needed (retraining.min_new_labels). Labels are mature 7 days of event "
        "time after their row (labels.delay_days), now those up to 2013-02-01. "
        '`everscore policy sales --set retraining.min_new_labels=N --reason "why"` asks for fewer'
    )
    assert len(Decisions(world.store).all(MODEL)) == 1
    assert not list(world.store.list("leases/"))


def test_labels_that_were_uploaded_twice_or_that_the_champion_does_not_know_are_no_new_rows() -> None:
    world = trained()
    world.label(sold(30, 1))
    world.label(sold(30, 1), "again")
    world.label([{**row, "id": f"other-{row['id']}", "bought": "mabye"} for row in sold(30, 1)], "typos")
    world.batch(38)
    assert (world.retrain().skipped or "").startswith("10 rows with mature labels came since 2013-01-30, 20 are needed")


def test_labels_that_the_champion_has_learnt_do_not_count_as_new() -> None:
    world = labelled()
    world.challenger()
    world.serve("2")
    assert (world.retrain().skipped or "").startswith("0 rows with mature labels came since 2013-02-14, 20 are needed")
    world.label(sold(45, 3))
    assert world.challenger().champion_version == "2"


def test_the_schedule_waits_for_newer_days_than_those_a_challenger_was_judged_on() -> None:
    world = trained()
    world.set_policy(retraining={"min_new_labels": 20, "rest_days": 6})
    world.label(sold(30, 15))
    world.batch(51)
    assert world.challenger(trigger="schedule").holdout_last_day == day(44)
    world.label(sold(45, 30), "later")
    world.batch(56)
    reported = "the schedule makes another when 6 newer ones are mature (retraining.rest_days), 5 are"
    assert world.retrain(trigger="schedule").skipped == f"the champion's last challenger was judged on days up to {day(44)}: {reported}"
    world.batch(57)
    assert world.retrain(trigger="schedule").decision is not None
    assert world.retrain(trigger="person").decision is not None, "persons need not wait"


def test_a_model_that_serves_nothing_cannot_be_retrained() -> None:
    world = trained()
    world.store.delete([layout.release_key(MODEL)])
    with pytest.raises(TrainingError, match="everscore train sales"):
        world.retrain()


def test_a_champion_whose_decision_is_gone_cannot_be_retrained() -> None:
    world = labelled()
    world.store.delete([layout.decision_key(MODEL, "1")])
    with pytest.raises(TrainingError, match="its training set is unknown"):
        world.retrain()


def test_without_a_model_one_retraining_of_each_is_asked_for() -> None:
    world = trained()
    world.store.write(layout.release_key("other"), world.store.read(layout.release_key(MODEL)))
    assert set(world.retrain(model=None, trigger="schedule").requested) == {MODEL, "other"}
    assert sorted(world.bus.requests) == [("other", "schedule"), (MODEL, "schedule")]


# One at a time


def test_while_another_retraining_runs_this_one_is_skipped() -> None:
    world = labelled()
    with Leases(world.store).held(MODEL, holder="another", now=lambda: NOW):
        assert "a retraining or an erasure of 'sales' is running" in (world.retrain().skipped or "")
    assert world.retrain().decision is not None


def test_a_retraining_that_died_holds_up_the_next_one_no_longer_than_its_lease() -> None:
    world = labelled()
    lease = Leases(world.store).held(MODEL, holder="dead", now=lambda: NOW)
    lease.__enter__()
    assert world.retrain().skipped
    world.moment = NOW + LONGEST + timedelta(seconds=1)
    assert world.retrain().decision is not None
    assert not list(world.store.list("leases/"))


def test_a_request_that_comes_again_is_not_dropped_for_the_lease_of_its_killed_function() -> None:
    world = labelled()
    Leases(world.store).take(MODEL, holder="killed", now=lambda: NOW)
    with pytest.raises(RetrainingBusyError, match="is running"):
        world.retrain(again=True)
    world.moment = NOW + LONGEST + timedelta(seconds=1)
    assert world.retrain(again=True).decision is not None


@pytest.mark.parametrize(("deliveries", "handled"), [(1, nullcontext()), (2, pytest.raises(RetrainingBusyError))])
def test_a_queue_says_how_often_it_delivered_a_request(deliveries: int, handled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    Leases(world.store).take(MODEL, holder="killed", now=lambda: NOW)
    monkeypatch.setattr(handler, "ports", world.ports)
    monkeypatch.setattr(queue, "_sqs_visibility", lambda: SimpleNamespace(hide=lambda *_: None))
    attributes = {"ApproximateReceiveCount": str(deliveries)}
    body = json.dumps({"action": "retrain", "model": MODEL})
    record = {"receiptHandle": "r", "body": body, "eventSourceARN": "arn:aws:sqs:eu-central-1:1:q", "attributes": attributes}
    with handled:
        handler.handler({"Records": [record]}, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("damage", ["spoiled", "gone"])
def test_an_old_version_that_cannot_be_loaded_stops_no_retraining_and_the_others_are_recorded(damage: str) -> None:
    world = labelled()
    world.registry = MemoryRegistry()
    world.challenger(estimator="sklearn.tree.DecisionTreeClassifier")
    spoiled = world.decisions()[-1].challenger_version
    key = layout.version_prefix(MODEL, spoiled) + "spec.json"
    if damage == "spoiled":
        world.store.write(key, world.store.read(key) + b" ")
    else:
        world.store.delete([key])
    world.registry = MemoryRegistry()
    third = world.challenger(estimator="sklearn.tree.DecisionTreeClassifier", parameters={"max_depth": 2})
    recorded = world.registry.recorded_runs(MODEL)
    assert {decision.challenger_version for decision in world.decisions() if decision.run_id in recorded} == {"1", third.challenger_version}


def test_a_version_that_is_recorded_later_says_no_more_that_it_waits_for_that() -> None:
    world = labelled()

    def away(_: Moment) -> None:
        message = "MLflow does not answer"
        raise RegistryUnavailableError(message)

    world.challenger(ports=world.ports(registry=WatchedRegistry(world.registry, away)))
    assert "unregistered" in codes(world.decisions()[-1])
    world.challenger(estimator="sklearn.tree.DecisionTreeClassifier")
    second = world.decisions()[1]
    assert second.run_id in world.registry.recorded_runs(MODEL)
    assert "unregistered" not in codes(second)


# Alerts


def test_an_alert_that_is_refused_asks_for_no_lease_and_so_is_in_nobodys_way() -> None:
    world = trained()
    calls: list[str] = []
    store = WatchedStore(world.store, lambda moment: calls.append(moment.call))
    assert world.retrain(trigger="alert:drift", ports=world.ports(store=store)).skipped
    assert not [call for call in calls if "leases/" in call]


def test_an_alert_waits_until_the_last_version_has_cooled_down() -> None:
    world = labelled()
    assert "an alert retrains after" in (world.retrain(trigger="alert:drift").skipped or "")
    world.moment = NOW + timedelta(hours=24)
    assert world.challenger(trigger="alert:drift").trigger == "alert:drift"
    assert world.retrain(trigger="alert:performance").skipped
    assert world.retrain(trigger="person").decision is not None, "persons need not wait"


@pytest.mark.parametrize("kind", ["quarantine", "failed", "silent", "stale", "unscored", "policy"])
def test_an_alert_that_new_data_cannot_mend_retrains_nothing(kind: str) -> None:
    world = labelled()
    world.moment = NOW + timedelta(days=9)
    assert world.retrain(trigger=f"alert:{kind}").skipped == f"an alert:{kind} is not a reason to retrain"
