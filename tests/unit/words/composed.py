"""What the code composes in English while a test runs, and what of it a Chinese screen would leave in English."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from functions.shared.domain.alert import Alert
from functions.shared.domain.decision import Reason
from functions.shared.domain.errors import EverscoreError
from functions.shared.reading.conform import Issue
from infra.places import CODE
from infra.words import CHINESE, speaking, stored
from infra.words.messages import INTERNAL

COMPOSERS: dict[type, tuple[str, ...]] = {
    EverscoreError: ("message", "remedy"),
    Reason: ("message",),
    Alert: ("message",),
    Issue: ("message",),
}
"""Classes whose texts are composed in English and shown by `stored`, with the attributes that hold them."""
OURS = (str(CODE / "functions"), str(CODE / "infra"))
INTERNAL_FILES = tuple(str(CODE / place) for place in INTERNAL)
QUOTED = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`|<[^>]*>|\S*[/.=_]\S*|\w*\d\w*|--[\w-]+(?: [A-Z=]+)?""")
"""What screens show as it is: names, values, files, options and commands."""
ENGLISH = re.compile(
    r"\b(?:an|the|and|or|in|of|is|are|was|to|more|it|its|at|not|no|has|have|holds|lacks|columns?|rows?|lines?|fields?|by|for|with|from|"
    r"as|that|which|first|than|but|between|only|beyond|below|above|until|files?|texts?|numbers?)\b"
)
"""Words that are hardly a name, and without which there is hardly a sentence."""
OTHERS = re.compile(
    "version \\d+ was judged|(registry|MLflow) (is away|does not answer)|replaced by rules|rows are too few|is missing in 40|codec can't|"
    "[A-Z]\\w* ?Error: |the row is not valid JSON: |magic bytes|Zip archive|ordinal not in range|AWS|one of no, yes|failed: no\\b|"
    "where airport is|EOF while|expected value|answered \\d+: |endpoint URL|Untrusted types|Cannot delete a policy"
)
"""Texts with parts that tests made up, or that libraries and AWS say."""


@contextmanager
def texts_composed(patch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Gather the texts that our code composes within the block."""
    found: set[str] = set()
    for kind, names in COMPOSERS.items():
        patch.setattr(kind, "__init__", _heard(kind.__init__, names, found))  # type: ignore[misc]
    yield found


def left_in_english(texts: set[str]) -> list[str]:
    """Return texts of which a Chinese screen would show English words."""
    with speaking(CHINESE):
        return [f"{text} -> {shown}" for text in texts if not OTHERS.search(text) and ENGLISH.search(QUOTED.sub("", shown := stored(text)))]


def _heard(begin: Callable[..., None], names: tuple[str, ...], found: set[str]) -> Callable[..., None]:
    def heard(self: object, *arguments: Any, **named: Any) -> None:
        begin(self, *arguments, **named)
        if _composed_by_us():
            found.update(filter(None, (getattr(self, name) for name in names)))

    return heard


def _composed_by_us() -> bool:
    """Return whether our code made the object, and not a test, for people to read."""
    frame = sys._getframe(2)
    while frame.f_back and (frame.f_code.co_name == "__init__" or "pydantic" in frame.f_code.co_filename):
        frame = frame.f_back
    file = frame.f_code.co_filename
    return file.startswith(OURS) and not file.startswith(INTERNAL_FILES)
