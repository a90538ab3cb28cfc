"""A language's messages, and the search for those that make up a composed text."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from infra.words.templates import Template, Templates, has_fields

if TYPE_CHECKING:
    from polib import POEntry

FOLDER = Path(__file__).parent
CODE, STORED, UNIT = "code", "stored", "unit"
"""Contexts of messages: codes of documents, composed texts (with numbered fields), and units."""

type Key = tuple[str | None, str]
"""Context and English text of a message."""

_SIGNS = (" ", ",", ";", ":", "(")
"""Beginnings of messages that are appended to others."""
_BETWEEN = re.compile(r"(; |(?<=\?) )")
_CUT_SHORT = re.compile(r"(.*?)(;?) and (\d[\d,]*) more", re.DOTALL)
"""A list of which only the first items are shown."""
_COUNTED = re.compile(r"(\d[\d,.]*) ([a-z]+)")
"""What `counted` composes."""
_COLON = ": "
_BRACKETED = re.compile(r"(.*) \((.*)\)", re.DOTALL)
_OF_VALUE = re.compile(r"('.*'|\"[^\"]*\"|[^ ]+) ((?:is|lies) .+)", re.DOTALL)
_UNMISTAKABLE = 60
"""Characters in a row that identify a message even if its fields hold lists, so that it is looked for before any list."""
_LONGEST_ITEM = 4
"""Most comma-separated parts of one list item."""


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Translations by context and English message. English itself has none."""

    messages: Mapping[Key, str]
    former: Mapping[Key, str]
    """What the code composed earlier, and documents may hold."""

    def find(self, message: str, context: str | None = None) -> str | None:
        """Return the translation of a message, if there is one."""
        return self.messages.get((context, message)) or self.former.get((context, message))

    def translated(self, text: str) -> str | None:
        """Translate a composed text, or a list of such; None if it is unknown.

        Fields may hold composed texts as well.
        """
        return (
            self._unmistakable(text)
            or self._cut_short(text)
            or self._list(text)
            or self._reasons(text, all_known=True)
            or self._message(text)
            or self._reasons(text, all_known=False)
        )

    def _unmistakable(self, text: str) -> str | None:
        return self._filled(text, (template for template in self._templates.met_by(text) if len(template.landmark) >= _UNMISTAKABLE))

    def _cut_short(self, text: str) -> str | None:
        """Translate a list that ends with a count of what it leaves out."""
        if (found := _CUT_SHORT.fullmatch(text)) is None:
            return None
        shown, sign, others = found.groups()
        rest = self.find(f"{sign} and {{0}} more", STORED)
        return rest and (self.translated(shown) or shown) + rest.format(others)

    def _appended(self, text: str) -> str | None:
        """Translate a text to which a message is appended."""
        for template in self._tails.met_by(text):
            if found := template.found_in(text, before="(.*?)"):
                head, *parts = found
                return (self.translated(head) or head) + template.filled(self.translated(part) or part for part in parts)
        if (measured := _BRACKETED.fullmatch(text)) and (unit := self.find(measured[2], UNIT)):
            return _bracketed(
                self.translated(measured[1]) or measured[1], unit.strip("\N{FULLWIDTH LEFT PARENTHESIS}\N{FULLWIDTH RIGHT PARENTHESIS}")
            )
        return None

    @lru_cache(maxsize=4096)  # noqa: B019 - catalogues live as long as the process
    def _message(self, text: str) -> str | None:
        found = (
            self._counted(text)
            or self._particular(text)
            or self._of_columns(text)
            or self._of_value(text)
            or self._composed(text, general=True)
        )
        return found or self._filled(text, self._former_templates.met_by(text))

    def _counted(self, text: str) -> str | None:
        """Translate a number with its noun."""
        if (found := _COUNTED.fullmatch(text)) is None:
            return None
        number, noun = found.groups()
        units = (self.find(nouns, UNIT) for nouns in (noun, f"{noun}s", f"{noun}es", f"{noun.removesuffix('y')}ies"))
        return next((f"{number} {unit}" for unit in units if unit), None)

    def _particular(self, text: str) -> str | None:
        if (exact := self.find(text.replace("{", "{{").replace("}", "}}"), STORED)) is not None:
            return exact.format()
        return self._composed(text, general=False)

    def _composed(self, text: str, *, general: bool) -> str | None:
        return self._filled(text, (template for template in self._templates.met_by(text) if template.is_general(text) is general))

    def _filled(self, text: str, templates: Iterable[Template]) -> str | None:
        for template in templates:
            if (found := template.found_in(text)) is not None:
                return template.filled(self.translated(part) or self._appended(part) or part for part in found)
        return None

    def _of_columns(self, text: str) -> str | None:
        """Translate texts about columns: names, a colon, a message, and any remedy."""
        names, colon, said = text.partition(_COLON)
        if not colon:
            return None
        if (whole := self._particular(said)) is None and (parts := _BRACKETED.fullmatch(said)):
            doubt, remedy = (self._particular(part) for part in parts.groups())
            if doubt and remedy:
                whole = _bracketed(doubt, remedy)
        return whole and f"{self._cut_short(names) or names}{self.find(colon) or colon}{whole}"

    def _of_value(self, text: str) -> str | None:
        """Translate what is said of a value of a file."""
        if (found := _OF_VALUE.fullmatch(text)) is None or (said := self._particular(found[2])) is None:
            return None
        return f"{found[1]} {said}"

    def _reasons(self, text: str, *, all_known: bool) -> str | None:
        """Translate several reasons, or a question and its continuation; None if unknown.

        Unless `all_known`, some parts may be people's own words.
        """
        reasons = _BETWEEN.split(text)
        shown = [self._list(reason) or self._message(reason) for reason in reasons[::2]]
        if any(shown):
            shown = [known or self._appended(reason) for known, reason in zip(shown, reasons[::2], strict=True)]
        if len(reasons) == 1 or not (all if all_known else any)(shown):
            return None
        signs = [*(self.find(sign) or sign for sign in reasons[1::2]), ""]
        return "".join((new or old) + sign for new, old, sign in zip(shown, reasons[::2], signs, strict=True))

    def _list(self, text: str) -> str | None:
        """Translate a list of two or more messages, whose items may contain commas."""
        words = text.split(", ")
        done: list[list[str] | None] = [[]]
        for end in range(1, len(words) + 1):
            shown = (
                [*before, item]
                for start in range(end - 1, max(0, end - _LONGEST_ITEM) - 1, -1)
                if (before := done[start]) is not None and (item := self._message(", ".join(words[start:end])))
            )
            done.append(next(shown, None))
        items = done[-1]
        return None if items is None or len(items) == 1 else (self.find(", ") or ", ").join(items)

    @cached_property
    def _templates(self) -> Templates:
        return Templates({message: text for message, text in _stored(self.messages).items() if has_fields(message)})

    @cached_property
    def _former_templates(self) -> Templates:
        return Templates(_stored(self.former))

    @cached_property
    def _tails(self) -> Templates:
        """Return the messages that are appended to others."""
        return Templates({message: text for message, text in _stored(self.messages).items() if message.startswith(_SIGNS)})


def _stored(messages: Mapping[Key, str]) -> dict[str, str]:
    return {message: text for (context, message), text in messages.items() if context == STORED}


def _bracketed(said: str, note: str) -> str:
    return f"{said}\N{FULLWIDTH LEFT PARENTHESIS}{note}\N{FULLWIDTH RIGHT PARENTHESIS}"


@cache
def catalogue_of(language: str) -> Catalogue:
    """Read a language's catalogue; it is empty for English."""
    import polib

    file = FOLDER / f"{language}.po"
    entries = list(polib.pofile(str(file), encoding="utf-8")) if file.exists() else []
    current, former = (dict(_messages(entry for entry in entries if bool(entry.obsolete) is gone)) for gone in (False, True))
    return Catalogue(current, former)


def _messages(entries: "Iterable[POEntry]") -> Iterator[tuple[Key, str]]:
    for entry in entries:
        text = entry.msgstr_plural.get(0, "") if entry.msgid_plural else entry.msgstr
        if text:
            yield (entry.msgctxt, entry.msgid), text
