"""How both models would have done on earlier days, shown with the gate's decision."""

from collections.abc import Sequence

import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from functions.shared.domain.decision import Decision
from functions.shared.domain.policy import Window
from tests.integration.retraining.world import POLICY, Row, World, day, labelled, sold, trained


def folds(decision: Decision) -> list[tuple[int, int]]:
    return [((fold.first_day - day(0)).days, (fold.last_day - day(0)).days) for fold in decision.cross_validation]


def loss_by_hand(learnt: Sequence[Row], tested: Sequence[Row]) -> float:
    """Log loss of what scikit-learn makes of the same steps."""
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["shop"]), (make_pipeline(SimpleImputer(), StandardScaler()), ["price"])
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=1000))
    past, present = pd.DataFrame(learnt), pd.DataFrame(tested)
    return float(log_loss(present["bought"], model.fit(past, past["bought"]).predict_proba(present)))


def of_days(first: int, last: int) -> list[Row]:
    return [row for row in [*sold(0, 30), *sold(30, 15)] if day(first) <= row["at"].date() <= day(last)]


def test_each_fold_is_as_long_as_the_holdout_and_both_know_only_what_came_before_it() -> None:
    decision = labelled().challenger()
    assert decision.holdout_first_day == day(40)
    assert folds(decision) == [(25, 29), (30, 34), (35, 39)]
    for fold, (first, last) in zip(decision.cross_validation, folds(decision), strict=True):
        assert fold.rows == len(of_days(first, last)) == 50
        assert fold.challenger["log_loss"] == pytest.approx(loss_by_hand(of_days(0, first - 1), of_days(first, last)), abs=1e-3)
        assert fold.champion["log_loss"] == pytest.approx(loss_by_hand(of_days(0, 23), of_days(first, last)), abs=1e-3)


def test_where_the_champion_has_learnt_a_folds_days_it_is_made_again_from_those_before() -> None:
    world = labelled()
    world.challenger()
    world.serve("2")
    world.label(sold(45, 5))
    decision = world.challenger()
    assert folds(decision) == [(30, 34), (35, 39), (40, 44)]
    for fold in decision.cross_validation[:2]:
        assert fold.champion == fold.challenger, "both are made alike from the same rows"
    assert decision.cross_validation[2].champion["log_loss"] == pytest.approx(loss_by_hand(of_days(0, 39), of_days(40, 44)), abs=1e-3)


def test_what_happens_later_changes_no_earlier_fold() -> None:
    plain, inverted = trained(), trained()
    plain.label(sold(30, 15))
    inverted.label([*sold(30, 15)[:50], *sold(35, 10, cheap_sells=False)])
    for world in (plain, inverted):
        world.batch(60)
    first, second = plain.challenger().cross_validation, inverted.challenger().cross_validation
    assert first[:2] == second[:2]
    assert first[2] != second[2]


def test_a_window_holds_in_the_folds_too_and_those_without_enough_before_them_are_left_out() -> None:
    decision = labelled().challenger(window=Window(start=day(28), end=day(99)))
    assert folds(decision) == [(35, 39)], "day 28 and 29 alone are too little to learn from"
    [fold] = decision.cross_validation
    assert fold.challenger["log_loss"] == pytest.approx(loss_by_hand(of_days(28, 34), of_days(35, 39)), abs=1e-3)


def test_each_fit_learns_the_newest_rows_allowed() -> None:
    world = labelled()
    world.set_policy(gate={**POLICY["gate"], "fold_rows": 100})
    fold = world.challenger().cross_validation[-1]
    assert fold.challenger["log_loss"] == pytest.approx(loss_by_hand(of_days(25, 34), of_days(35, 39)), abs=1e-3)


@pytest.mark.parametrize("asked", [0, 1])
def test_without_folds_nothing_is_cross_validated(asked: int) -> None:
    world = labelled()
    world.set_policy(gate={**POLICY["gate"], "folds": asked})
    assert world.challenger().cross_validation == ()


def test_of_few_days_the_folds_are_shorter() -> None:
    world = World()
    world.set_policy(gate={**POLICY["gate"], "holdout_days": 12})
    world.train(sold(0, 10, a_day=30))
    world.serve()
    world.label(sold(10, 12, a_day=30))
    world.batch(60)
    assert folds(world.challenger()) == [(4, 5), (6, 7), (8, 9)]
