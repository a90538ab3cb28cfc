"""What all levels share: libraries start no threads, and Hypothesis takes few examples.

`make test` takes more of them (`--hypothesis-profile=usual`), and a person who is looking for something `thorough`.
"""

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

for name, examples in {"quick": 5, "usual": 30, "thorough": 1000}.items():
    settings.register_profile(name, max_examples=examples, deadline=None)
settings.load_profile("quick")
os.environ.pop("COLUMNS", None)  # a terminal's width, which pytest and xdist hand on
gc.disable()  # while tests are collected there is no garbage


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    # Tiny fits lose far more to waiting threads than they gain, above all on a busy machine.
    with threadpool_limits(1):
        yield


def pytest_collection_finish() -> None:
    """From here on there is garbage; what is imported by now stays and is looked through no more."""
    gc.freeze()
    gc.enable()
