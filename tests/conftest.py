"""What all levels share: libraries start no threads, and Hypothesis takes few examples (`--hypothesis-profile=thorough`: many)."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

settings.register_profile("quick", max_examples=30, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile("quick")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    # Tiny fits lose far more to waiting threads than they gain, above all on a busy machine.
    with threadpool_limits(1):
        yield
