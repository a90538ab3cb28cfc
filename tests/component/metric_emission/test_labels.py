"""What becomes known of scored rows when their labels come."""

import io
import math
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import ttest_1samp
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from functions.metric_emission import day_rows
from functions.metric_emission.join import Labels
from functions.metric_emission.waiting import put_to_wait
from functions.shared.domain import layout
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.manifest import StoredFile
from functions.shared.domain.metrics import LABEL_COVERAGE, LABELS, LABELS_REFUSED, PERFORMANCE, PERFORMANCE_HIGH, PERFORMANCE_LOW
from functions.shared.domain.performance.days import DayPerformance, GroupPerformance
from functions.shared.domain.policy import Costs, DecisionPolicy
from functions.shared.domain.release import Role
from functions.shared.domain.spec import Task
from functions.shared.repositories.documents import read_document, read_documents
from tests.component.metric_emission.test_batches import like_training
from tests.component.metric_emission.world import DAY, Scored, World, rows
from tests.fakes.versions import MODEL, make_version

SCORES = (0.9, 0.8, 0.3, 0.6)
TRUTH = ("yes", "no", "no", "yes")
NEXT_DAY = DAY + timedelta(days=1)


def csv(truth: tuple[str, ...] = TRUTH, *, prefix: str = "r", day: date = DAY) -> str:
    """Labels of rows r0, r1, … of a day."""
    lines = [f"{prefix}{number},{day.isoformat()}T10:00:00Z,{label}\n" for number, label in enumerate(truth)]
    return "id,at,bought\n" + "".join(lines)


def without_time(truth: tuple[str, ...] = TRUTH) -> str:
    return "id,bought\n" + "".join(f"r{number},{label}\n" for number, label in enumerate(truth))


def champion(performance: DayPerformance) -> GroupPerformance:
    [group] = [group for group in performance.groups if group.role is Role.CHAMPION]
    return group


def test_metrics_of_a_day_are_those_of_scikit_learn_on_its_labelled_rows() -> None:
    world = World()
    world.scored("a.csv", rows(*SCORES))
    world.label(csv())
    group = champion(world.performance())
    truth = [label == "yes" for label in TRUTH]
    assert (group.version, group.rows, group.prevalence) == ("1", 4, 0.5)
    assert group.metrics["accuracy"] == accuracy_score(truth, [score > 0.5 for score in SCORES])
    assert group.metrics["auc"] == roc_auc_score(truth, SCORES)
    assert group.metrics["log_loss"] == pytest.approx(log_loss(truth, SCORES))
    assert group.loss_sum == pytest.approx(-sum(map(math.log, (0.9, 0.2, 0.7, 0.6))))
    emitted = {measurement.dimensions["metric"]: measurement.value for measurement in world.emitted if measurement.metric is PERFORMANCE}
    assert emitted == {name: value for name, value in group.metrics.items() if value is not None}
    assert (world.values(LABEL_COVERAGE), world.values(LABELS)) == ([1.0], [4])


def test_each_event_day_has_its_own_document() -> None:
    world = World()
    world.scored("a.csv", rows(*SCORES) + rows(0.2, 0.7, day=NEXT_DAY))
    world.label(csv() + csv(("yes", "yes"), day=NEXT_DAY).removeprefix("id,at,bought\n"))
    first, second = world.performance(), world.performance(NEXT_DAY)
    assert (first.rows_predicted, first.rows_labelled, champion(first).metrics["accuracy"]) == (4, 4, 0.75)
    assert (second.rows_predicted, second.rows_labelled, champion(second).metrics["accuracy"]) == (2, 2, 0.5)


def test_metrics_show_the_newest_day_that_has_labels_alone() -> None:
    world = World()
    world.scored("a.csv", rows(0.9, 0.8) + rows(0.9, 0.8, day=NEXT_DAY))
    world.label(csv(("no", "no")) + csv(("yes", "yes"), day=NEXT_DAY).removeprefix("id,at,bought\n"))
    world.label(csv(("yes", "no")), "older day corrected.csv")
    reported = [(found.day, found.value) for found in world.emitted if found.dimensions.get("metric") == "accuracy"]
    assert reported == [(NEXT_DAY, 1.0)]


def test_the_days_are_utc_days_whatever_the_labels_write() -> None:
    world = World()
    world.scored("a.csv", [Scored("r0", 0.9, datetime(2013, 4, 1, 23, 30, tzinfo=UTC))])
    world.label("id,at,bought\nr0,2013-04-02T01:30:00+02:00,yes\n")
    assert world.performance().rows_labelled == 1


def test_labels_that_come_late_restate_their_day() -> None:
    world = World()
    world.scored("a.csv", rows(*SCORES))
    world.label(csv(TRUTH[:2]))
    assert (world.performance().rows_labelled, champion(world.performance()).metrics["accuracy"]) == (2, 0.5)
    world.label("id,at,bought\n" + "\n".join(csv().splitlines()[3:]) + "\n", "late.csv")
    assert (world.performance().rows_labelled, champion(world.performance()).metrics["accuracy"]) == (4, 0.75)
    assert world.values(LABEL_COVERAGE) == [0.5, 1.0]


def test_a_corrected_label_restates_metrics_but_never_the_pairs_that_a_rollout_is_judged_by() -> None:
    world = World()
    world.serve(make_version(), make_version("2", seed=2))
    world.scored("a.csv", [Scored("r0", 0.9, challenger=0.6)])
    world.label(csv(("yes",)))
    first = world.performance()
    world.label(csv(("no",)), "corrected.csv")
    second = world.performance()
    assert [champion(day).metrics["accuracy"] for day in (first, second)] == [1.0, 0.0]
    assert first.pairs == second.pairs
    assert first.pairs[0].sums.sum == pytest.approx(math.log(0.9) - math.log(0.6))


def test_what_was_predicted_is_measured_where_the_rule_is_no_threshold_of_a_half() -> None:
    world = World()
    world.scored("a.csv", [replace(row, predicted="yes") for row in rows(0.2, 0.3, 0.9)])
    world.label(csv(("yes", "yes", "no")))
    metrics = champion(world.performance()).metrics
    assert (metrics["accuracy"], metrics["precision"], metrics["recall"]) == (2 / 3, 2 / 3, 1.0)


def test_champion_and_challenger_are_measured_by_what_each_predicted() -> None:
    world = World()
    world.serve(make_version(), make_version("2", seed=2))
    world.scored("a.csv", [Scored("r0", 0.4, challenger=0.3, predicted="yes"), Scored("r1", 0.6, challenger=0.1)])
    world.label(csv(("yes", "yes")))
    accuracies = {group.role: group.metrics["accuracy"] for group in world.performance().groups}
    assert accuracies == {Role.CHAMPION: 0.5, Role.CHALLENGER: 0.5}


def test_a_rollouts_file_without_predictions_by_role_is_measured_by_its_scores() -> None:
    world = World()
    world.serve(make_version(), make_version("2", seed=2))
    world.scored("old.csv", [Scored("r0", 0.9, challenger=0.4, predicted="no")], predictions_by_role=False)
    world.label(csv(("yes",)))
    accuracies = {group.role: group.metrics["accuracy"] for group in world.performance().groups}
    assert accuracies == {Role.CHAMPION: 1.0, Role.CHALLENGER: 0.0}


def test_where_answers_cost_something_the_cost_per_row_is_measured() -> None:
    world = World()
    world.set_policy(decision=DecisionPolicy(costs=Costs(false_positive=1, false_negative=20)))
    world.scored("a.csv", rows(0.9, 0.2, 0.8, 0.1))
    world.label(csv(("no", "yes", "yes", "no")))
    group = champion(world.performance())
    assert group.metrics["cost"] == (1 + 20) / 4
    expected = ttest_1samp([1, 20, 0, 0], 0).confidence_interval()
    assert (group.intervals["cost"].low, group.intervals["cost"].high) == (0.0, pytest.approx(expected.high))
    emitted = {said.metric: said.value for said in world.emitted if said.dimensions.get("metric") == "cost"}
    assert emitted == {PERFORMANCE: 5.25, PERFORMANCE_LOW: 0.0, PERFORMANCE_HIGH: pytest.approx(expected.high)}


def test_of_two_labels_for_a_row_in_one_file_the_last_counts() -> None:
    world = World()
    world.scored("a.csv", rows(0.9))
    world.label(csv(("no",)) + "r0,2013-04-01T10:00:00Z,yes\n")
    assert champion(world.performance()).metrics["accuracy"] == 1.0
    assert not list(world.store.list(layout.WAITING))


def test_champion_and_challenger_are_measured_on_all_rows_whoever_answered() -> None:
    world = World()
    world.serve(make_version(), make_version("2", seed=2))
    world.scored("a.csv", [Scored("r0", 0.9, challenger=0.4), Scored("r1", 0.2, challenger=0.1)])
    world.label(csv(("yes", "no")))
    groups = {(group.role, group.version): (group.rows, group.metrics["accuracy"]) for group in world.performance().groups}
    assert groups == {(Role.CHAMPION, "1"): (2, 1.0), (Role.CHALLENGER, "2"): (2, 0.5)}
    [pair] = world.performance().pairs
    differences = [math.log(0.9) - math.log(0.4), math.log(0.8) - math.log(0.9)]
    assert (pair.champion, pair.challenger, pair.sums.rows) == ("1", "2", 2)
    assert pair.sums.sum == pytest.approx(sum(differences))
    assert pair.sums.sum_squares == pytest.approx(sum(difference**2 for difference in differences))


def test_a_day_that_two_champions_scored_is_measured_for_each() -> None:
    world = World()
    world.scored("a.csv", rows(0.9, 0.8))
    world.serve(make_version("2", seed=2))
    world.scored("b.csv", rows(0.1, 0.2, 0.3, prefix="s"))
    world.label(csv(("yes", "yes")) + csv(("yes", "no", "no"), prefix="s").removeprefix("id,at,bought\n"))
    assert {(group.version, group.rows) for group in world.performance().groups} == {("1", 2), ("2", 3)}
    assert [found.value for found in world.emitted if found.dimensions.get("metric") == "accuracy"] == [2 / 3], (
        "reported for the one with more rows"
    )


def test_a_rollout_that_was_suspended_for_a_batch_measures_the_champion_alone() -> None:
    world = World()
    world.serve(make_version(), make_version("2", seed=2))
    world.scored("a.csv", rows(0.9), release=world.pinned.model_copy(update={"challenger_suspended": "no column"}))
    world.label(csv(("yes",)))
    assert [(group.role, group.version) for group in world.performance().groups] == [(Role.CHAMPION, "1")]
    assert world.performance().pairs == ()


def test_a_champion_that_scored_alone_and_with_challengers_on_one_day_is_measured_over_all_its_rows() -> None:
    world = World()
    world.scored("a.csv", rows(0.9, 0.8, 0.7))
    world.serve(make_version(), make_version("2", seed=2))
    world.scored("b.csv", [Scored("s0", 0.9, challenger=0.4)])
    world.serve(make_version("3", seed=3), make_version("2", seed=2))
    world.scored("c.csv", [Scored("t0", 0.1, challenger=0.8)])
    others = "".join(csv(("yes",), prefix=prefix).removeprefix("id,at,bought\n") for prefix in "st")
    world.label(csv(("yes", "yes", "yes")) + others)
    groups = [(group.role, group.version, group.rows, group.metrics["accuracy"]) for group in world.performance().groups]
    assert groups == [(Role.CHAMPION, "1", 4, 1.0), (Role.CHAMPION, "3", 1, 0.0), (Role.CHALLENGER, "2", 2, 0.5)]
    assert [(pair.champion, pair.challenger, pair.sums.rows) for pair in world.performance().pairs] == [("1", "2", 1), ("3", "2", 1)]


def test_a_label_belongs_to_the_prediction_of_its_id_and_time() -> None:
    world = World()
    other = datetime(2013, 4, 1, 11, tzinfo=UTC)
    world.scored("a.csv", [Scored("r0", 0.9), Scored("r0", 0.1, other)])
    world.label("id,at,bought\nr0,2013-04-01T11:00:00Z,yes\n")
    assert (world.performance().rows_labelled, champion(world.performance()).metrics["accuracy"]) == (1, 0.0)


def test_without_times_a_label_belongs_to_the_latest_prediction_of_its_id() -> None:
    world = World()
    world.scored("a.csv", rows(0.1))
    later = datetime(2013, 4, 1, 11, tzinfo=UTC)
    for order in permutations([Scored("r0", 0.9, later), Scored("r0", 0.2), Scored("r0", 0.3, later - timedelta(minutes=1))]):
        world.scored(f"{[row.score for row in order]}.csv", order)
        world.label(without_time(("yes",)), f"{[row.score for row in order]}.csv")
        assert (world.performance().rows_labelled, champion(world.performance()).metrics["accuracy"]) == (1, 1.0)


def test_a_rescored_batch_is_measured_instead_of_the_one_it_supersedes() -> None:
    world = World()
    first = world.scored("a.csv", rows(0.1))
    world.scored("again.csv", rows(0.9), supersedes=first.batch_id)
    world.label(csv(("yes",)))
    assert champion(world.performance()).metrics["accuracy"] == 1.0
    assert world.performance().rows_predicted == 1


def test_a_batch_that_is_rescored_after_its_labels_is_measured_again() -> None:
    world = World()
    profiles = {Role.CHAMPION: like_training(world.baseline)}
    first = world.scored("a.csv", rows(*SCORES), profiles=profiles)
    world.scored("b.csv", rows(0.1, prefix="other"), profiles=profiles)
    world.label(csv() + "other0,2013-04-01T10:00:00Z,no\n")
    assert champion(world.performance()).metrics["accuracy"] == 0.8
    again = world.scored("again.csv", rows(*(1 - score for score in SCORES)), profiles=profiles, supersedes=first.batch_id)
    world.record(again)
    assert (champion(world.performance()).rows, champion(world.performance()).metrics["accuracy"]) == (5, 0.4)


@pytest.mark.parametrize("truth", [("yes",), ("maybe",)])
def test_a_batch_older_than_labels_look_back_keeps_its_days_coverage_when_it_is_rescored(truth: tuple[str, ...]) -> None:
    world = World()
    profiles = {Role.CHAMPION: like_training(world.baseline)}
    first = world.scored("a.csv", rows(*SCORES), profiles=profiles)
    world.scored("b.csv", rows(*SCORES, prefix="s"), profiles=profiles)
    world.label(csv(truth))
    before = world.performance()
    world.moment += timedelta(days=130)
    world.record(world.scored("again.csv", rows(*SCORES), profiles=profiles, supersedes=first.batch_id))
    assert (world.performance().rows_predicted, world.performance().rows_labelled) == (8, before.rows_labelled)
    assert len(set(world.values(LABEL_COVERAGE))) == 1


def test_the_same_file_delivered_again_changes_nothing() -> None:
    world = World()
    world.scored("a.csv", rows(*SCORES))
    created = world.label(csv())
    before = world.performance(), world.store.keys(), list(world.emitted)
    world.deliver(created)
    assert (world.performance(), world.store.keys(), world.emitted) == before
    assert len(list(world.store.list(layout.labelled_prefix(MODEL, DAY)))) == 1


def test_the_same_file_uploaded_again_changes_no_metric() -> None:
    world = World()
    world.scored("a.csv", rows(*SCORES))
    world.label(csv())
    before = world.performance()
    world.label(csv())
    assert world.performance() == before


def test_labels_that_no_scored_row_waits_for_leave_the_others_alone() -> None:
    world = World()
    world.scored("a.csv", rows(0.9, 0.2))
    world.label(csv(("yes", "no", "yes")))
    assert (world.values(LABELS), world.performance().rows_labelled) == ([3], 2)


def test_labels_that_come_before_any_prediction_are_counted_and_measure_nothing() -> None:
    world = World()
    world.label(csv())
    assert world.values(LABELS) == [4]
    assert not list(world.store.list("performance/"))


def test_rows_that_a_label_look_back_does_not_reach_get_none() -> None:
    world = World()
    world.set_policy(labels={"look_back_days": 10})
    world.scored("a.csv", rows(*SCORES))
    world.moment += timedelta(days=11)
    world.label(csv())
    assert not list(world.store.list(layout.labelled_prefix(MODEL)))


def test_labels_of_a_class_that_the_model_does_not_know_are_kept_but_cover_nothing() -> None:
    world = World()
    world.scored("a.csv", rows(*SCORES))
    world.label(csv(("maybe",) * 4))
    assert (world.performance().rows_labelled, world.performance().groups) == (0, ())
    world.label(csv(("yes", "no", "maybe", "yes")), "some known.csv")
    assert (champion(world.performance()).rows, world.performance().rows_labelled) == (3, 3)
    assert world.values(LABEL_COVERAGE) == [0, 0.75]
    assert len(list(world.store.list(layout.labelled_prefix(MODEL, DAY)))) == 2


def test_a_label_of_an_unknown_class_takes_no_known_ones_place() -> None:
    world = World()
    world.scored("a.csv", rows(*SCORES))
    world.label(csv())
    before = world.performance()
    world.label(csv(("maybe",) * 4), "all unknown.csv")
    assert world.performance() == before


def test_rows_that_are_scored_twice_are_predicted_once() -> None:
    world = World()
    for name in ("a.csv", "again.csv"):
        world.scored(name, rows(*SCORES))
    world.scored("mended.csv", rows(0.9, 0.8, 0.3, 0.6, 0.5))
    world.scored("another day.csv", rows(*SCORES, day=NEXT_DAY))
    world.label(csv())
    assert (world.performance().rows_predicted, world.performance().rows_labelled) == (5, 4)
    assert world.values(LABEL_COVERAGE) == [0.8]


def test_without_times_no_label_meets_a_prediction_that_was_asked_for_after_it() -> None:
    world = World()
    world.scored("a.csv", rows(*SCORES))
    world.scored("later.csv", rows(*(1 - score for score in SCORES)), day=NEXT_DAY)
    world.label(without_time())
    assert champion(world.performance()).metrics["accuracy"] == 0.75


def test_rows_without_a_label_or_an_id_say_nothing() -> None:
    world = World()
    world.scored("a.csv", rows(*SCORES))
    world.label("id,at,bought\nr0,2013-04-01T10:00:00Z,\n,2013-04-01T10:00:00Z,yes\nr1,2013-04-01T10:00:00Z,no\n")
    assert world.performance().rows_labelled == 1
    assert world.values(LABELS) == [1]


def test_a_mark_of_a_missing_value_is_no_label() -> None:
    world = World()
    world.scored("a.csv", rows(*SCORES))
    world.label(csv(("yes", "NA", "n/a", "null")))
    assert (world.performance().rows_labelled, world.values(LABELS), world.values(LABELS_REFUSED)) == (1, [1], [0])
    numbers = World(version=make_version(task=Task.REGRESSION))
    numbers.scored("a.csv", rows(1.0, 2.0, 4.0, 8.0))
    numbers.label(csv(("2", "NA", "none", "x")))
    assert (numbers.values(LABELS), numbers.values(LABELS_REFUSED)) == ([1], [1])


def test_days_are_measured_by_the_class_that_a_person_calls_positive() -> None:
    world = World(version=make_version(positive="no"))
    world.scored("a.csv", rows(*SCORES))
    world.label(csv(("no", "yes", "yes", "no")))
    group = champion(world.performance())
    truth = [True, False, False, True]
    assert group.metrics["auc"] == roc_auc_score(truth, SCORES)
    assert group.metrics["accuracy"] == accuracy_score(truth, [score > 0.5 for score in SCORES])


def test_a_label_is_read_as_text_whatever_blanks_surround_it() -> None:
    world = World()
    world.scored("a.csv", rows(0.9))
    world.label("bought,id,at,comment\n yes ,r0,2013-04-01T10:00:00Z,x\n")
    assert champion(world.performance()).metrics["accuracy"] == 1.0


@pytest.mark.parametrize(
    "column", ["filename", "label", "position", "rank", "day", "everscore", "order", 'with "quotes"', "ünïcode", "ID", "Score"]
)
def test_columns_of_any_name_may_be_carried_along(column: str) -> None:
    world = World()
    world.scored("a.csv", rows(*SCORES), carried=column)
    world.label(csv())
    assert world.performance().rows_labelled == 4


def test_batches_with_different_columns_are_labelled_together() -> None:
    world = World()
    world.scored("a.csv", rows(0.9), carried="note")
    world.serve(make_version(), make_version("2", seed=2))
    world.scored("b.csv", [Scored("s0", 0.8, challenger=0.7)], carried="remark")
    world.label(csv(("yes",)) + csv(("yes",), prefix="s").removeprefix("id,at,bought\n"))
    assert sum(group.rows for group in world.performance().groups if group.role is Role.CHAMPION) == 2


def test_a_carried_column_may_change_its_type_from_file_to_file() -> None:
    world = World()
    for number, value in enumerate(["plain", 7, 7.5, None, True, date(2013, 4, 1), [1], b"\xff", {"a": 1}, uuid.UUID(int=1)]):
        world.scored(f"{number}.csv", rows(0.9, prefix=f"{number}-"), value=value)
    one, *others = [f"{number}-0,2013-04-01T10:00:00Z,yes\n" for number in range(10)]
    for number, line in enumerate(others):
        world.label(f"id,at,bought\n{line}", f"{number}.csv")
    world.label("id,at,bought\n" + one + "".join(others), "all.csv")
    assert world.performance().rows_labelled == 10


def test_a_batch_of_other_days_than_the_labels_is_not_read() -> None:
    world = World()
    world.scored("a.csv", rows(0.9))
    other = world.scored("b.csv", rows(0.9, day=NEXT_DAY), day=NEXT_DAY)
    world.store.delete([file.key for file in other.outputs])
    world.label(csv(("yes",)))
    assert world.performance().rows_labelled == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "empty_file"), ("id,at\nr0,2013-04-01T10:00:00Z\n", "missing_column"), ("bought\nyes\n", "missing_column"), ("\x00\x01", None)],
)
def test_people_are_alerted_to_a_file_that_holds_no_labels_and_nothing_changes(text: str, code: str | None) -> None:
    world = World()
    world.scored("a.csv", rows(*SCORES))
    before = world.store.keys()
    world.label(text)
    [alert] = world.alerts()
    assert (alert.kind, alert.evidence["key"]) == ("failed", f"labels/{MODEL}/labels.csv")
    assert code in {alert.evidence["code"], None}
    after = world.store.keys()
    reported = {found.key for prefix in ("alerts/", "causes/") for found in world.store.list(prefix)}
    assert (after - before, before - after) == (reported, set())
    assert not world.emitted


def test_people_are_alerted_to_labels_that_nobody_foresaw(caplog: pytest.LogCaptureFixture) -> None:
    world, body = World(), io.BytesIO()
    pq.write_table(pa.table({"id": ["r0"], "bought": [["yes", "no"]]}), body)
    world.label(body.getvalue(), "labels.parquet")
    [alert] = world.alerts()
    assert (alert.kind, alert.evidence["code"]) == ("failed", "unreadable")
    assert "ArrowNotImplementedError" in alert.message
    assert caplog.records[0].exc_info


def test_labels_that_pandas_wrote_as_categories_are_joined() -> None:
    world, body = World(), io.BytesIO()
    world.scored("a.csv", rows(*SCORES))
    labels = {"id": [f"r{number}" for number in range(4)], "bought": pd.Categorical(TRUTH), "at": [datetime(2013, 4, 1, 10)] * 4}
    pd.DataFrame(labels).to_parquet(body)
    world.label(body.getvalue(), "labels.parquet")
    assert champion(world.performance()).metrics["accuracy"] == accuracy_score(TRUTH, ["yes", "yes", "no", "yes"])


NUMBERS = [19999007000, 19999007007, 7, 0]
KEPT_AS = {
    "int64": pa.array(NUMBERS),
    "uint64": pa.array(NUMBERS, pa.uint64()),
    "float64": pa.array(list(map(float, NUMBERS))),
    "decimal": pa.array([Decimal(number) for number in NUMBERS], pa.decimal128(38, 2)),
    "text": pa.array(list(map(str, NUMBERS))),
    "text of floats": pa.array([f"{number}.0" for number in NUMBERS]),
    "text as it was stored before": pa.array(list(map(float, NUMBERS))).cast(pa.string()),
    "dictionary": pa.array(list(map(str, NUMBERS))).dictionary_encode(),
}


def labels_of(ids: pa.Array, truth: tuple[str, ...] = TRUTH) -> bytes:
    body = io.BytesIO()
    pq.write_table(pa.table({"id": ids, "bought": list(truth), "at": [datetime(2013, 4, 1, 10)] * len(truth)}), body)
    return body.getvalue()


@pytest.mark.parametrize(
    ("stored", "labelled"), [pair for kind in KEPT_AS for pair in ((kind, "int64"), ("text as it was stored before", kind))]
)
def test_labels_meet_rows_whatever_type_either_keeps_its_ids_in(stored: str, labelled: str) -> None:
    world = World()
    world.scored("a.csv", rows(*SCORES), ids=KEPT_AS[stored])
    world.label(labels_of(KEPT_AS[labelled]), "labels.parquet")
    performance = world.performance()
    assert (performance.rows_predicted, performance.rows_labelled) == (4, 4)
    assert champion(performance).metrics["accuracy"] == accuracy_score(TRUTH, ["yes", "yes", "no", "yes"])


def test_an_id_that_batches_keep_in_several_types_is_predicted_and_labelled_once() -> None:
    world = World()
    for name, ids in KEPT_AS.items():
        world.scored(f"{name}.csv", rows(*SCORES), ids=ids)
        world.label(labels_of(ids), f"{name}.parquet")
    assert (world.performance().rows_predicted, world.performance().rows_labelled) == (4, 4)


def test_uuids_are_joined_by_their_usual_text() -> None:
    world, names = World(), [uuid.UUID(int=number) for number in range(4)]
    ids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([name.bytes for name in names], pa.binary(16)))
    world.scored("a.csv", rows(*SCORES), ids=ids)
    world.label("id,at,bought\n" + "".join(f"{name},2013-04-01T10:00:00Z,yes\n" for name in names))
    world.scored("b.csv", rows(*SCORES))
    world.label(csv(), "more.csv")
    assert world.performance().rows_labelled == 8


@pytest.mark.parametrize("odd", [date(1, 1, 1), date(9999, 12, 31)])
@pytest.mark.parametrize("alone", [True, False])
def test_days_that_an_earlier_version_stored_stop_no_measuring(odd: date, alone: bool) -> None:  # noqa: FBT001
    """Rows and labels of .NET's "no time" and of a database's "no end" were scored and joined before they were set aside."""
    world = World()
    profiles = {Role.CHAMPION: like_training(world.baseline)}
    world.scored("odd.csv", rows(0.9, day=odd), profiles=profiles)
    waiting = csv(("no",), day=odd)
    body = {"id": ["r0"], "time": pa.array([datetime(odd.year, odd.month, odd.day, 10)], pa.timestamp("us", "UTC")), "label": ["no"]}
    labels = Labels(pa.table(body), has_time=True)
    put_to_wait(MODEL, "old", labels, world.moment, world.store)
    world.record(world.scored("again.csv", rows(0.9, day=odd), profiles=profiles))
    assert world.performance(odd).rows_labelled == 1
    if not alone:
        world.emitted.clear()
        world.record(world.scored("a.csv", rows(*SCORES), profiles=profiles))
        world.label(csv(), "good.csv")
        assert (world.performance().rows_labelled, world.values(LABEL_COVERAGE)) == (4, [1.0])
    world.label(waiting, "odd.csv")
    assert world.values(LABELS_REFUSED)[-1] == 1


def test_labels_of_a_model_that_serves_nothing_are_alerted_on_and_make_no_model() -> None:
    world = World()
    world.store.delete([layout.release_key(MODEL)])
    world.label(csv())
    [alert] = read_documents(world.store, Alert, layout.alert_prefix(layout.UNNAMED_MODEL))
    assert (alert.kind, alert.evidence) == (AlertKind.FAILED, {"code": "no_release", "key": f"labels/{MODEL}/labels.csv"})
    assert f"everscore train {MODEL}" in alert.message
    assert not [key for key in world.store.keys() if key.startswith(("totals/", "waiting/"))]  # noqa: SIM118 - a method of the store


@pytest.mark.parametrize("key", ["labels/loose.csv", "labels/un nameable/a.csv"])
def test_labels_whose_key_names_no_model_are_alerted_on(key: str) -> None:
    world = World()
    info = world.inbox.write(key, csv().encode())
    world.deliver(StoredObject(bucket="inbox", key=key, version_id=info.version_id, etag=info.etag, size_bytes=info.bytes))
    [alert] = read_documents(world.store, Alert, layout.alert_prefix(layout.UNNAMED_MODEL))
    assert (alert.kind, alert.evidence["code"]) == (AlertKind.FAILED, "no_model")


def test_a_regressions_numbers_are_measured_and_what_is_none_is_left_out() -> None:
    world = World(version=make_version(task=Task.REGRESSION))
    world.scored("a.csv", rows(1.0, 2.0, 4.0, 8.0))
    world.label(csv(("2", "2.5", "x", "inf")))
    group = champion(world.performance())
    assert group.rows == 2
    assert group.metrics["mae"] == pytest.approx((1 + 0.5) / 2)
    assert group.metrics["rmse"] == pytest.approx(math.sqrt((1 + 0.25) / 2))
    assert (world.values(LABELS), world.values(LABELS_REFUSED)) == ([2], [2])


@pytest.mark.parametrize("few", [day_rows.FEW, 0])
def test_labels_of_rows_that_have_expired_meet_nothing_and_those_of_others_are_measured(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_rows, "FEW", few)
    world = World()
    old = world.scored("old.csv", rows(*SCORES))
    world.scored("new.csv", rows(*SCORES, prefix="n"))
    world.store.delete([output.key for output in old.outputs])
    world.label(csv() + csv(prefix="n").removeprefix("id,at,bought\n"))
    group = champion(world.performance())
    assert (group.rows, group.metrics["accuracy"]) == (4, 1.0 * accuracy_score([1, 0, 0, 1], [score > 0.5 for score in SCORES]))


@pytest.mark.parametrize("left", [0, 1])
def test_a_batch_that_is_measured_after_rows_expired_is_estimated_by_the_files_left(left: int) -> None:
    world = World()
    profiles = {Role.CHAMPION: like_training(world.baseline)}
    first = world.scored("a.csv", rows(*SCORES), profiles=profiles)
    world.label(csv())
    kept = world.scored("kept.csv", rows(0.9, prefix="other")).outputs[:left]
    expired = StoredFile(key="scored/expired.parquet", rows=4, bytes=1, sha256="")
    late = world.scored("again.csv", rows(*SCORES), profiles=profiles, supersedes=first.batch_id, outputs=(expired, *kept))
    world.record(late)
    judgement = read_document(world.store, BatchJudgement, layout.emitted_key(MODEL, late.batch_id))
    assert judgement is not None
    assert (judgement.estimate.rows if judgement.estimate else 0) == left
    assert champion(world.performance()).rows == 4
