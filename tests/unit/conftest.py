"""The unit level reaches no network, and composes no sentence that has no Chinese."""

from collections.abc import Iterator

import pytest

from tests.unit.words.composed import left_in_english, texts_composed

_SEEN: set[str] = set()


@pytest.fixture(autouse=True)
def _no_network(socket_disabled: None) -> None:
    pass


@pytest.fixture(autouse=True)
def _no_sentence_stays_english(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which our code composes what a Chinese screen would show in English."""
    with pytest.MonkeyPatch.context() as patch, texts_composed(patch) as texts:
        yield
    if not getattr(request.function, "is_hypothesis_test", False):  # whose made-up names may be words
        new = texts - _SEEN
        _SEEN.update(new)
        assert left_in_english(new) == [], "see docs/languages.md"
