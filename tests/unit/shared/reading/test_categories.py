"""One category has one form, however a file writes it."""

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.shared.domain.formats import Formats
from functions.shared.domain.policy import RowContract
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.reading.categories import canonical_categories, canonical_text
from tests.unit.shared.reading.files import read

SPEC = ModelSpec(
    name="m",
    task=Task.BINARY,
    target="y",
    id_column="id",
    features=(Feature(name="c", kind=FeatureKind.CATEGORY, canonical=True),),
    metric="auc",
    estimator="e",
)
AS_WRITTEN = SPEC.model_copy(update={"features": (Feature(name="c", kind=FeatureKind.CATEGORY),)})


def parquet(values: pa.Array) -> bytes:
    body = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array([f"i{place}" for place in range(len(values))]), "c": values}), body)
    return body.getvalue()


def csv(*values: str) -> bytes:
    return b"id,c\n" + b"".join(f'i{place},"{value}"\n'.encode() for place, value in enumerate(values))


def jsonl(*values: Any) -> bytes:
    return b"".join(json.dumps({"id": f"i{place}", "c": value}).encode() + b"\n" for place, value in enumerate(values))


def categories(data: bytes, name: str, spec: ModelSpec = SPEC) -> list[object]:
    rows, rejected = read(data, name, spec=spec, contract=RowContract())
    assert not rejected
    return [row["c"] for row in rows]


NUMBERS = [
    (csv("3", "3.0", " 3 ", "3.000", "-1.0"), "a.csv"),
    (jsonl(3, 3.0, "3", " 3.0", -1), "a.jsonl"),
    (parquet(pa.array([3, 3, 3, 3, -1])), "a.parquet"),
    (parquet(pa.array([3.0, 3.0, 3.0, 3.0, -1.0])), "a.parquet"),
    (parquet(pa.array([3.0, 3.0, 3.0, 3.0, -1.0], pa.float32())), "a.parquet"),
    (parquet(pa.array(["3", "3.0", "3 ", "\u30003", "-1.0"])), "a.parquet"),
    (parquet(pa.array(["3", "3.0", "3 ", "3", "-1"]).dictionary_encode()), "a.parquet"),
]
TRUTH = [
    (csv("True", "TRUE", "true ", "False", "unknown"), "a.csv"),
    (jsonl(*(True, "True", "TRUE", False, "unknown")), "a.jsonl"),
    (parquet(pa.array(["true", "True", "TRUE", "FALSE", " unknown"])), "a.parquet"),
]


@pytest.mark.parametrize(("data", "name"), NUMBERS)
def test_a_whole_number_is_one_category_in_every_format(data: bytes, name: str) -> None:
    assert categories(data, name) == ["3", "3", "3", "3", "-1"]


MARKED = [*NUMBERS, (parquet(pa.array([3, 3, 3, 3, -1]).cast(pa.decimal128(21, 2))), "a.parquet")]


@pytest.mark.parametrize("mark", ["3", "3.0"])
@pytest.mark.parametrize(("data", "name"), MARKED)
def test_a_mark_is_a_missing_category_in_every_format_and_form(data: bytes, name: str, mark: str) -> None:
    assert categories(data, name, SPEC.model_copy(update={"formats": Formats(missing=(mark,))})) == [None, None, None, None, "-1"]


NINES = [
    (csv("9", "9.0", " 9.00", "1"), "a.csv"),
    (jsonl(*(9, 9.0, "9.0", True)), "a.jsonl"),
    *((parquet(pa.array([9, 9, 9, 1]).cast(kind)), "a.parquet") for kind in (pa.int8(), pa.float64(), pa.decimal128(21, 1))),
    (parquet(pa.array(["9", "9.0", " 9", "true"]).dictionary_encode()), "a.parquet"),
]


@pytest.mark.parametrize("mark", ["9", "9.0"])
@pytest.mark.parametrize(("data", "name"), NINES)
def test_a_mark_is_a_missing_boolean_in_every_format_and_form(data: bytes, name: str, mark: str) -> None:
    feature = Feature(name="c", kind=FeatureKind.BOOLEAN)
    spec = SPEC.model_copy(update={"features": (feature,), "formats": Formats(missing=(mark,))})
    assert categories(data, name, spec) == [None, None, None, True]


def test_a_mark_among_categories_is_no_other_spelling_that_may_carry_meaning() -> None:
    spec = SPEC.model_copy(update={"formats": Formats(missing=("9", "n"))})
    assert categories(csv("09", "N", "9.5", "n ", "9"), "a.csv", spec) == ["09", "N", "9.5", None, None]


@pytest.mark.parametrize(("data", "name"), TRUTH)
def test_a_truth_value_is_one_category_in_every_format(data: bytes, name: str) -> None:
    assert categories(data, name) == ["true", "true", "true", "false", "unknown"]


def test_booleans_of_parquet_are_the_categories_that_texts_make() -> None:
    assert categories(parquet(pa.array([True, False, None])), "a.parquet") == ["true", "false", None]


def test_what_may_mean_something_stays() -> None:
    assert categories(csv("007", "1.10", "Basic", "basic", "T", "1e3", "+1"), "a.csv") == [
        "007",
        "1.10",
        "Basic",
        "basic",
        "T",
        "1e3",
        "+1",
    ]


def test_blanks_alone_are_missing() -> None:
    assert categories(csv("", "  ", "\u00a0", "x"), "a.csv") == [None, None, None, "x"]


def test_an_older_version_reads_categories_as_they_are_written() -> None:
    assert categories(csv("3.0", "3", "plus ", "True"), "a.csv", AS_WRITTEN) == ["3.0", "3", "plus ", "True"]


@given(st.lists(st.none() | st.text(alphabet=" \t\u00a0\u30001.0-TrueFALSE", max_size=6), max_size=12))
@example(["-0.0", "-0", "0"])
def test_rows_keep_their_places_and_no_form_has_another(values: list[str | None]) -> None:
    found = canonical_categories(pa.array(values, pa.string()).dictionary_encode())
    assert found.to_pylist() == [None if value is None else canonical_text(value) for value in values]
    assert len(set(found.dictionary.to_pylist())) == len(found.dictionary)
    assert [canonical_text(text) for text in found.dictionary.to_pylist()] == found.dictionary.to_pylist()
