"""How the texts of a model's files are written, where that is not the usual way."""

from typing import Literal, Self

from pydantic import field_validator, model_validator

from functions.shared.domain.document import Value


class Formats(Value):
    """What a person said of the files of a model; by default nothing.

    Attributes:
        decimal: between the whole part of a number and its fraction.
        thousands: between groups of three digits of a number, which may have it or not.
        missing: texts that stand for a missing value in numbers, booleans, times, categories and the target, besides the usual marks.
    """

    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""
    missing: tuple[str, ...] = ()

    @field_validator("missing")
    @classmethod
    def _without_blanks(cls, marks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(mark.strip() for mark in marks if mark.strip()))

    @model_validator(mode="after")
    def _signs_differ(self) -> Self:
        if self.thousands == self.decimal:
            message = f"{self.decimal!r} cannot separate both thousands and decimals"
            raise ValueError(message)
        return self


PLAIN = Formats()
"""The usual way."""
