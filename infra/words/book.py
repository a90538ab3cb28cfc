"""Update catalogue files from the code, and find missing translations.

Messages that functions no longer compose stay as obsolete entries (`#~`): documents stored earlier hold them.
"""

import re
from collections.abc import Container, Iterable, Iterator

import polib

from infra.words.catalogue import FOLDER, STORED
from infra.words.messages import Translatable

_DOCUMENTS = "functions/"
"""Where texts of documents are composed."""
_FIELD = re.compile(r"\{(\w+)[^}]*\}")


def update(language: str, messages: Iterable[Translatable]) -> None:
    """Write a catalogue of these messages; keep translations that documents hold."""
    known = _read(language)
    book = polib.POFile(wrapwidth=0)
    book.metadata = known.metadata
    found = {(entry.msgctxt, entry.msgid): entry for entry in known}
    for message in messages:
        before = found.get(message.key)
        entry = polib.POEntry(msgctxt=message.context, msgid=message.text, occurrences=[(message.place, "")] if message.place else [])
        if message.many is None:
            entry.msgstr = before.msgstr if before else ""
        else:
            entry.msgid_plural = message.many
            entry.msgstr_plural = {0: before.msgstr_plural.get(0, "") if before else ""}
        book.append(entry)
    book.extend(_former(known, {entry.msgid for entry in book}))
    book.save(str(FOLDER / f"{language}.po"))


def _former(known: polib.POFile, current: Container[str]) -> Iterator[polib.POEntry]:
    """Yield what documents may hold although nothing composes it any more, in order."""
    for entry in sorted(known, key=lambda entry: str(entry.msgid)):
        composed = entry.obsolete or any(place.startswith(_DOCUMENTS) for place, _ in entry.occurrences)
        if composed and entry.msgctxt == STORED and entry.msgstr and entry.msgid not in current:
            yield polib.POEntry(msgctxt=STORED, msgid=entry.msgid, msgstr=entry.msgstr, obsolete=True)


def missing(language: str, messages: Iterable[Translatable]) -> list[Translatable]:
    """Return the messages without a translation in a catalogue."""
    done = {(entry.msgctxt, entry.msgid) for entry in _read(language) if entry.translated()}
    return [message for message in messages if message.key not in done]


def keys(language: str) -> set[tuple[str | None, str]]:
    """Return the context and English text of a catalogue's current messages."""
    return {(entry.msgctxt, entry.msgid) for entry in _read(language) if not entry.obsolete}


def translations(language: str) -> list[str]:
    """Return the translations of a catalogue, without those of former messages."""
    current = [entry for entry in _read(language) if not entry.obsolete]
    return [text for entry in current for text in (entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr])]


def unfit(language: str) -> list[str]:
    """Return translations with other fields than their message, or too few.

    A sentence may leave a field out. The one form of a plural may not: what English says of many stands there for any number.
    """
    return [
        entry.msgid
        for entry in _read(language)
        for text in (entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr])
        if text
        and not set(_FIELD.findall(entry.msgid_plural or ""))
        <= set(_FIELD.findall(text))
        <= set(_FIELD.findall(entry.msgid + (entry.msgid_plural or "")))
    ]


def _read(language: str) -> polib.POFile:
    return polib.pofile(str(FOLDER / f"{language}.po"), encoding="utf-8")
