"""Columns that are stored with the answers."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.policy import RowContract
from tests.component.scoring.world import (
    HEADER,
    World,
    as_csv,
    good_rows,
)
from tests.fakes.documents import serve
from tests.fakes.versions import make_version


@pytest.mark.parametrize(
    ("carry", "kept"),
    [
        ("all", HEADER),
        ("id", ("id", "at")),
        (("note", "price", "absent"), ("id", "at", "price", "note")),
        ((), ("id", "at")),
    ],
)
def test_the_policy_says_which_columns_are_stored_with_the_answers(carry: Any, kept: tuple[str, ...]) -> None:
    world = World()
    serve(world.store, make_version(), contract=RowContract(carry=carry))
    table = world.table(world.score(world.upload(as_csv(good_rows()))))
    assert tuple(table.column_names) == (*kept, "prediction", "score", "model_version", "role")


def test_an_input_column_with_the_name_of_an_answer_is_kept_under_another(world: World) -> None:
    columns = [*HEADER, "score", "role", "model_version", "prediction"]
    rows = [{**row, "score": "s", "role": "r", "model_version": "v", "prediction": "p"} for row in good_rows()]
    table = world.table(world.score(world.upload(as_csv(rows, columns))))
    assert table.column_names[len(HEADER) :] == [
        *("input_score", "input_role", "input_model_version", "input_prediction"),
        *("prediction", "score", "model_version", "role"),
    ]
    assert [set(table[f"input_{name}"].to_pylist()) for name in ("score", "role")] == [{"s"}, {"r"}]
    assert set(table["role"].to_pylist()) == {"champion"}


@given(extra=st.lists(st.sampled_from(["role", "input_role", "input_input_role", "score", "champion_score"]), unique=True))
def test_no_column_is_lost_whatever_the_input_calls_its_own(extra: list[str]) -> None:
    world = World()
    serve(world.store, make_version())
    rows = [{**row, **{name: f"{name} {row['id']}" for name in extra}} for row in good_rows(3)]
    body = as_csv(rows, [*HEADER, *extra])
    table = world.table(world.score(world.upload(body)))
    stored = [table[name].to_pylist() for name in table.column_names[len(HEADER) : len(HEADER) + len(extra)]]
    read = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    assert stored == [[row[name] for row in read] for name in extra]
