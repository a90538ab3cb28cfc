"""A world that scores."""

import pytest

from tests.component.scoring.world import World
from tests.fakes.documents import serve
from tests.fakes.versions import make_version


@pytest.fixture
def world() -> World:
    """A world that serves version 1."""
    made = World()
    serve(made.store, make_version())
    return made
