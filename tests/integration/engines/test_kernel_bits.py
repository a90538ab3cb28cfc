"""Whole engines with kernels and without them."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings

from functions.shared.engines.compiled import Compiled, build_engine
from functions.shared.engines.engine import Engine, EngineKind, Means
from functions.shared.engines.kernels.trees import SETTING, tree_library
from tests.integration.engines.test_compiled_engines import SPECS, fitted
from tests.unit.engines.rows import batches, training_rows

built = pytest.mark.skipif(tree_library() is None, reason="no kernels here, or none wanted; tests/integration/kernels builds its own")
TREES = [name for name in SPECS if name.startswith(("histogram", "gradient", "random", "extra", "deep", "decision"))]


@pytest.fixture(autouse=True)
def _as_found() -> Iterator[None]:
    yield
    tree_library.cache_clear()


def in_numpy(compiled: Compiled, spec: Any) -> Engine:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SETTING, "off")
        tree_library.cache_clear()
        engine = build_engine(compiled, spec)
    tree_library.cache_clear()
    return engine


@built
@pytest.mark.parametrize("name", TREES)
@pytest.mark.filterwarnings("ignore:overflow encountered in exp:RuntimeWarning")
def test_kernels_give_the_same_bits_as_numpy(name: str) -> None:
    spec, _, compiled = fitted(name)
    kernel, numpy = build_engine(compiled, spec), in_numpy(compiled, spec)
    assert (kernel.means, numpy.means) == (Means.KERNEL, Means.NUMPY)
    assert kernel.score(training_rows()).tobytes() == numpy.score(training_rows()).tobytes()

    @settings(max_examples=10)
    @given(batches)
    def on_any_batch(batch: pa.RecordBatch) -> None:
        assert kernel.score(batch).tobytes() == numpy.score(batch).tobytes()

    on_any_batch()


def test_linear_engines_need_no_kernel() -> None:
    spec, _, compiled = fitted("linear regression")
    assert (compiled.kind, build_engine(compiled, spec).means) == (EngineKind.LINEAR, Means.NUMPY)
