"""Texts for people in their language.

English is in the code, Chinese in `zh.po`.

`_` and `plural` mark messages of the command and the report. Texts that functions compose (decisions, alerts, errors) are stored in
English, since documents and JSON are an interface. `stored` and `coded` translate them where they are shown.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import reduce

from functions.shared.foundation.counted import counted as in_english
from functions.shared.foundation.counted import singular
from infra.words.catalogue import CODE, STORED, UNIT, Catalogue, catalogue_of

ENGLISH, CHINESE = "en", "zh"
VARIABLES = ("EVERSCORE_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
"""Variables that choose the language; the first one that is set decides."""

REMEDY = "\nremedy: "
"""Between an error's message and its remedy, where both are one text."""

_chosen: ContextVar[str | None] = ContextVar("language", default=None)


def language() -> str:
    """Return `ENGLISH` or `CHINESE`, as set by `speaking` or else by the environment."""
    if chosen := _chosen.get():
        return chosen
    named = next(filter(None, map(os.environ.get, VARIABLES)), "")
    return CHINESE if named.lower().startswith(CHINESE) else ENGLISH


@contextmanager
def speaking(chosen: str) -> Iterator[None]:
    """Use this language within the block, whatever the environment says."""
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
    """Return the message for one or for many, with its fields filled in."""
    found = _catalogue().find(one) or (one if number == 1 else many)
    return found.format(number=number, **fields)


def counted(number: int, nouns: str) -> str:
    """Return a number and its noun, given as a plural, in the reader's language."""
    return stored(in_english(number, nouns))


def listed(items: Iterable[str]) -> str:
    """Return items as a list, with what the reader's language puts between them."""
    first, *others = tuple(items) or ("",)
    return reduce(lambda before, item: _("{before}, {item}", before=before, item=item), others, first)


def coded(code: str) -> str:
    """Return a code of documents, such as `out_of_range`, as words."""
    return _catalogue().find(code, CODE) or code.replace("_", " ")


def unit(name: str, number: object) -> str:
    """Return the unit of a threshold, as it stands behind a number.

    >>> unit("batches", 1), unit("batches", 2), unit("days", 1), unit("share", 1)
    ('batch', 'batches', 'day', 'share')
    """
    return _catalogue().find(name, UNIT) or (singular(name) if number == 1 else name)


def headed(head: str, text: str) -> str:
    r"""Return a heading with its text; a full-width colon needs no blank behind it.

    >>> headed("error:", "no such file"), headed("error\N{FULLWIDTH COLON}", "no such file") == "error\N{FULLWIDTH COLON}no such file"
    ('error: no such file', True)
    """
    return f"{head}{text}" if "\N{FULLWIDTH COLON}" in head else f"{head} {text}"


def stored(text: str) -> str:
    """Translate a text that was composed in English; unknown text stays unchanged.

    Such text is, for example, a reason that a person gave.
    """
    message, _remedy, remedy = text.partition(REMEDY)
    if remedy:
        return f"{stored(message)}\n{headed(_('remedy:'), stored(remedy))}"
    return _catalogue().translated(text) or text


def _catalogue() -> Catalogue:
    return catalogue_of(language())


__all__ = [
    "CHINESE",
    "CODE",
    "ENGLISH",
    "STORED",
    "VARIABLES",
    "_",
    "coded",
    "counted",
    "headed",
    "language",
    "listed",
    "plural",
    "speaking",
    "stored",
    "unit",
]
