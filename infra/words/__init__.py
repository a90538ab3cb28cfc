"""What people read, in their language: English as the code has it, or Chinese by `zh.po`.

`_` and `plural` mark what the command and the report say. What functions compose (decisions, alerts, errors) is kept in English, since
documents and JSON are an interface; `stored` and `coded` give it in the reader's language where it is shown.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from infra.words.catalogue import CODE, STORED, UNIT, Catalogue, catalogue_of

ENGLISH, CHINESE = "en", "zh"
VARIABLES = ("EVERSCORE_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
"""What chooses the language; the first that is set decides."""

_chosen: ContextVar[str | None] = ContextVar("language", default=None)


def language() -> str:
    """Return `ENGLISH` or `CHINESE`: what `speaking` says, or else the environment."""
    if chosen := _chosen.get():
        return chosen
    named = next(filter(None, map(os.environ.get, VARIABLES)), "")
    return CHINESE if named.lower().startswith(CHINESE) else ENGLISH


@contextmanager
def speaking(chosen: str) -> Iterator[None]:
    """Have everything inside said in this language, whatever the environment says."""
    before = _chosen.set(chosen)
    try:
        yield
    finally:
        _chosen.reset(before)


def _(message: str, /, **fields: object) -> str:
    """Return a message in the reader's language, with its `{fields}` filled in."""
    found = _catalogue().find(message) or message
    return found.format(**fields) if fields else found


def plural(one: str, many: str, number: int, /, **fields: object) -> str:
    """Return the message for one or for many, with its `{number}` and other fields filled in."""
    found = _catalogue().find(one) or (one if number == 1 else many)
    return found.format(number=number, **fields)


def listed(items: Iterable[str]) -> str:
    """Return items as a list, with the reader's commas."""
    return _(", ").join(items)


def coded(code: str) -> str:
    """Return a code of documents, such as `out_of_range`, as words."""
    return _catalogue().find(code, CODE) or code.replace("_", " ")


def unit(name: str) -> str:
    """Return the unit of a threshold, as it stands behind a number."""
    return _catalogue().find(name, UNIT) or name


def stored(text: str) -> str:
    """Return a text that was composed in English, by its messages; what is nobody's message stays as it is, as people's reasons do."""
    return _catalogue().translated(text) or text


def _catalogue() -> Catalogue:
    return catalogue_of(language())


__all__ = ["CHINESE", "CODE", "ENGLISH", "STORED", "VARIABLES", "_", "coded", "language", "listed", "plural", "speaking", "stored", "unit"]
