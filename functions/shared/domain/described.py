"""Codes that documents store, each with a text for people."""

from enum import StrEnum
from typing import Self


class Described(StrEnum):
    """A code that is itself the text that is stored, and `text` for people."""

    text: str

    def __new__(cls, code: str, text: str = "") -> Self:
        """Make a code of both; a stored code alone finds it again."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.text = text
        return member
