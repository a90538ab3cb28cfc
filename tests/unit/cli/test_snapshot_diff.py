"""What differs between two training sets is counted by row and measured by column."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from infra.cli.snapshot_diff import compare_snapshots

SPEC = ModelSpec(
    name="m",
    task=Task.BINARY,
    target="y",
    id_column="id",
    time_column="at",
    features=(Feature(name="x", kind=FeatureKind.NUMBER), Feature(name="old0", kind=FeatureKind.CATEGORY)),
    metric="log_loss",
    estimator="e",
)
DAY = datetime(2024, 1, 1, tzinfo=UTC)
ROWS = st.dictionaries(
    st.integers(0, 12), st.tuples(st.sampled_from(["no", "yes"]), st.sampled_from([1.0, 2.0, None]), st.sampled_from(["a", "b", None]))
)

type Rows = dict[int, tuple[str, float | None, str | None]]


def snapshot(rows: Rows) -> pa.Table:
    columns: dict[str, Any] = {
        "id": pa.array([f"r{key}" for key in rows], pa.string()),
        "at": pa.array([DAY] * len(rows), pa.timestamp("us", "UTC")),
        "y": pa.array([row[0] for row in rows.values()], pa.string()),
        "x": pa.array([row[1] for row in rows.values()], pa.float64()),
        "old0": pa.array([row[2] for row in rows.values()], pa.string()),
    }
    return pa.table(columns)


@given(old=ROWS.filter(bool), new=ROWS.filter(bool))
def test_rows_are_matched_by_identity(old: Rows, new: Rows) -> None:
    found = compare_snapshots(SPEC, snapshot(old), snapshot(new))
    kept = old.keys() & new.keys()
    assert found["added"] == len(new.keys() - old.keys())
    assert found["removed"] == len(old.keys() - new.keys())
    assert found["relabelled"] == sum(old[key][0] != new[key][0] for key in kept)
    assert found["changed"] == sum(old[key][1:] != new[key][1:] for key in kept)


def test_columns_that_came_or_went_are_named() -> None:
    rows = snapshot({1: ("no", 1.0, "a"), 2: ("yes", 2.0, "b")})
    found = compare_snapshots(SPEC, rows, rows.drop_columns(["x"]).append_column("z", pa.array([1, 2])))
    assert (found["columns_added"], found["columns_removed"]) == (["z"], ["x"])
    assert [feature["feature"] for feature in found["features"]] == ["old0"]


def test_a_distribution_that_moved_is_far_from_the_old_one() -> None:
    old = snapshot({number: ("no", float(number), "a") for number in range(100)})
    new = snapshot({number: ("no", float(number + 80), "a") for number in range(100)})
    distances = {feature["feature"]: feature["psi"] for feature in compare_snapshots(SPEC, old, new)["features"]}
    assert distances["old0"] < 0.01
    assert distances["x"] > 1
