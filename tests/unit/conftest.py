"""The unit level reaches no network and starts no threads of its libraries."""

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True)
def _no_network(socket_disabled: None) -> None:
    pass


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    # Tiny fits lose far more to waiting threads than they gain, above all on a busy machine.
    with threadpool_limits(1):
        yield
