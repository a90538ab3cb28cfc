"""What a person learns about columns before trusting what was learnt from them."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from functions.retraining.caveats import caveats, is_free_text
from functions.retraining.training_set import TrainingSet
from functions.shared.domain.formats import Formats
from functions.shared.reading.values import CATEGORY
from tests.unit.retraining.files import rows_of

ROWS = 200
RNG = np.random.default_rng(2)
ANSWERS = RNG.choice(["no", "yes"], ROWS).tolist()
NUMBERS = RNG.normal(size=ROWS).tolist()


def said(target: Any = ANSWERS, **columns: Any) -> dict[str, str]:
    """Messages by code."""
    reasons = caveats(rows_of(target, **columns))
    assert all(reason.warning for reason in reasons)
    return {reason.code: reason.message for reason in reasons}


def each(value: Any) -> list[Any]:
    return [value(number) for number in range(ROWS)]


def test_ordinary_columns_raise_no_doubt() -> None:
    ordinary = {
        "price": NUMBERS,
        "age": RNG.integers(18, 90, ROWS).astype(float).tolist(),
        "plan": RNG.choice(["basic", "plus"], ROWS).tolist(),
        "member": RNG.choice([True, False], ROWS).tolist(),
        "rare": [None] * (ROWS - 3) + [1.0, 2.0, 2.5],
    }
    assert said(**ordinary) == {}


DOUBTFUL: dict[str, tuple[str, list[Any], str]] = {
    "money": ("disguised", each(lambda n: f"${n % 50}.5"), "fee: holds amounts of money, taken as a category (--kind COLUMN=number"),
    "commas": ("disguised", each(lambda n: f"{n % 50},5"), "fee: holds numbers with a decimal comma, taken as a category (--decimal ,"),
    "days": ("disguised", each(lambda n: f"{1 + n % 28:02d}.05.2024"), "fee: holds days, taken as a category"),
    "days as numbers": ("disguised", each(lambda n: 20240501.0 + n % 28), "fee: holds days written as numbers"),
    "serial": ("serial", each(lambda n: 1000.0 + (n * 7) % ROWS), "fee: numbers the rows"),
    "large": ("inexact", each(lambda n: 9007199254740992.0 + 2 * (n % 50)), "fee: holds whole numbers beyond 2^53"),
    "constant": ("constant", ["EU"] * ROWS, "fee: has the same value in every row"),
    "mixed": ("mixed", each(lambda n: "none left" if n % 5 == 0 else f"{n % 60}"), "fee: holds numbers in 160 rows and words in 40"),
    "spellings": ("spellings", each(lambda n: ["Basic", "basic ", "plus"][n % 3]), "only by case or blanks, such as 'Basic' and 'basic '"),
}


@pytest.mark.parametrize("case", DOUBTFUL)
def test_a_doubtful_column_is_reported_with_what_to_do(case: str) -> None:
    code, values, message = DOUBTFUL[case]
    found = said(price=NUMBERS, fee=values)
    assert list(found) == [code]
    assert message in found[code]


@pytest.mark.parametrize(
    ("texts", "free"),
    [
        (each(lambda n: f"word {n}"), True),
        (each(lambda n: f"word {n}" if n > 10 else "word"), True),
        (each(lambda n: f"word {n // 2}"), False),
        (each(lambda n: f"word {n}")[:49], False),
        (each(lambda n: f"word {n}" if n % 2 else None), True),
        (each(lambda n: f"${n}.5"), False),
        (each(lambda n: f"{n}.25%"), False),
        (each(lambda n: f"{n}" if n % 5 else f"word {n}"), False),
        ([None] * ROWS, False),
    ],
)
def test_free_text_is_another_text_in_nearly_every_row(texts: list[str | None], *, free: bool) -> None:
    column = pa.chunked_array([texts], pa.string())
    assert is_free_text(column) is free
    assert is_free_text(column.cast(CATEGORY)) is free


def test_a_column_that_gives_the_target_away_is_reported() -> None:
    assert said(closed=[answer == "yes" for answer in ANSWERS]) == {
        "gives_away": "closed: predicts 'y' by itself, AUC 1.000: is it known when rows are scored? (--drop COLUMN leaves it out)"
    }


def test_copies_are_reported_by_their_original_and_what_merely_begins_alike_is_none() -> None:
    nearly = [*NUMBERS[:-1], 0.0]
    assert said(price=NUMBERS, again=list(NUMBERS), nearly=nearly) == {"copy": "again: is the same as price in every row"}


def test_several_columns_of_one_doubt_share_a_sentence() -> None:
    same = {f"c{number}": ["x"] * ROWS for number in range(8)}
    assert said(price=NUMBERS, **same) == {"constant": "c0, c1, c2, c3, c4 and 3 more: has the same value in every row"}


def test_classes_that_look_alike_or_are_rare_are_reported() -> None:
    answers = ["yes", "Yes", "no", "no"] * 50 + ["maybe"] * 3
    assert said(answers, price=RNG.normal(size=len(answers)).tolist()) == {
        "spellings": "y: holds values that differ only by case or blanks, such as 'yes' and 'Yes'",
        "rare_class": "y: has classes in fewer than 5 rows (maybe: 3), which can hardly be learnt",
    }


def test_of_an_adopted_pipeline_no_column_can_be_dropped_and_texts_are_its_own_affair() -> None:
    rows = rows_of(ANSWERS, adopted="models:/m/1", note=each(lambda n: f"word {n}"), closed=[answer == "yes" for answer in ANSWERS])
    [reason] = caveats(rows)
    assert reason.code == "gives_away"
    assert "--drop" not in reason.message


def test_points_where_commas_were_said_are_reported() -> None:
    rows = rows_of(ANSWERS, price=NUMBERS, fee=each(lambda n: f"{n % 50}.5"))
    commas = TrainingSet(rows.spec.model_copy(update={"formats": Formats(decimal=",")}), rows.table)
    [reason] = caveats(commas)
    assert reason.message == "fee: holds numbers with a decimal point, but --decimal , was given: taken as a category"


def test_of_few_rows_nothing_is_said() -> None:
    assert caveats(rows_of(["yes", "no"] * 20, fee=["x"] * 40)) == ()
