"""A language's messages, and the search for those that make up a composed text."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

FOLDER = Path(__file__).parent
CODE, STORED, UNIT = "code", "stored", "unit"
"""Contexts of messages: codes of documents, composed texts (with numbered fields), and units."""

_FIELD = re.compile(r"\{\d+\}")
_APPENDED = r"((?:[ ,;:(].*?)?)"
"""A field directly after another: empty, or separated by a sign."""
_BETWEEN = re.compile(r"(; |(?<=\?) )")
_COLON = ": "
_WITH_REMEDY = re.compile(r"(.*) \((.*)\)", re.DOTALL)
_OF_VALUE = re.compile(r"('.*'|\"[^\"]*\"|[^ ]+) ((?:is|lies) .+)", re.DOTALL)
_PARTICULAR = 8
"""Characters in a row from which a message with fields is hardly met by chance."""
_LONGEST_ITEM = 4
"""Most comma-separated parts of one list item."""


@dataclass(frozen=True, slots=True)
class _Template:
    """A composed message: its pattern, its longest part between fields, its translation."""

    pattern: re.Pattern[str]
    landmark: str
    has_colon: bool
    translation: str


@dataclass(frozen=True)
class Catalogue:
    """Translations by context and English message. English itself has none."""

    messages: Mapping[tuple[str | None, str], str]

    def find(self, message: str, context: str | None = None) -> str | None:
        """Return the translation of a message, if there is one."""
        return self.messages.get((context, message))

    def translated(self, text: str) -> str | None:
        """Translate a composed text, or a list of such; None if it is unknown.

        Fields may hold composed texts as well.
        """
        return self._list(text) or self._reasons(text, all_known=True) or self._message(text) or self._reasons(text, all_known=False)

    def _message(self, text: str) -> str | None:
        return self._particular(text) or self._of_columns(text) or self._of_value(text) or self._composed(text, general=True)

    def _particular(self, text: str) -> str | None:
        if (exact := self.find(text.replace("{", "{{").replace("}", "}}"), STORED)) is not None:
            return exact.format()
        return self._composed(text, general=False)

    def _composed(self, text: str, *, general: bool) -> str | None:
        for template in self._templates:
            is_general = len(template.landmark) < _PARTICULAR or (_COLON in text and not template.has_colon)
            if is_general is general and template.landmark in text and (found := template.pattern.fullmatch(text)):
                return template.translation.format(*(self.translated(part) or part for part in found.groups()))
        return None

    def _of_columns(self, text: str) -> str | None:
        """Translate what is said of columns: their names, a colon, a message, and perhaps its remedy in brackets."""
        names, colon, said = text.partition(_COLON)
        if not colon:
            return None
        if (whole := self._particular(said)) is None and (parts := _WITH_REMEDY.fullmatch(said)):
            doubt, remedy = (self._particular(part) for part in parts.groups())
            if doubt and remedy:
                whole = f"{doubt}\N{FULLWIDTH LEFT PARENTHESIS}{remedy}\N{FULLWIDTH RIGHT PARENTHESIS}"
        return whole and f"{names}{self.find(colon) or colon}{whole}"

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
    def _templates(self) -> tuple[_Template, ...]:
        """Return the messages with fields, most specific first."""
        composed = {message: text for (context, message), text in self.messages.items() if context == STORED and _FIELD.search(message)}
        ordered = sorted(composed, key=lambda message: -len(_FIELD.sub("", message)))
        return tuple(_template(message, composed[message]) for message in ordered)


@cache
def catalogue_of(language: str) -> Catalogue:
    """Read a language's catalogue; it is empty for English."""
    file = FOLDER / f"{language}.po"
    return Catalogue(dict(_messages(file)) if file.exists() else {})


def _messages(file: Path) -> Iterator[tuple[tuple[str | None, str], str]]:
    import polib

    for entry in polib.pofile(str(file), encoding="utf-8"):
        text = entry.msgstr_plural.get(0, "") if entry.msgid_plural else entry.msgstr
        if text:
            yield (entry.msgctxt, entry.msgid), text


def _template(message: str, translation: str) -> _Template:
    parts = [part.replace("{{", "{").replace("}}", "}") for part in _FIELD.split(message)]
    fields = ("(.*?)" if part else _APPENDED for part in parts[1:-1])
    pattern = re.escape(parts[0]) + "".join(f"{field}{re.escape(part)}" for field, part in zip(("(.*?)", *fields), parts[1:], strict=True))
    return _Template(re.compile(pattern, re.DOTALL), max(parts, key=len), any(_COLON in part for part in parts), translation)
