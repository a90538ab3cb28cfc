"""Which columns give the target away, by themselves."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from functions.retraining.leaks import GIVEN_AWAY, giveaways
from tests.unit.retraining.files import rows_of

RNG = np.random.default_rng(4)
ROWS = 1000
LEFT = RNG.random(ROWS) < 0.3
ANSWERS = ["yes" if left else "no" for left in LEFT]
NOISE = RNG.normal(size=ROWS)


def found(target: Any = ANSWERS, **columns: Any) -> dict[str, float]:
    return giveaways(rows_of(target, **columns))


def test_what_is_filled_after_the_fact_is_found_whatever_its_kind() -> None:
    refund = [float(number) if left else None for number, left in enumerate(LEFT)]
    status = ["closed" if left else ("open", "new")[number % 2] for number, left in enumerate(LEFT)]
    assert found(refund=refund, status=status, flag=[bool(left) for left in LEFT], noise=NOISE.tolist()) == pytest.approx(
        {"refund": 1.0, "status": 1.0, "flag": 1.0}
    )


def test_a_number_that_ranks_the_rows_has_the_auc_that_scikit_learn_gives_it() -> None:
    days_open = NOISE + 5 * LEFT
    auc = roc_auc_score(LEFT, days_open)
    assert auc > GIVEN_AWAY
    assert found(days_open=days_open.tolist())["days_open"] == pytest.approx(auc, abs=0.003)
    assert found(days_open=(-days_open).tolist())["days_open"] == pytest.approx(auc, abs=0.003), "the other way round as well"


def test_a_strong_feature_is_no_giveaway() -> None:
    strong = NOISE + 2 * LEFT
    assert 0.9 < roc_auc_score(LEFT, strong) < GIVEN_AWAY
    assert found(strong=strong.tolist()) == {}


def test_another_text_in_every_row_says_nothing_about_other_rows() -> None:
    assert found(note=[f"text {number} of {answer}" for number, answer in enumerate(ANSWERS)]) == {}


def test_each_class_of_several_is_reported() -> None:
    plan = [("a", "b", "c")[number % 3] for number in range(ROWS)]
    assert found(plan, code=[{"a": "x1", "b": "x2", "c": "x3"}[name] for name in plan])["code"] == pytest.approx(1.0)
    one_of_them = [name == "a" for name in plan]
    assert found(plan, one=one_of_them) == {}, "b and c stay as uncertain as they were"


@pytest.mark.parametrize("again", [lambda y: 3 * y + 1, lambda y: -y, np.exp])
def test_a_regressions_target_in_another_unit_is_found(again: Any) -> None:
    assert found(NOISE.tolist(), other=again(NOISE).tolist())["other"] > GIVEN_AWAY
    assert found(NOISE.tolist(), other=(NOISE + RNG.normal(size=ROWS) / 3).tolist()) == {}


def test_few_rows_of_a_class_say_nothing() -> None:
    rare = ["yes"] * 9 + ["no"] * 200
    assert found(rare, flag=[answer == "yes" for answer in rare]) == {}
    assert found(["yes", "no"] * 20, flag=[True, False] * 20) == {}, "nor do few rows"


def test_a_constant_and_an_empty_column_are_none() -> None:
    assert found(same=[1.0] * ROWS, empty=[None] * ROWS) == {}
    assert found([5.0] * ROWS, noise=NOISE.tolist()) == {}
