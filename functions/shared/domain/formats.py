"""How the texts of a model's files are written, where that is not the usual way."""

import codecs
import re
from typing import Final, Literal, Self

from pydantic import field_validator, model_validator

from functions.shared.domain.document import Value

EPOCHS: Final = {"epoch_s": 10**6, "epoch_ms": 10**3, "epoch_us": 1}
"""Times as a number since 1970: microseconds in a unit."""

_NEEDED: Final = ("Yy", "mbB", "d")
_ONCE: Final = (*_NEEDED, "HI", "M", "S", "f", "p", "z")
_DIRECTIVES: Final = "".join(_ONCE)


class Formats(Value):
    """What a person said of the files of a model; by default nothing.

    Attributes:
        decimal: between the whole part of a number and its fraction.
        thousands: between groups of three digits of a number, which may have it or not.
        time_format: of times, a pattern of `strptime` or one of `EPOCHS`; None for ISO 8601, which is read in any case.
        encoding: of text that is not UTF-8; None for the one that it seems to have.
        missing: texts that stand for a missing value in numbers, booleans, times, categories and the target, besides the usual marks.
    """

    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""
    time_format: str | None = None
    encoding: str | None = None
    missing: tuple[str, ...] = ()

    @field_validator("missing")
    @classmethod
    def _without_blanks(cls, marks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(mark.strip() for mark in marks if mark.strip()))

    @field_validator("time_format")
    @classmethod
    def _names_a_day(cls, pattern: str | None) -> str | None:
        return None if pattern is None else checked_time_format(pattern)

    @field_validator("encoding")
    @classmethod
    def _encodes_text(cls, name: str | None) -> str | None:
        return None if name is None else checked_encoding(name)

    @model_validator(mode="after")
    def _signs_differ(self) -> Self:
        if self.thousands == self.decimal:
            message = f"{self.decimal!r} cannot separate both thousands and decimals"
            raise ValueError(message)
        return self


def checked_encoding(name: str) -> str:
    """Return Python's name of an encoding of texts.

    ASCII is itself in such an encoding.

    Raises:
        ValueError: if there is none of this name, or texts show by themselves that they have it, as UTF-16 does.

    >>> checked_encoding("Windows-1252"), checked_encoding("GBK")
    ('cp1252', 'gbk')
    """
    try:
        known = "a".encode(name)
    except LookupError as error:
        message = f"there is no encoding {name!r}: write gb18030, big5, cp932, cp1252 or the like"
        raise ValueError(message) from error
    if known != b"a":
        message = f"texts show by themselves that they are {name}: leave it out"
        raise ValueError(message)
    return codecs.lookup(name).name


def checked_time_format(pattern: str) -> str:
    """Return the pattern of a time if times can be read by it.

    It is one of `EPOCHS`, or it names year, month and day, each once.

    Raises:
        ValueError: otherwise, with what is wrong.

    >>> checked_time_format("%d.%m.%Y")
    '%d.%m.%Y'
    """
    if pattern in EPOCHS:
        return pattern
    found = re.findall("%(.?)", pattern)
    if unknown := [letter for letter in found if letter not in _DIRECTIVES or not letter]:
        message = f"%{unknown[0]} is none of {', '.join(f'%{letter}' for letter in _DIRECTIVES)}"
        raise ValueError(message)
    for letters in _ONCE:
        names = [f"%{letter}" for letter in found if letter in letters]
        if len(names) > 1:
            message = f"{', '.join(names)} say the same: leave one out of {pattern!r}"
            raise ValueError(message)
        if not names and letters in _NEEDED:
            message = f"{pattern!r} lacks %{letters[0]}: write year, month and day, as in %d.%m.%Y, or {', '.join(EPOCHS)}"
            raise ValueError(message)
    return pattern


PLAIN = Formats()
"""The usual way."""
