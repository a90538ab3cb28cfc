"""Update catalogue files from the code, and find missing translations."""

import re
from collections.abc import Iterable

import polib

from infra.words.catalogue import FOLDER
from infra.words.messages import Message

_FIELD = re.compile(r"\{(\w+)[^}]*\}")


def update(language: str, messages: Iterable[Message]) -> None:
    """Write a catalogue of these messages, and keep existing translations."""
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
    book.save(str(FOLDER / f"{language}.po"))


def missing(language: str, messages: Iterable[Message]) -> list[Message]:
    """Return the messages without a translation in a catalogue."""
    done = {(entry.msgctxt, entry.msgid) for entry in _read(language) if entry.translated()}
    return [message for message in messages if message.key not in done]


def keys(language: str) -> set[tuple[str | None, str]]:
    """Return the context and English text of each message in a catalogue."""
    return {(entry.msgctxt, entry.msgid) for entry in _read(language)}


def unfit(language: str) -> list[str]:
    """Return translations whose fields differ from their message's.

    A plural may leave out a field that it does not need.
    """
    return [
        entry.msgid
        for entry in _read(language)
        for text in (entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr])
        if text and not set(_FIELD.findall(text)) <= set(_FIELD.findall(entry.msgid + (entry.msgid_plural or "")))
    ]


def _read(language: str) -> polib.POFile:
    return polib.pofile(str(FOLDER / f"{language}.po"), encoding="utf-8")
