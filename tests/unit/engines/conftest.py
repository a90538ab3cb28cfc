from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    # Tiny fits lose far more to waiting threads than they gain.
    with threadpool_limits(1):
        yield
