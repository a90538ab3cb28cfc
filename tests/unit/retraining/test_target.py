"""Which task a target makes, and which of its values say nothing."""

from typing import Any

import pyarrow as pa
import pytest

from functions.retraining.target import positive_class, read_target
from functions.shared.domain.errors import TrainingError
from functions.shared.domain.formats import Formats
from functions.shared.domain.spec import Task
from functions.shared.reading.rows import RejectedRow


def odd_rows(*rows: tuple[int | None, str]) -> tuple[RejectedRow, ...]:
    return tuple(RejectedRow(7, line, None, "unparseable_number", f"column 'y': '{text}' is no number", text) for line, text in rows)


def read(values: Any, task: Task | None = None, *rows: tuple[int | None, str]) -> Any:
    column = pa.chunked_array([values if isinstance(values, pa.Array) else pa.array(values)])
    return read_target("y", column, task, lambda: odd_rows(*rows))


@pytest.mark.parametrize("mark", ["NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "n/a", "na", "", " NA ", None])
@pytest.mark.parametrize(
    ("others", "task"),
    [(["no", "yes"], Task.BINARY), (["1", "0"], Task.BINARY), (["1.5", "2", "3"], Task.REGRESSION), (["a", "b", "c"], Task.MULTICLASS)],
)
def test_a_mark_of_a_missing_value_is_neither_a_class_nor_a_number(mark: str | None, others: list[str], task: Task) -> None:
    found = read([*others, mark])
    assert (found.task, found.refused) == (task, 0)
    assert found.values.is_valid().to_pylist() == [*([True] * len(others)), False]


@pytest.mark.parametrize("task", [Task.REGRESSION, None])
def test_a_mark_of_the_files_own_is_missing_among_numbers_however_it_is_written(task: Task | None) -> None:
    column = pa.chunked_array([["1,5", "2", "-99,90", "-99,9", "-9,99e1", "-99,8"]])
    found = read_target("y", column, task, odd_rows, Formats(decimal=",", missing=("-99,9",)))
    assert (found.task, found.refused) == (Task.REGRESSION, 0)
    assert found.values.to_pylist() == [1.5, 2.0, None, None, None, -99.8]


def test_among_words_none_is_a_class_and_among_numbers_it_is_missing() -> None:
    cover = read(["full", "none", "partial", "NA"])
    assert (cover.task, cover.values.to_pylist()) == (Task.MULTICLASS, ["full", "none", "partial", None])
    numbers = read(["1", "2", "3", "none"])
    assert (numbers.task, numbers.values.to_pylist()) == (Task.MULTICLASS, ["1", "2", "3", None])


def test_a_word_among_numbers_is_refused_with_its_line_and_what_to_say() -> None:
    values = [f"{number}.5" for number in range(97)] + ["warm", "n/a", "cold"]
    with pytest.raises(TrainingError) as said:
        read(values, None, (99, "warm"), (101, "cold"))
    assert "'y' holds numbers, but not in 2 of 99 rows" in str(said.value)
    assert "line 99: column 'y': 'warm' is no number, line 101" in str(said.value)
    assert "--task regression" in str(said.value)
    assert "--task multiclass" in str(said.value)


def test_a_typo_next_to_two_classes_is_refused_unless_a_person_names_the_task() -> None:
    values = ["yes"] * 250 + ["no"] * 245 + ["ye s", "nO", "N", "Y", "Y"]
    with pytest.raises(TrainingError) as said:
        read(values)
    assert said.value.message == "'y' is 'yes' or 'no', but something else in 5 rows: 'ye s', 'nO', 'N', 'Y'"
    assert read(values, Task.MULTICLASS).task is Task.MULTICLASS


def test_the_remedy_for_a_typo_is_about_its_rows_and_not_about_a_mark_that_features_may_hold() -> None:
    with pytest.raises(TrainingError) as said:
        read(["1"] * 250 + ["0"] * 248 + ["2", "2"])
    assert said.value.message == "'y' is '1' or '0', but something else in 2 rows: '2'"
    assert said.value.remedy == "mend these rows or take them out of the file; if they are meant, name the task with --task"


@pytest.mark.parametrize(
    "values",
    [
        ["yes"] * 60 + ["no"] * 60 + ["maybe"] * 4,
        ["yes"] * 250 + ["no"] * 245 + ["maybe"] * 5,
        ["a"] * 250 + ["b"] * 248 + ["c"] * 248 + ["d"],
    ],
    ids=["too many of few rows", "enough to learn", "three classes"],
)
def test_a_third_class_is_one_where_its_rows_may_be_meant(values: list[str]) -> None:
    assert read(values).task is Task.MULTICLASS


def test_of_many_odd_values_some_are_shown_and_the_others_counted() -> None:
    with pytest.raises(TrainingError, match=r"row 7: .*.* and 2 more\n"):
        read(["1", "2", "3", "4", "5", "6", "a", "b", "c", "d", "e"], None, *[(None, text) for text in "abcde"])


def test_whoever_names_the_task_decides_what_odd_values_are() -> None:
    values = ["1", "2", "3", "4", "warm", "1e80"]
    regression = read(values, Task.REGRESSION)
    assert (regression.values.to_pylist(), regression.refused) == ([1, 2, 3, 4, None, None], 2)
    classes = read(values, Task.MULTICLASS)
    assert (classes.values.to_pylist(), classes.refused) == (values, 0)


def test_nearly_as_many_texts_as_rows_are_no_classes() -> None:
    commas = [f"{number},5" for number in range(80)]
    with pytest.raises(TrainingError, match=r"(?s)holds 80 different texts in 80 rows, such as '0,5'.*--task multiclass"):
        read(commas)
    assert read(commas, Task.MULTICLASS).task is Task.MULTICLASS
    assert read([f"class {number}" for number in range(80)] * 10).task is Task.MULTICLASS, "ten rows each"


@pytest.mark.parametrize(
    "typed",
    [
        pa.array([1, 0, None], pa.int8()),
        pa.array([1.0, 0.0, float("nan")]),
        pa.array(["1", "0", None]).dictionary_encode(),
        pa.array([True, False, None]),
    ],
)
def test_typed_columns_say_the_same_as_text(typed: pa.Array) -> None:
    found = read(typed)
    assert found.task is Task.BINARY
    assert found.values.to_pylist() in (["1", "0", None], ["true", "false", None])


def test_a_time_is_no_number() -> None:
    days = pa.array([10, 20], pa.date32())
    assert read(days).values.to_pylist() == ["1970-01-11", "1970-01-21"]
    assert read(days, Task.REGRESSION).refused == 2


def test_the_positive_class_is_one_of_two() -> None:
    binary = read(["1.0", "0", "1"])
    assert positive_class("1.0", "y", binary) == "1", "written otherwise, it is the same class"
    assert positive_class(None, "y", binary) is None
    with pytest.raises(TrainingError, match="--positive yes: 'y' holds no such class\nremedy: choose from: 0, 1"):
        positive_class("yes", "y", binary)
    with pytest.raises(TrainingError, match="'y' makes a multiclass task"):
        positive_class("a", "y", read(["a", "b", "c"]))
