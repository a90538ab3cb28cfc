import ctypes
import ctypes.util
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from functions.shared.kernels.exponential import PARTS, POWERS, exponential, exponential_in_numpy
from functions.shared.kernels.library import SETTING, kernel_library

LIBRARY = ctypes.CDLL(ctypes.util.find_library("m"))
LIBRARY.expf.argtypes, LIBRARY.expf.restype = [ctypes.c_float], ctypes.c_float
singles = arrays(np.float32, st.integers(0, 40), elements=st.floats(width=32) | st.floats(-104, 90, width=32))
around_the_ends = st.sampled_from([-103.97208, 88.72284, 0.0]).flatmap(
    lambda end: st.integers(-50, 50).map(lambda steps: np.float32(end) + np.float32(steps) * np.spacing(np.float32(end)))
)


def as_the_c_library_has_it(values: Any) -> Any:
    return np.array([LIBRARY.expf(float(value)) for value in values], np.float32)


@given(singles | st.lists(around_the_ends, max_size=9).map(lambda values: np.array(values, np.float32)))
def test_it_is_that_of_the_c_library_to_the_last_bit(values: Any) -> None:
    expected = as_the_c_library_has_it(values)
    for results in (exponential(values), exponential_in_numpy(values)):
        assert np.array_equal(results, expected, equal_nan=True)
        assert results.dtype == np.float32


def test_kernel_and_numpy_agree_on_very_many_values() -> None:
    values = np.random.default_rng(0).uniform(-105, 90, 300_000).astype(np.float32)
    assert exponential(values).tobytes() == exponential_in_numpy(values).tobytes()


def test_what_is_given_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.array([[1.0, 2.0]], np.float32)
    exponential(values)
    monkeypatch.setenv(SETTING, "off")
    kernel_library.cache_clear()
    exponential(values)
    kernel_library.cache_clear()
    assert values.tolist() == [[1.0, 2.0]]


def test_the_powers_that_are_looked_up_are_rounded_right() -> None:
    with localcontext(prec=60):
        assert POWERS.tolist() == [float(Decimal(2) ** (Decimal(k) / PARTS)) for k in range(PARTS)]
