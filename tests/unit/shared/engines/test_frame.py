import math

import pyarrow as pa
import pytest

from functions.shared.domain.spec import Feature, FeatureKind
from functions.shared.engines.frame import to_frame
from tests.unit.shared.engines.rows import FEATURES, batch_of, training_rows

ROWS = {
    "shop": ["north", None, ""],
    "price": [1.5, None, -0.0],
    "age": [None, 3.0, 4.0],
    "member": [True, None, False],
    "colour": ["red", "", None],
}


def plain(values: list[object]) -> list[object]:
    return [None if isinstance(value, float) and math.isnan(value) else value for value in values]


def test_numbers_and_booleans_become_floats_and_categories_text_with_nan_for_missing() -> None:
    frame = to_frame(batch_of(ROWS), FEATURES)
    assert list(frame.columns) == [feature.name for feature in FEATURES]
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "shop": "object",
        "price": "float64",
        "age": "float64",
        "member": "float64",
        "colour": "object",
    }
    assert {name: plain(frame[name].tolist()) for name in ("shop", "price", "age", "colour")} == {
        name: ROWS[name] for name in ("shop", "price", "age", "colour")
    }
    assert plain(frame["member"].tolist()) == [1.0, None, 0.0]
    assert not any(value is None for value in frame["shop"])


def test_a_table_in_chunks_of_different_dictionaries_gives_the_same_frame_as_its_batches() -> None:
    rows = training_rows()
    table = pa.Table.from_batches([rows.slice(0, 7), batch_of(ROWS), rows.slice(7)])
    whole = to_frame(table, FEATURES)
    assert whole.iloc[:7].equals(to_frame(rows.slice(0, 7), FEATURES))
    assert whole.iloc[7:10].reset_index(drop=True).equals(to_frame(batch_of(ROWS), FEATURES))


def test_an_empty_batch_keeps_the_types() -> None:
    empty, whole = to_frame(training_rows().slice(0, 0), FEATURES), to_frame(training_rows(), FEATURES)
    assert len(empty) == 0
    assert empty.dtypes.equals(whole.dtypes)


def test_a_missing_feature_is_named() -> None:
    with pytest.raises(KeyError, match="height"):
        to_frame(training_rows(), [Feature(name="height", kind=FeatureKind.NUMBER)])
