import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special

from functions.shared.engines.links import INVERSE_LINKS, scores

raw_sums = arrays(np.float64, (4, 3), elements=st.floats(-1e4, 1e4))
ORACLES = {
    "identity": lambda raw: raw,
    "exp": np.exp,
    "expit": special.expit,
    "expit_of_twice": lambda raw: special.expit(2 * raw),
    "softmax": lambda raw: special.softmax(raw, axis=1),
}


@pytest.mark.parametrize("name", ORACLES)
@given(raw=raw_sums)
def test_inverse_links_are_those_of_scipy(name: str, raw: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    with np.errstate(all="ignore"):
        expected = ORACLES[name](raw.copy())
    np.testing.assert_allclose(INVERSE_LINKS[name](raw.copy()), expected, rtol=1e-12, atol=1e-300)


@given(raw_sums)
def test_one_versus_rest_is_each_class_alone_made_to_add_up_to_one(raw: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    scores = INVERSE_LINKS["one_versus_rest"](raw.copy())
    alone = special.expit(raw)
    total = alone.sum(axis=1, keepdims=True)
    expected = np.where(total > 0, alone / np.where(total > 0, total, 1), 1 / 3)
    np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("name", ["identity", "exp", "expit", "softmax"])
@given(raw=arrays(np.float32, (4, 3), elements=st.floats(-1e4, 1e4, width=32)))
def test_sums_in_single_precision_give_scores_of_single_precision(
    name: str, raw: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> None:
    with np.errstate(all="ignore"):
        expected = ORACLES[name](raw.astype(np.float64)).astype(np.float32)
    found = scores(raw.copy(), name, divisor=1.0, scale=1.0)
    assert found.dtype == np.float64
    # XGBoost takes no exponent above 88.7, so that what should be below 1e-38 is that. Rounded to single precision, exponents up to
    # there are at most 2^-18 from what they should be, and their powers as much, relatively.
    np.testing.assert_allclose(found, expected, rtol=2**-18 + 5e-7, atol=1e-37)
    assert np.array_equal(found, found.astype(np.float32), equal_nan=True)


def test_sums_are_divided_and_then_scaled() -> None:
    raw = np.array([[6.0], [-3.0]])
    np.testing.assert_allclose(scores(raw.copy(), "expit", divisor=3.0, scale=1.5), special.expit(raw / 3.0 * 1.5), rtol=1e-12)
