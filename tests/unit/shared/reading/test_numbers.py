"""Numbers in another dress, against Python's own formatting of them."""

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.formats import Formats
from functions.shared.domain.labels import numeric_targets
from functions.shared.domain.policy import RowContract
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.reading.files import infer_columns
from functions.shared.reading.labels import plain_targets
from functions.shared.reading.numbers import signs_in, to_numbers_in
from tests.unit.shared.reading.files import MemoryFile, read

EUROPEAN = Formats(decimal=",", thousands=".")


def model(formats: Formats, sign: str = "") -> ModelSpec:
    fee, plan = Feature(name="fee", kind=FeatureKind.NUMBER, sign=sign), Feature(name="plan", kind=FeatureKind.CATEGORY)
    return ModelSpec(
        name="m", task=Task.BINARY, target="y", id_column="id", features=(fee, plan), formats=formats, metric="auc", estimator="e"
    )


def fees(data: bytes, formats: Formats, sign: str = "", name: str = "a.csv") -> tuple[list[Any], list[str]]:
    rows, rejected = read(data, name, spec=model(formats, sign), contract=RowContract())
    return [row["fee"] for row in rows], [bad.message for bad in rejected]


def csv(*fees: str) -> bytes:
    return b"id;fee;plan\n" + b"".join(f"i{place};{fee};a\n".encode() for place, fee in enumerate(fees))


@given(
    st.lists(st.decimals(-(10**12), 10**12, places=2), min_size=1, max_size=20),
    st.sampled_from([(",", "."), (",", " "), (".", ","), (".", "'"), (",", "")]),
    st.sampled_from(["", "$", "€", "%", "CHF", "¥"]),
    st.sampled_from(["{sign}{text}", "{text} {sign}"]),
)
def test_a_number_is_what_python_wrote_in_that_dress(values: list[Any], signs: tuple[str, str], sign: str, place: str) -> None:
    decimal, thousands = signs
    dress = str.maketrans({",": thousands or None, ".": decimal})
    texts = [f"{value:,.2f}".translate(dress) for value in values]
    dressed = [place.format(sign=sign, text=text) for text in texts] if sign else texts
    found = to_numbers_in(pa.array(dressed), Formats(decimal=decimal, thousands=thousands), sign)
    assert found.array.to_pylist() == [float(value) for value in values]
    assert not found.refused.any()


def test_a_file_of_a_european_model_is_read_by_its_dress_and_no_other() -> None:
    found, bad = fees(csv("1.234,5", "12", "-0,5", "NA", "12.5", "1,234.5", "1.23"), EUROPEAN)
    assert found == [1234.5, 12.0, -0.5, None]
    assert bad[0] == "column 'fee': '12.5' is no number written as 1.234,5"
    assert len(bad) == 3


def test_a_percentage_needs_its_sign_for_half_a_percent_may_be_fifty() -> None:
    found, bad = fees(csv("50%", "12.5 %", "NA", "0.5"), Formats(), "%")
    assert found == [50.0, 12.5, None]
    assert bad == ["column 'fee': '0.5' is no number written as 1234.5 %"]
    assert fees(b'{"id":"a","fee":0.5,"plan":"a"}\n', Formats(), "%", "a.jsonl") == (
        [],
        ["column 'fee': '0.5' is no number written as 1234.5 %"],
    )


def test_a_price_may_lack_its_sign_but_not_have_another() -> None:
    assert fees(csv("$5", "7", "-$1", "€5"), Formats(), "$") == ([5.0, 7.0, -1.0], ["column 'fee': '€5' is no number written as 1234.5 $"])


def test_json_numbers_are_numbers_whatever_dress_texts_have() -> None:
    lines = [{"id": "a", "fee": 1.5, "plan": "a"}, {"id": "b", "fee": "1,5", "plan": "a"}, {"id": "c", "fee": 1e-9, "plan": "a"}]
    assert fees(b"".join(json.dumps(line).encode() + b"\n" for line in lines), EUROPEAN, name="a.jsonl") == ([1.5, 1.5, 1e-9], [])


@pytest.mark.parametrize("mark", ["?", r"\N", "#DIV/0!", "<NA>", "NaT"])
def test_marks_of_databases_and_spreadsheets_are_missing_numbers(mark: str) -> None:
    assert fees(csv("1", mark), Formats()) == ([1.0, None], [])


def test_a_mark_of_ones_own_is_missing_in_categories_too_and_only_then() -> None:
    data = b"id,fee,plan\na,-,NA\nb,1,-\nc,2,a\n"
    rows, rejected = read(data, "a.csv", spec=model(Formats(missing=("-", "NA"))), contract=RowContract())
    assert [(row["fee"], row["plan"]) for row in rows] == [(None, None), (1.0, None), (2.0, "a")]
    assert not rejected
    rows, rejected = read(data, "a.csv", spec=model(Formats()), contract=RowContract())
    assert [(row["fee"], row["plan"]) for row in rows] == [(1.0, "-"), (2.0, "a")]
    assert [bad.code for bad in rejected] == ["unparseable_number"]


def test_a_long_mark_of_ones_own_is_missing_as_a_short_one_is() -> None:
    assert fees(csv("1", "not known"), Formats(missing=("not known",))) == ([1.0, None], [])


def test_a_column_is_inferred_by_the_dress_that_was_named() -> None:
    file = MemoryFile(b"id;fee;plan\na;1.234,5;?\nb;;1\n")
    assert infer_columns(file, key="a.csv") == {"id": "category", "fee": "category", "plan": "number"}
    assert infer_columns(file, key="a.csv", formats=EUROPEAN)["fee"] == "number"
    marked = MemoryFile(b"id,fee\na,-\nb,2\n")
    assert infer_columns(marked, key="a.csv", formats=Formats(missing=("-",)))["fee"] == "number"


def test_signs_stand_before_or_behind_numbers() -> None:
    assert signs_in(pa.array(["$5", "12 €", "CHF 7", "-5%", "ABC", "NA", "1E5", "x %"])) == {"$", "€", "CHF", "%"}


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_targets_are_undressed_and_their_own_marks_are_missing(kind: pa.DataType) -> None:
    column = pa.chunked_array([["1.234,5", "-", "yes", "", None], ["7"]]).cast(kind)
    found = plain_targets(column, Formats(decimal=",", thousands=".", missing=("-",)), None)
    assert found.to_pylist() == ["1234.5", None, "yes", "", None, "7"]


@pytest.mark.parametrize(
    ("column", "kept"),
    [
        (pa.array([9, 1]), 1),
        (pa.array([9.0, 1.5]), 1.5),
        (pa.array([9.0, 1.5], pa.float32()), 1.5),
        (pa.array(["9.0", "09"]), "09"),
    ],
    ids=lambda found: str(getattr(found, "type", "")),
)
def test_a_mark_that_is_a_number_is_a_missing_target_in_any_type(column: pa.Array, kept: object) -> None:
    assert plain_targets(pa.chunked_array([column]), Formats(missing=("9",)), Task.BINARY).to_pylist() == [None, kept]


@given(
    st.decimals(-9999, 9999, places=2), st.sampled_from(["", "0", "00"]), st.sampled_from([("", "."), ("", ","), (".", ","), (" ", ",")])
)
def test_a_number_among_the_targets_of_a_regression_is_a_mark_if_it_is_the_same_number_to_python(
    number: Decimal, zeros: str, separators: tuple[str, str]
) -> None:
    thousands, decimal = separators
    plain = [f"{number}{zeros}", f"{number:.0f}", f"{number:e}", f"{number:.1f}", f"0{abs(number)}"]
    written = [*(text.replace(".", decimal) for text in plain), f"{number:,.2f}".translate({ord("."): decimal, ord(","): thousands})]
    for mark in (f"{number}", f"{number.normalize():f}", f"{number:.0f}"):
        formats = Formats(thousands=thousands, decimal=decimal, missing=(mark.replace(".", decimal),))
        found = plain_targets(pa.chunked_array([written]), formats, Task.REGRESSION)
        left = [None if float(text) == float(mark) else float(text) for text in [*plain, f"{number}"]]
        assert numeric_targets(found).to_pylist() == left


@pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS, None])
def test_a_mark_among_classes_is_missing_in_the_dress_of_the_file(task: Task | None) -> None:
    column = pa.chunked_array([["-999", "-999,0", " -999,00", "-999.000", "1.000", "yes", "009"]])
    found = plain_targets(column, Formats(decimal=",", thousands=".", missing=("-999", "1000", "9")), task)
    assert found.to_pylist() == [None, None, None, "-999000", None, "yes", "009"]
