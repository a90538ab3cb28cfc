"""The table of columns that a first training shows."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from functions.retraining.columns import column_left_out, columns_seen
from functions.retraining.event import ColumnSeen
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task


def test_each_column_is_shown_with_its_part_and_what_it_holds() -> None:
    features = (
        Feature(name="fee", kind=FeatureKind.NUMBER),
        Feature(name="note", kind=FeatureKind.CATEGORY),
        Feature(name="member", kind=FeatureKind.BOOLEAN),
    )
    spec = ModelSpec(
        name="m",
        task=Task.REGRESSION,
        target="y",
        id_column="id",
        time_column="at",
        timezone="Asia/Shanghai",
        day_zone="Asia/Shanghai",
        features=features,
        metric="rmse",
        estimator="e",
    )
    at = datetime(2024, 5, 1, 7, 30, tzinfo=UTC)
    table = pa.table(
        {
            "id": ["a", "b", "c"],
            "at": pa.array([at, at, at], pa.timestamp("us", "UTC")),
            "fee": [None, 9007199254740993.0, 0.1],
            "note": ["x" * 100, None, None],
            "member": [True, False, False],
            "y": [2.0, 2.0, 1e300],
        }
    )
    seen = column_left_out("seen", pa.chunked_array([[" on", None, "NA", "on", "off"]]))
    columns = {"fee": None, "id": None, "seen": seen, "at": None, "note": None, "member": None, "y": None}
    assert columns_seen(columns, spec, table) == (
        ColumnSeen(name="fee", kind="number", missing=1, distinct=2, example="9007199254740992"),
        ColumnSeen(name="id", kind="id", missing=0, distinct=3, example="a"),
        ColumnSeen(name="seen", kind="left out", missing=2, distinct=2, example="on"),
        ColumnSeen(name="at", kind="time", missing=0, distinct=1, example="2024-05-01 15:30 Asia/Shanghai"),
        ColumnSeen(name="note", kind="category", missing=2, distinct=1, example="x" * 59 + "…"),
        ColumnSeen(name="member", kind="boolean", missing=0, distinct=2, example="true"),
        ColumnSeen(name="y", kind="target", missing=0, distinct=2, example="2"),
    )


@pytest.mark.parametrize(
    ("values", "facts"),
    [
        (pa.array([7, None, 7.5]), (1, 2, "7")),
        (pa.array(["a", "a", None]).dictionary_encode(), (1, 1, "a")),
        (pa.array([None, None], pa.string()), (2, 0, None)),
        (pa.array([[1], None, [1]]), (1, None, None)),
        (pa.array([b"a", b"b"]), (0, None, None)),
    ],
)
def test_a_column_that_is_left_out_has_the_facts_that_its_type_allows(values: pa.Array, facts: tuple[int, int | None, str | None]) -> None:
    seen = column_left_out("x", pa.chunked_array([values]))
    assert (seen.kind, seen.missing, seen.distinct, seen.example) == ("left out", *facts)
