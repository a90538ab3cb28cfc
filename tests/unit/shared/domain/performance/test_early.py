"""A batch's loss by its first labels: exact where it can be worked out, and never less sure than labels alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from functions.shared.domain.performance.days import BatchLosses, ExpectedLosses
from functions.shared.domain.performance.early import EarlyLoss, early_loss

type Floats = NDArray[np.float64]


def of(loss: Floats, expected: Floats | None) -> BatchLosses:
    """The sums over some labelled rows."""
    if expected is None:
        return BatchLosses(batch_id="b", rows=loss.size, loss_sum=float(loss.sum()))
    sums = {"sum": expected, "squares": expected**2, "products": expected * loss, "loss_squares": loss**2}
    found = ExpectedLosses(**{name: float(values.sum()) for name, values in sums.items()})
    return BatchLosses(batch_id="b", rows=loss.size, loss_sum=float(loss.sum()), expected=found)


def found(loss: Floats, expected: Floats, labelled: int) -> EarlyLoss:
    early = early_loss(float(expected.mean()), loss.size, [of(loss[:labelled], expected[:labelled])])
    assert early is not None
    return early


def drawn(seed: int, rows: int = 2_000, worth: float = 1.0) -> tuple[Floats, Floats]:
    """Losses of which a part was expected."""
    rng = np.random.default_rng(seed)
    expected = rng.gamma(2.0, 0.3, rows)
    return worth * expected + rng.gamma(1.0, 0.2, rows), expected


def test_it_is_least_squares_line_at_the_mean_of_all_rows() -> None:
    loss, expected = drawn(1)
    slope, constant = np.polyfit(expected[:400], loss[:400], 1)
    assert found(loss, expected, 400).value == pytest.approx(constant + slope * expected.mean())


def test_its_width_is_that_of_the_line_s_residuals() -> None:
    """At 400 of 2,000 rows time is 500, where the bound is tightest: worked out from the paper's formula with alpha .025."""
    loss, expected = drawn(2)
    early = found(loss, expected, 400)
    residuals = loss[:400] - np.polyval(np.polyfit(expected[:400], loss[:400], 1), expected[:400])
    u, alpha = 500.0, 0.025
    r = (-2 * np.log(2 * alpha) + np.log(-2 * np.log(2 * alpha) + 1)) / 500
    margin = np.sqrt(2 * (u * r + 1) / (u**2 * r) * np.log(1 + np.sqrt(u * r + 1) / (2 * alpha)))
    assert early.high - early.value == pytest.approx(np.sqrt((residuals**2).sum() / 398) * margin)
    assert early.value - early.low == pytest.approx(early.high - early.value)


def test_what_was_expected_exactly_leaves_no_doubt() -> None:
    _, expected = drawn(3)
    early = found(2 * expected + 0.1, expected, 200)
    assert (early.low, early.high) == pytest.approx(((2 * expected + 0.1).mean(),) * 2, abs=1e-4)


def test_all_labels_are_the_truth_itself() -> None:
    loss, expected = drawn(4)
    early = found(loss, expected, loss.size)
    assert (early.low, early.value, early.high) == pytest.approx((loss.mean(),) * 3)


def test_where_nothing_was_expected_labels_stand_alone() -> None:
    loss, _ = drawn(5)
    early = found(loss, np.full(loss.size, 0.7), 300)
    assert early.value == pytest.approx(loss[:300].mean())


def test_few_labels_and_days_of_an_earlier_version_say_nothing() -> None:
    loss, expected = drawn(6)
    assert early_loss(0.5, 2_000, [of(loss[:199], expected[:199])]) is None
    assert early_loss(0.5, 2_000, [of(loss[:300], expected[:300]), of(loss[300:400], None)]) is None
    assert early_loss(0.5, 2_000, []) is None


def test_days_add_up() -> None:
    loss, expected = drawn(7)
    apart = early_loss(float(expected.mean()), 2_000, [of(loss[:150], expected[:150]), of(loss[150:400], expected[150:400])])
    assert apart is not None
    assert apart.model_dump() == pytest.approx(found(loss, expected, 400).model_dump())


@given(seed=st.integers(0, 10_000), labelled=st.integers(200, 1_999), worth=st.floats(-2, 2))
def test_it_is_never_wider_than_labels_alone(seed: int, labelled: int, worth: float) -> None:
    loss, expected = drawn(seed, worth=worth)
    early, alone = found(loss, expected, labelled), found(loss, np.zeros(loss.size), labelled)
    assert early.high - early.low <= (alone.high - alone.low) * (1 + 1e-6)


@given(seed=st.integers(0, 10_000), shift=st.floats(-5, 5), scale=st.floats(0.1, 10))
def test_a_wrong_scale_of_what_was_expected_changes_nothing(seed: int, shift: float, scale: float) -> None:
    loss, expected = drawn(seed)
    assert found(loss, shift + scale * expected, 300).model_dump() == pytest.approx(
        found(loss, expected, 300).model_dump(), rel=1e-4, abs=1e-4
    )


def test_all_intervals_of_a_batch_hold_the_truth_in_nearly_all_of_400_batches() -> None:
    """Looked at after every 50 labels from 200 to 1,000 of 2,000; what was expected is worth nothing in every second one."""
    held = 0
    for seed in range(400):
        loss, expected = drawn(seed, worth=float(seed % 2))
        looks = (found(loss, expected, labelled) for labelled in range(200, 1_001, 50))
        held += all(look.low <= loss.mean() <= look.high for look in looks)
    assert held >= 372, "93 %"
