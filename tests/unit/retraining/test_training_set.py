"""Rows to learn from: each once, by its latest label, in an order that does not depend on chance."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.retraining.training_set import DAY, TrainingSet, assemble
from functions.shared.domain.errors import TrainingError
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task

START = datetime(2013, 1, 1, tzinfo=UTC)


def spec(*features: str, time_column: str | None = "at", task: Task = Task.BINARY) -> ModelSpec:
    named = tuple(Feature(name=name, kind=FeatureKind.NUMBER) for name in features or ("x",))
    return ModelSpec(name="m", task=task, target="y", id_column="id", time_column=time_column, features=named, metric="auc", estimator="e")


def table(rows: list[tuple[int, int, float, str | None]], *names: str) -> pa.Table:
    """Rows of id, hour, feature and label."""
    times = [START + timedelta(hours=hour) for _, hour, _, _ in rows]
    features = {name: pa.array([value for _, _, value, _ in rows], pa.float64()) for name in names or ("x",)}
    return pa.table(
        {
            "id": pa.array([f"r{number}" for number, _, _, _ in rows], pa.string()),
            "at": pa.array(times, pa.timestamp("us", "UTC")),
            **features,
            "y": pa.array([label for _, _, _, label in rows], pa.string()),
            DAY: pa.array([when.date() for when in times], pa.date32()),
        }
    )


def rows_of(found: TrainingSet) -> list[tuple[Any, ...]]:
    return [(row["id"], row["at"], row["x"], row["y"]) for row in found.table.to_pylist()]


ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 40), st.floats(-9, 9), st.sampled_from(["yes", "no", None])), min_size=1, max_size=12
)


def test_an_id_that_was_a_float_is_the_one_that_is_an_integer_now() -> None:
    texts = [["1.9999007021e+10"], ["19999007021"]]
    tables = [
        table([(0, 0, value, "yes")]).set_column(0, "id", pa.array(ids))
        for value, ids in enumerate([*texts, [19999007021.0], [19999007021]])
    ]
    assert rows_of(assemble(spec(), tables)) == [("19999007021", START, 3.0, "yes")]


@given(tables=st.lists(ROWS, min_size=1, max_size=4))
def test_the_last_label_of_an_identity_wins_and_rows_come_in_order_of_day_time_and_id(
    tables: list[list[tuple[int, int, float, str | None]]],
) -> None:
    expected: dict[tuple[datetime, str], tuple[Any, ...]] = {}
    for rows in tables:
        for number, hour, value, label in rows:
            if label is not None:
                expected[START + timedelta(hours=hour), f"r{number}"] = (value, label)
    found = assemble(spec(), [table(rows) for rows in tables])
    assert rows_of(found) == [(name, at, *answer) for (at, name), answer in sorted(expected.items())]


@pytest.mark.parametrize(
    ("labels", "wins"),
    [(["yes", "mabye"], "yes"), (["yes", "mabye", "no"], "no"), (["mabye", "perhaps"], "perhaps"), (["mabye", None], "mabye")],
)
def test_the_last_label_of_a_known_class_wins_over_a_later_one_of_none(labels: list[str | None], wins: str) -> None:
    known = spec().model_copy(update={"classes": ("no", "yes")})
    assert [row[-1] for row in rows_of(assemble(known, [table([(1, 1, 0.0, label) for label in labels])]))] == [wins]


@given(rows=ROWS)
def test_without_a_time_column_an_id_occurs_once(rows: list[tuple[int, int, float, str | None]]) -> None:
    found = assemble(spec(time_column=None), [table(rows)])
    last = {f"r{number}": label for number, _, _, label in rows if label is not None}
    assert dict(zip(found.table["id"].to_pylist(), found.table["y"].to_pylist(), strict=True)) == last


@pytest.mark.parametrize("names", [("Price", "price"), ('5" pipe', "select"), ("position", "stacked"), ("ID", "Y")])
def test_features_may_have_any_names_even_some_that_differ_by_case_alone(names: tuple[str, str]) -> None:
    found = assemble(spec(*names), [table([(1, 1, 0.5, "yes")], *names)])
    assert found.table.column_names == ["id", "at", *names, "y", DAY]


def test_a_regressions_target_that_is_no_number_is_left_out() -> None:
    found = assemble(spec(task=Task.REGRESSION), [table([(1, 1, 0.0, "1.5"), (2, 2, 0.0, "many"), (3, 3, 0.0, "inf")])])
    assert found.table["y"].to_pylist() == [1.5]


def test_rows_that_were_stored_without_their_features_say_so() -> None:
    with pytest.raises(TrainingError, match=r"lack z: .* `row_contract.carry` must be all"):
        assemble(spec("x", "z"), [table([(1, 1, 0.0, "yes")])])


def test_days_are_chosen_with_both_ends() -> None:
    found = assemble(spec(), [table([(number, 24 * number, 0.0, "yes") for number in range(5)])])
    assert found.between(date(2013, 1, 2), date(2013, 1, 4)).table["id"].to_pylist() == ["r1", "r2", "r3"]
