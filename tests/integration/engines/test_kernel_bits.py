"""Whole engines with kernels and without them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.shared.domain.errors import InvalidBundleError
from functions.shared.engines.compiled import Compiled, build_engine
from functions.shared.engines.engine import Backend, Engine, EngineKind
from functions.shared.kernels.library import SETTING, kernel_library
from tests.integration.engines.test_compiled_engines import SPECS, fitted
from tests.unit.shared.engines.rows import batches, training_rows

built = pytest.mark.skipif(kernel_library() is None, reason="no kernels here, or none wanted; tests/integration/kernels builds its own")
TREES = [name for name in SPECS if name.startswith(("histogram", "gradient", "random", "extra", "deep", "decision"))]


@pytest.fixture(autouse=True)
def _as_found() -> Iterator[None]:
    yield
    kernel_library.cache_clear()


def in_numpy(compiled: Compiled, spec: Any) -> Engine:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SETTING, "off")
        kernel_library.cache_clear()
        engine = build_engine(compiled, spec)
    kernel_library.cache_clear()
    return engine


@built
@pytest.mark.parametrize("name", TREES)
@pytest.mark.filterwarnings("ignore:overflow encountered in exp:RuntimeWarning")
def test_kernels_give_the_same_bits_as_numpy(name: str) -> None:
    spec, _, compiled = fitted(name)
    kernel, numpy = build_engine(compiled, spec), in_numpy(compiled, spec)
    assert (kernel.backend, numpy.backend) == (Backend.KERNEL, Backend.NUMPY)
    # A slice begins within a byte of Arrow's bits.
    for rows in (training_rows(), training_rows().slice(3)):
        assert kernel.score(rows).tobytes() == numpy.score(rows).tobytes()

    @settings(max_examples=10)
    @given(batches)
    def on_any_batch(batch: pa.RecordBatch) -> None:
        assert kernel.score(batch).tobytes() == numpy.score(batch).tobytes()

    on_any_batch()


def cells(kind: np.dtype[Any]) -> st.SearchStrategy[Any]:
    if kind.kind == "f":
        return st.floats(-1e9, 1e9)
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    return st.integers(max(low, -2), min(high, 300)) | st.integers(low, high)


@pytest.mark.parametrize("name", ["histogram boosting", "deep extra trees of three classes"])
def test_damaged_arrays_are_refused_or_harm_nothing(name: str) -> None:
    spec, _, compiled = fitted(name)
    arrays = {key: array for key, array in compiled.arrays.items() if array.dtype.kind in "iuf" and array.size}

    @settings(max_examples=100)
    @given(st.data())
    def however_damaged(data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(arrays)))
        damaged = arrays[key].copy()
        if data.draw(st.booleans()):
            damaged = damaged[: data.draw(st.integers(0, len(damaged) - 1))]
        else:
            damaged.flat[data.draw(st.integers(0, damaged.size - 1))] = data.draw(cells(damaged.dtype))
        try:
            engine = build_engine(Compiled(compiled.kind, compiled.reason, {**compiled.arrays, key: damaged}), spec)
        except InvalidBundleError:
            return
        assert np.isfinite(engine.score(training_rows())).all()

    however_damaged()


def test_linear_engines_need_no_kernel() -> None:
    spec, _, compiled = fitted("linear regression")
    assert (compiled.kind, build_engine(compiled, spec).backend) == (EngineKind.LINEAR, Backend.NUMPY)
