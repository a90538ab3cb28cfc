"""A model's first version, from an uploaded file."""

import io
import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import brier_score_loss, log_loss, precision_score, recall_score, roc_auc_score

from functions.retraining.event import ReproduceRequest, RetrainingResult, TrainRequest
from functions.retraining.fitting import score_rows
from functions.retraining.reproduction import reproduce
from functions.retraining.service import train_first
from functions.retraining.training_set import TrainingSet
from functions.shared.domain import layout
from functions.shared.domain.decision import Decision, Verdict
from functions.shared.domain.errors import BatchRejectedError, RetrainingBusyError, TrainingError
from functions.shared.domain.formats import Formats
from functions.shared.domain.release import ServedModel
from functions.shared.domain.spec import FeatureKind, ModelSpec, Task
from functions.shared.engines.bundle import LoadedModel
from functions.shared.engines.frame import to_frame
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.leases import Leases
from functions.shared.repositories.releases import Releases
from functions.shared.repositories.snapshots import Snapshots
from tests.fakes.documents import make_release
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Moment, WatchedStore
from tests.integration.retraining.world import NOW, Row, World, as_csv, day, sold, trained


def served_as(decision: Decision) -> ServedModel:
    prefix = layout.version_prefix(MODEL, decision.challenger_version)
    return ServedModel(version=decision.challenger_version, digest=decision.digest, prefix=prefix)


def released(world: World, decision: Decision) -> LoadedModel:
    return Bundles(world.store).load(served_as(decision))


def with_target(rows: list[Row], values: list[Any]) -> list[Row]:
    return [{**row, "bought": value} for row, value in zip(rows, values, strict=True)]


def test_the_first_version_wins_without_a_rival_and_is_measured_on_its_newest_days() -> None:
    world = trained()
    [decision] = Decisions(world.store).all(MODEL)
    assert (decision.verdict, decision.champion_version, decision.challenger_version) == (Verdict.PROMOTE, None, "1")
    assert (decision.trained_first_day, decision.trained_last_day, decision.trained_rows) == (day(0), day(23), 240)
    assert (decision.holdout_first_day, decision.holdout_last_day, decision.rows) == (day(24), day(29), 60)
    assert [reason.code for reason in decision.reasons] == ["first"]
    version = released(world, decision)
    held = TrainingSet(version.spec, Snapshots(world.store).read(decision.snapshot.md5)).between(day(24), day(29))
    loss = log_loss(held.truth(), score_rows(version.engine, held)[:, 0])
    assert decision.challenger["log_loss"] == pytest.approx(loss)
    assert version.baseline.loss == pytest.approx(loss)


def test_a_word_among_numbers_must_be_explained() -> None:
    rows = sold(0, 30)
    rows[7] = {**rows[7], "price": "cheap"}
    with pytest.raises(TrainingError, match=r"values of 'price' that are not numbers: 1 of 300, the first is 'cheap'"):
        World().train(rows)
    decision = World().train(rows, kinds={"price": FeatureKind.NUMBER})
    assert [reason.message for reason in decision.reasons if reason.code == "left_out"] == [
        "left out 1 row of the file: unparseable_number 1"
    ]
    world = World()
    kinds = {feature.name: feature.kind for feature in released(world, world.train(rows, kinds={"price": "category"})).spec.features}
    assert kinds["price"] is FeatureKind.CATEGORY


def test_a_word_that_also_marks_missing_numbers_makes_no_number_of_a_category() -> None:
    """As holidays are written in the UCI table of road traffic: "None", but for a few days."""
    rows = [{**row, "holiday": "Columbus Day" if place == 7 else "None"} for place, row in enumerate(sold(0, 30))]
    world = World()
    decision = world.train(rows)
    kinds = {feature.name: feature.kind for feature in released(world, decision).spec.features}
    assert kinds["holiday"] is FeatureKind.CATEGORY
    assert [reason.message for reason in decision.reasons if "holiday" in reason.message] == []


def test_what_is_not_learnt_from_is_reported() -> None:
    rows = [{**row, "seen": "2013-01-01"} for row in sold(0, 30)]
    decision = World().train([*rows, rows[0], {**rows[1], "bought": None}])
    assert [reason.message for reason in decision.reasons[1:]] == [
        "left out 2 rows of the file: missing_target 1, duplicate_id 1",
        "columns that hold neither numbers, categories nor booleans: seen",
    ]


@pytest.mark.parametrize(
    ("estimator", "parameters", "reported"),
    [
        ("sklearn.neighbors.KNeighborsClassifier", {"algorithm": "ball_tree"}, r"sklearn\.neighbors\._ball_tree\.BallTree; take another"),
        ("sklearn.gaussian_process.GaussianProcessClassifier", {}, r"sklearn\.gaussian_process\.kernels\.RBF; take another"),
    ],
)
def test_an_estimator_that_could_not_be_loaded_again_is_refused_by_the_names_of_its_types(
    estimator: str, parameters: dict[str, Any], reported: str
) -> None:
    world = World()
    with pytest.raises(TrainingError, match=reported):
        world.train(sold(0, 30), estimator=estimator, parameters=parameters)
    assert list(Decisions(world.store).all(MODEL)) == []
    assert not list(world.store.list("snapshots/"))


def test_a_metric_that_the_task_does_not_have_is_refused() -> None:
    with pytest.raises(TrainingError, match="has no metric 'rmse'\nremedy: choose one of accuracy"):
        World().train(sold(0, 30), metric="rmse")


def test_texts_that_are_all_numbers_are_categories_where_the_file_has_types() -> None:
    table = pa.Table.from_pylist([{**row, "weekday": str(number % 7)} for number, row in enumerate(sold(0, 30))])
    body = io.BytesIO()
    pq.write_table(table, body)
    world = World()
    kinds = {feature.name: feature.kind for feature in released(world, world.train(body.getvalue())).spec.features}
    assert (kinds["weekday"], kinds["price"]) == (FeatureKind.CATEGORY, FeatureKind.NUMBER)


def test_the_snapshot_holds_every_row_that_was_used_as_it_was() -> None:
    world = trained()
    [decision] = Decisions(world.store).all(MODEL)
    stored = Snapshots(world.store).read(decision.snapshot.md5).drop_columns(["everscore_day"]).to_pylist()
    assert stored == sorted(sold(0, 30), key=lambda row: (row["at"], row["id"]))
    assert decision.snapshot.rows == 300


def test_the_registry_knows_the_version_its_data_and_its_decision() -> None:
    world = trained()
    [decision] = Decisions(world.store).all(MODEL)
    run = world.registry.runs[decision.run_id or ""]
    assert run.training.parameters["snapshot"] == decision.snapshot.md5
    assert run.training.parameters["rows"] == "240"
    assert run.files["decision.json"] == decision.to_json()
    assert decision.snapshot.md5.encode() in run.files["snapshot.dvc"]


def test_the_lease_is_given_back() -> None:
    assert not list(trained().store.list("leases/"))


def test_a_model_that_serves_is_not_trained_again() -> None:
    with pytest.raises(TrainingError, match="serves already: `everscore retrain sales`"):
        trained().train(sold(0, 30))


def test_a_first_version_that_is_about_to_serve_is_made_once_and_one_that_never_serves_may_be_made_again() -> None:
    world = World()
    assert world.train(sold(0, 30)).challenger_version == "1"
    with pytest.raises(TrainingError, match="version 1 of 'sales' was made just now and is about to serve"):
        world.train(sold(0, 30))
    world.moment += timedelta(hours=1)
    assert world.train(sold(0, 30)).challenger_version == "2"


def test_a_model_that_began_to_serve_before_the_lease_was_taken_is_not_trained_again() -> None:
    world = World()
    key = world.inbox.write(f"training/{MODEL}/first.csv", as_csv(sold(0, 30))).key

    def release(moment: Moment) -> None:
        if moment.side == "before" and moment.call.startswith("create leases/"):
            Releases(world.store).publish(make_release(), over=None)

    ports = world.ports(store=WatchedStore(world.store, release))
    with pytest.raises(TrainingError, match="serves already"):
        train_first(TrainRequest(model=MODEL, key=key, target="bought", id_column="id"), ports)
    assert not world.decisions()


@pytest.mark.parametrize("rule", [{"threshold": 0.2}, {"costs": {"false_positive": 1, "false_negative": 20}}])
@pytest.mark.parametrize("task", [Task.REGRESSION, Task.MULTICLASS])
def test_a_threshold_or_costs_are_refused_for_a_task_that_has_none(rule: dict[str, Any], task: Task) -> None:
    values = [number % 3 for number in range(300)] if task is Task.REGRESSION else [WORDS[number % 3] for number in range(300)]
    [option] = rule
    world = World()
    with pytest.raises(TrainingError, match=f"--{option}: 'bought' makes a {task} task, and only a binary one has a threshold") as refused:
        world.train(with_target(sold(0, 30), values), task=task, decision=rule)
    assert refused.value.remedy == f"leave --{option} out"
    assert world.train(sold(0, 30), decision=rule).challenger_version == "1"


def test_while_another_training_runs_a_second_one_learns_it() -> None:
    world = World()
    with Leases(world.store).held(MODEL, holder="another", now=lambda: NOW), pytest.raises(RetrainingBusyError, match="is running"):
        world.train(sold(0, 30))
    assert not Decisions(world.store).all(MODEL)


# Rows


def test_rows_that_cannot_be_used_are_left_out_and_reported() -> None:
    world = World()
    world.set_policy(row_contract={"ranges": {"price": (-100, 100)}})
    undated = [{**row, "at": at} for row, at in zip(sold(30, 1, a_day=2), ["yesterday", "0001-01-01"], strict=True)]
    impossible = [{**row, "price": 1000} for row in sold(31, 1, a_day=1)]
    unlabelled = [{**row, "bought": ""} for row in sold(32, 1, a_day=4)]
    decision = world.train([*sold(0, 30), *undated, *impossible, *unlabelled])
    assert decision.snapshot.rows == 300
    reported = decision.reasons[1]
    assert reported.code == "left_out"
    assert reported.message.startswith("left out 7 rows of the file: missing_target 4, ")
    assert all(f"{reason} 1" in reported.message for reason in ("out_of_range", "unparseable_time", "implausible_time"))


def test_a_file_with_more_bad_rows_than_the_budget_allows_is_refused_with_the_first_of_them() -> None:
    rows = [{**row, "at": "yesterday"} if number % 5 == 0 else row for number, row in enumerate(sold(0, 30))]
    with pytest.raises(TrainingError, match=r"cannot read 60 rows of .*first\.csv, the first in line 2: "):
        World().train(rows)


def test_a_file_of_which_no_row_can_be_read_or_used_says_so_of_its_rows() -> None:
    with pytest.raises(TrainingError, match=r"cannot read 300 rows of .*first\.csv, the first in line 2: "):
        World().train([{**row, "id": ""} for row in sold(0, 30)])
    with pytest.raises(TrainingError, match=r"no row of .*first\.csv can be used: future_time 300"):
        World().train([{**row, "at": row["at"] + timedelta(days=9999)} for row in sold(0, 30)])


def test_a_range_for_a_column_of_words_is_a_mistake_that_is_reported() -> None:
    world = World()
    world.set_policy(row_contract={"ranges": {"shop": (0, 1)}})
    with pytest.raises(TrainingError, match="names 'shop', which holds more than numbers"):
        world.train(sold(0, 30))


def test_a_row_that_occurs_twice_is_learnt_once_by_its_last_label() -> None:
    world, rows = World(), sold(0, 30)
    decision = world.train([{**rows[0], "bought": "no"}, {**rows[0], "bought": "yes"}, *rows[1:]])
    assert decision.snapshot.rows == 300
    assert Snapshots(world.store).read(decision.snapshot.md5)["bought"][0].as_py() == "yes"


def test_without_a_time_column_a_seeded_fifth_is_held_out_and_the_day_is_that_of_arrival() -> None:
    world = World()
    rows = [{name: value for name, value in row.items() if name != "at"} for row in sold(0, 30)]
    decision = world.train(rows, time_column=None)
    assert decision.trained_rows + decision.rows == 300
    assert 40 <= decision.rows <= 80
    assert decision.holdout_first_day == decision.trained_first_day == datetime(2013, 4, 1, tzinfo=UTC).date()
    again = World().train(rows, time_column=None)
    assert again.model_dump(exclude={"run_id"}) == decision.model_dump(exclude={"run_id"})
    assert World().train(rows, time_column=None, seed=1).digest != decision.digest


@pytest.mark.parametrize(
    ("rows", "reported"),
    [
        (sold(0, 3), "to train on, at least"),
        (with_target(sold(0, 30), ["yes"] * 300), "'bought' is 'yes' (300) and nothing else"),
        (with_target(sold(0, 30), ["yes"] + ["no"] * 299), "'bought' is 'no' (299), 'yes' (1): at least 5"),
        (with_target(sold(0, 30), [""] * 300), "can be used: missing_target 300"),
    ],
)
def test_a_file_that_cannot_give_a_model_says_why(rows: list[Row], reported: str) -> None:
    world = World()
    with pytest.raises(TrainingError, match=re.escape(reported)):
        world.train(rows)
    assert not Decisions(world.store).all(MODEL)
    assert not list(world.store.list("leases/"))


def test_a_column_of_ids_that_repeat_is_refused_with_what_to_name_instead() -> None:
    rows = sold(0, 30)
    with pytest.raises(TrainingError, match=r"300 rows of .* have only 2 values of 'shop', so that most") as refused:
        World().train(
            [{**row, "shop": "north" if number % 2 else "south"} for number, row in enumerate(rows)], id_column="shop", time_column=None
        )
    assert "--id" in refused.value.remedy


def test_a_column_that_the_request_names_and_the_file_lacks_is_reported_with_those_it_has() -> None:
    with pytest.raises(TrainingError, match="has no column 'sold'; it has id, at, price, shop, bought"):
        World().train(sold(0, 30), target="sold")


@pytest.mark.parametrize("body", [b"", b"\x00\x01\x02", b"id,at,price,shop,bought\n"])
def test_a_file_that_is_no_table_is_refused(body: bytes) -> None:
    with pytest.raises(BatchRejectedError):
        World().train(body)


# What is inferred

WORDS = ["no", "maybe", "yes"]


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["no", "yes"], Task.BINARY, ("no", "yes")),
        ([0, 1], Task.BINARY, ("0", "1")),
        ([0.0, 1.0], Task.BINARY, ("0", "1")),
        (["False", "True"], Task.BINARY, ("false", "true")),
        (["0.5", "1.5"], Task.BINARY, ("0.5", "1.5")),
        (WORDS, Task.MULTICLASS, ("maybe", "no", "yes")),
        (range(20), Task.MULTICLASS, tuple(sorted(map(str, range(20))))),
        (range(21), Task.REGRESSION, ()),
        ([1, 2.5, -3e2], Task.REGRESSION, ()),
    ],
)
def test_the_task_follows_from_the_targets_values(values: Any, task: Task, classes: tuple[str, ...]) -> None:
    some = list(values)
    rows = with_target(sold(0, 30), [some[number % len(some)] for number in range(300)])
    world = World()
    spec = spec_of(world, world.train(rows, estimator=FASTEST[task]))
    assert (spec.task, spec.classes) == (task, classes)
    assert spec.metric == {Task.REGRESSION: "rmse"}.get(task, "log_loss")


FASTEST = {
    Task.BINARY: "sklearn.linear_model.LogisticRegression",
    Task.MULTICLASS: "sklearn.tree.DecisionTreeClassifier",
    Task.REGRESSION: "sklearn.linear_model.Ridge",
}


def spec_of(world: World, decision: Decision) -> ModelSpec:
    return released(world, decision).spec


def test_a_task_that_is_named_is_taken() -> None:
    rows = with_target(sold(0, 30), [number % 3 for number in range(300)])
    world = World()
    decision = world.train(rows, task=Task.REGRESSION, estimator=FASTEST[Task.REGRESSION])
    assert spec_of(world, decision).task is Task.REGRESSION
    assert decision.challenger.keys() == {"mae", "rmse", "r2", "mape"}


def test_a_binary_task_of_three_classes_is_refused() -> None:
    rows = with_target(sold(0, 30), [WORDS[number % 3] for number in range(300)])
    with pytest.raises(TrainingError, match="two classes, but 'bought' is one of maybe, no, yes"):
        World().train(rows, task=Task.BINARY)


def test_kinds_of_features_follow_from_their_values_and_ids_times_and_targets_are_none() -> None:
    world = World()
    rows = [{**row, "member": "true" if number % 2 else "false", "empty": ""} for number, row in enumerate(sold(0, 30))]
    spec = spec_of(world, world.train(rows))
    kinds = {feature.name: feature.kind for feature in spec.features}
    assert {name: kinds[name] for name in ("price", "shop", "member")} == {
        "price": FeatureKind.NUMBER,
        "shop": FeatureKind.CATEGORY,
        "member": FeatureKind.BOOLEAN,
    }
    assert not kinds.keys() & {"id", "at", "bought"}


def test_categories_are_learnt_in_the_form_that_scoring_reads_them_in() -> None:
    spellings = {"north": ["2", "2.0", "2 "], "south": ["True", "TRUE", "true"]}
    rows = [{**row, "shop": spellings[row["shop"]][number % 3]} for number, row in enumerate(sold(0, 30))]
    world = World()
    loaded = released(world, world.train(rows))
    [shop] = [feature for feature in loaded.spec.features if feature.name == "shop"]
    assert shop.canonical
    [bins] = [column.bins for column in loaded.baseline.features if column.bins.name == "shop"]
    assert sorted(bins.categories) == ["2", "true"]


def european(rows: list[Row]) -> bytes:
    """The rows as a European spreadsheet writes them, with a dash for some missing prices."""
    lines = [f"{row['id']};{row['at'].isoformat()};{row['price']:.3f};{row['shop']};{row['bought']}".replace(".", ",") for row in rows]
    return "\n".join(["id;at;price;shop;bought", *lines, lines[0].replace(lines[0].split(";")[2], "-")]).encode()


def test_numbers_in_another_dress_are_learnt_as_their_plain_forms_are() -> None:
    plain, other = World(), World()
    rows = [{**row, "at": row["at"].replace(microsecond=0)} for row in sold(0, 30)]
    by_hand = released(plain, plain.train([*rows[1:], {**rows[0], "price": ""}]))
    dressed = released(other, other.train(european(rows), formats=Formats(decimal=",", missing=("-",))))
    assert dressed.spec.formats.decimal == ","
    assert {feature.name: feature.kind for feature in dressed.spec.features}["price"] is FeatureKind.NUMBER
    assert dressed.baseline.features == by_hand.baseline.features


def test_a_column_of_prices_is_learnt_as_numbers_by_kind_and_its_sign_is_kept() -> None:
    rows = [{**row, "price": f"${row['price']}"} for row in sold(0, 30)]
    world, plain = World(), World()
    spec = released(world, world.train(rows, kinds={"price": FeatureKind.NUMBER})).spec
    assert [(feature.name, feature.kind, feature.sign) for feature in spec.features if feature.sign] == [("price", FeatureKind.NUMBER, "$")]
    mixed = [*rows[1:], {**rows[0], "price": "€1"}]
    with pytest.raises(TrainingError, match=r"'price' holds numbers in \$ and €"):
        plain.train(mixed, kinds={"price": FeatureKind.NUMBER})


def test_a_target_in_another_dress_makes_a_regression() -> None:
    rows = with_target(sold(0, 30), [f"{number},5" for number in range(300)])
    world = World()
    spec = released(world, world.train(rows, estimator=FASTEST[Task.REGRESSION], formats=Formats(decimal=","))).spec
    assert spec.task is Task.REGRESSION


def test_the_format_of_times_is_found_in_the_file_and_kept() -> None:
    rows = [{**row, "at": f"{row['at']:%d.%m.%Y %H:%M}"} for row in sold(0, 30)]
    world = World()
    decision = world.train(rows)
    spec = spec_of(world, decision)
    assert spec.formats.time_format == "%d.%m.%Y"
    assert (decision.trained_first_day, decision.holdout_last_day) == (day(0), day(29))
    [reported] = [reason.message for reason in decision.reasons if reason.code == "time_format"]
    assert reported == "times in 'at' are read by %d.%m.%Y"


def test_the_encoding_of_a_training_file_is_kept_and_reported() -> None:
    names = {"north": "北京高级套餐", "south": "上海基本套餐"}
    cities = ["广州", "深圳", "杭州", "南京", "成都", "重庆", "武汉", "西安", "苏州", "天津", "郑州", "长沙"]
    rows = [{**row, "shop": names[row["shop"]], "city": cities[number % 12]} for number, row in enumerate(sold(0, 30))]
    world = World()
    decision = world.train(as_csv(rows).decode().encode("gbk"))
    loaded = released(world, decision)
    assert loaded.spec.formats.encoding == "gb18030"
    [shop] = [column.bins for column in loaded.baseline.features if column.bins.name == "shop"]
    assert set(shop.categories) == set(names.values())
    assert "text is read as gb18030 unless it is UTF-8" in [reason.message for reason in decision.reasons]


def test_days_that_may_be_months_are_asked_for() -> None:
    rows = [{**row, "at": f"{row['at']:%d/%m/%Y}"} for row in sold(0, 12)]
    with pytest.raises(TrainingError, match=r"'02/01/2013' in 'at' is 2 January 2013 by %d/%m/%Y and 1 February 2013 by %m/%d/%Y"):
        World().train(rows)
    decision = World().train(rows, formats=Formats(time_format="%d/%m/%Y"))
    assert (decision.trained_first_day, decision.holdout_last_day) == (day(0), day(11))


def test_times_without_offset_and_days_are_in_the_models_timezone() -> None:
    world = World()
    rows = [{**row, "at": (row["at"] - timedelta(hours=9)).replace(tzinfo=None).isoformat()} for row in sold(0, 30)]
    decision = world.train(as_csv(rows), timezone="America/New_York")
    # 23 o'clock of the day before in New York is four in the morning, UTC.
    assert decision.trained_first_day == day(0) - timedelta(days=1)
    learnt = Snapshots(world.store).read(decision.snapshot.md5)
    assert learnt["at"][0].as_py() == datetime(2013, 1, 1, 4, tzinfo=UTC)
    assert learnt["everscore_day"][0].as_py() == date(2012, 12, 31)
    spec = ModelSpec.from_json(world.store.read(f"{layout.version_prefix(MODEL, '1')}spec.json"))
    assert (spec.timezone, spec.day_zone) == ("America/New_York", "America/New_York")


# The target


def test_a_word_in_a_target_of_numbers_is_reported_by_its_line() -> None:
    values: list[Any] = [f"{number}.25" for number in range(300)]
    values[7] = "warm"
    values[9] = "n/a"
    with pytest.raises(
        TrainingError, match=r"'bought' holds numbers, but not in 1 of 299 rows: line 9: column 'bought': 'warm' is no number"
    ):
        World().train(with_target(sold(0, 30), values), estimator=None)
    decision = World().train(with_target(sold(0, 30), values), task=Task.REGRESSION, estimator=FASTEST[Task.REGRESSION])
    [reported] = [reason.message for reason in decision.reasons if reason.code == "left_out"]
    assert reported == "left out 2 rows of the file: missing_target 1, unparseable_target 1"


def test_more_odd_targets_than_the_budget_allows_are_refused_with_the_first_line() -> None:
    values = ["warm" if number % 5 == 3 else number for number in range(300)]
    with pytest.raises(TrainingError, match=r"cannot read 60 rows of .*, the first in line 5: column 'bought': 'warm'"):
        World().train(with_target(sold(0, 30), values), task=Task.REGRESSION)


def test_the_positive_class_is_what_all_figures_of_a_version_are_about() -> None:
    world = World()
    decision = world.train(sold(0, 30), positive="no")
    version = released(world, decision)
    assert (version.spec.classes, version.spec.positive_class) == (("no", "yes"), "no")
    held = TrainingSet(version.spec, Snapshots(world.store).read(decision.snapshot.md5)).between(day(24), day(29))
    labels = held.table["bought"].to_pylist()
    pipeline = Bundles(world.store).pipeline(served_as(decision))
    frame = to_frame(held.table, version.spec.features)
    of_no = pipeline.predict_proba(frame)[:, pipeline.classes_.tolist().index("no")]
    assert decision.challenger == pytest.approx(
        {
            **decision.challenger,
            "recall": recall_score(labels, pipeline.predict(frame), pos_label="no"),
            "precision": precision_score(labels, pipeline.predict(frame), pos_label="no"),
            "auc": roc_auc_score([label == "no" for label in labels], of_no),
            "log_loss": log_loss(labels, pipeline.predict_proba(frame)),
            "brier": brier_score_loss(labels, of_no, pos_label="no"),
        }
    )
    assert version.baseline.prevalence == pytest.approx(labels.count("no") / len(labels))


def test_challengers_keep_the_positive_class() -> None:
    world = World()
    world.set_policy()
    world.train(sold(0, 30), positive="no")
    world.serve()
    world.label(sold(30, 15))
    world.batch(60)
    decision = world.challenger()
    assert decision.champion["auc"] == pytest.approx(decision.challenger["auc"], abs=0.1), "both are about the same class"
    assert released(world, decision).spec.positive_class == "no"


def first(world: World, rows: list[Row], **request: Any) -> RetrainingResult:
    key = world.inbox.write(f"training/{MODEL}/first.csv", as_csv(rows)).key
    plain: dict[str, Any] = {"target": "bought", "id_column": "id", "time_column": "at", "estimator": FASTEST[Task.BINARY]}
    return train_first(TrainRequest(model=MODEL, key=key, **(plain | request)), world.ports())


def test_a_first_version_says_what_it_took_the_file_for() -> None:
    learnt = first(World(), sold(0, 30)).learnt
    assert learnt is not None
    bought = Counter(row["bought"] for row in sold(0, 30))
    assert (learnt.target, learnt.task, learnt.positive, learnt.classes) == ("bought", Task.BINARY, "yes", dict(sorted(bought.items())))
    assert [(column.name, column.kind) for column in learnt.columns] == [
        ("id", "id"),
        ("at", "time"),
        ("price", "number"),
        ("shop", "category"),
        ("bought", "target"),
    ]


def warnings_of(decision: Decision) -> list[str]:
    return [reason.message for reason in decision.reasons if reason.warning]


# What is doubtful


def test_a_class_that_only_the_newest_rows_have_is_learnt_and_reported() -> None:
    world = World()
    decision = world.train(with_target(sold(0, 30), ["yes", "no"] * 120 + ["yes"] * 50 + ["maybe"] * 10))
    version = released(world, decision)
    assert version.spec.classes == ("maybe", "no", "yes")
    assert (decision.trained_rows, decision.rows) == (248, 52)
    assert warnings_of(decision) == [
        "no row before 2013-01-30 has the 'bought' 'maybe': 8 of its 10 rows went to the training, though the newest rows are held out to measure"
    ]
    world.serve()
    rebuilt = reproduce(ReproduceRequest(model=MODEL, version="1"), world.ports())
    assert rebuilt.identical, rebuilt.difference


def test_an_empty_column_and_an_index_without_a_name_are_left_out_and_reported() -> None:
    rows = [{"": number, **row, "empty": ""} for number, row in enumerate(sold(0, 30))]
    world = World()
    decision = world.train(rows)
    assert [feature.name for feature in released(world, decision).spec.features] == ["price", "shop"]
    assert warnings_of(decision) == [
        "column_1: has no name and numbers the rows (an index?), so it was left out",
        "empty: holds no value in any row, so it was left out",
    ]


def test_free_text_is_left_out_unless_a_person_asks_for_it() -> None:
    rows = [{**row, "note": f"dear sirs {number}"} for number, row in enumerate(sold(0, 30))]
    world = World()
    decision = world.train(rows)
    version = released(world, decision)
    assert [feature.name for feature in version.spec.features] == ["price", "shop"]
    assert warnings_of(decision) == [
        "note: holds another text in nearly every row (an id, or free text?), so it was left out; --kind note=category learns it"
    ]
    assert "dear sirs" not in version.baseline.model_dump_json()
    asked = released(world := World(), world.train(rows, kinds={"note": FeatureKind.CATEGORY}))
    assert [feature.name for feature in asked.spec.features] == ["price", "shop", "note"]


def test_columns_named_as_everscores_own_are_left_out_and_reported() -> None:
    world = World()
    decision = world.train([{**row, "everscore_day": number % 7, "everscore_rank": number % 5} for number, row in enumerate(sold(0, 30))])
    assert [feature.name for feature in released(world, decision).spec.features] == ["price", "shop"]
    assert warnings_of(decision) == [
        "everscore_day: is named as Everscore's own columns are, so it was left out",
        "everscore_rank: is named as Everscore's own columns are, so it was left out",
    ]


def test_a_column_without_a_name_that_holds_anything_else_is_learnt() -> None:
    world = World()
    decision = world.train([{"": number % 7, **row} for number, row in enumerate(sold(0, 30))])
    assert released(world, decision).spec.features[0].name == "column_1"


@pytest.mark.parametrize("estimator", ["sklearn.ensemble.HistGradientBoostingClassifier", *FASTEST.values()][:3])
@pytest.mark.parametrize("late", [1.5, "word", True])
def test_a_column_that_only_the_newest_rows_fill_stops_no_training(estimator: str, late: object) -> None:
    rows = [{**row, "late": late if number > 260 else ""} for number, row in enumerate(sold(0, 30))]
    decision = World().train(rows, estimator=estimator)
    assert decision.engine != "native"
    assert decision.challenger["auc"] is not None


def test_columns_are_dropped_by_name() -> None:
    world = World()
    decision = world.train(sold(0, 30), drop=("shop",))
    assert [feature.name for feature in released(world, decision).spec.features] == ["price"]
    for dropped, reported in (
        (("shop", "price"), "no column to learn from"),
        (("shops",), "no column 'shops'"),
        (("bought",), "bought: only features"),
    ):
        with pytest.raises(TrainingError, match=reported):
            World().train(sold(0, 30), drop=dropped)


def test_doubts_about_columns_stand_in_the_decision() -> None:
    rows = [{**row, "fee": f"${number % 50}", "paid": "late" if row["bought"] == "yes" else ""} for number, row in enumerate(sold(0, 30))]
    decision = World().train(rows)
    assert [reason.code for reason in decision.reasons] == ["first", "gives_away", "disguised"]
    assert [reason.warning for reason in decision.reasons] == [False, True, True]


def test_numbers_of_which_a_few_have_a_comma_are_explained() -> None:
    rows = [{**row, "fee": f"{950 + number % 60:,}.5" if number % 3 else "7.5"} for number, row in enumerate(sold(0, 30))]
    some = [{**row, "fee": "1,000.5" if number % 20 == 0 else "7.5"} for number, row in enumerate(sold(0, 30))]
    with pytest.raises(TrainingError, match=r"'fee' .*15 of 300.*holds numbers with a comma for thousands; --thousands , reads them"):
        World().train(some)
    assert "taken as a category (--thousands , reads them)" in warnings_of(World().train(rows))[-1]


def test_a_target_of_numbers_in_disguise_is_refused_with_its_name() -> None:
    rows = with_target(sold(0, 30), [f"{number},25" for number in range(300)])
    with pytest.raises(TrainingError, match=r"300 different texts.*They are numbers with a decimal comma: --decimal , reads them"):
        World().train(rows)
