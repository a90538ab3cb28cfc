"""Options that say how a file is written."""

from collections.abc import Callable
from typing import Annotated, Any, get_args

import typer

from functions.shared.domain.errors import InputError
from functions.shared.domain.formats import Formats, checked_encoding, checked_time_format

Decimal = Annotated[str, typer.Option(help="Decimal sign of numbers in text: . or ,")]
Thousands = Annotated[str, typer.Option(help="Sign between thousands in text: , . ' or a blank (default: none).")]
TimeFormat = Annotated[
    str | None,
    typer.Option(help="Of times, besides ISO 8601: a pattern such as %d.%m.%Y, epoch_s, epoch_ms or epoch_us (default: told from FILE)."),
]
Encoding = Annotated[str | None, typer.Option(help="Of text that is not UTF-8, such as gb18030 or cp1252 (default: told from FILE).")]
SentEncoding = Annotated[
    str | None,
    typer.Option("--encoding", help="Of text that is not UTF-8, such as gb18030 (default: the model's, or told from FILE)."),
]
Sheet = Annotated[str | None, typer.Option("--sheet", help="Of an Excel workbook (default: the only one that holds anything).")]
Missing = Annotated[
    list[str] | None, typer.Option("--missing", help="Text that means a missing value, in categories and target too; repeatable.")
]


def formats_of(*, decimal: str, thousands: str, time_format: str | None, encoding: str | None, missing: list[str] | None) -> dict[str, Any]:
    """What a request says of how its file is written.

    Raises:
        InputError: if an option's value is none that it takes.
    """
    for option, sign in {"decimal": decimal, "thousands": thousands}.items():
        allowed = get_args(Formats.model_fields[option].annotation)
        if sign not in allowed:
            message = f"--{option} {sign}: write {' or '.join(repr(one) for one in allowed if one)}"
            raise InputError(message)
    if decimal == thousands:
        message = f"--decimal and --thousands are both {decimal!r}: one of them must be another sign"
        raise InputError(message)
    if time_format is not None:
        _check("time-format", time_format, checked_time_format)
    if encoding is not None:
        _check("encoding", encoding, checked_encoding)
    named = {"decimal": decimal, "thousands": thousands, "time_format": time_format, "encoding": encoding, "missing": missing or ()}
    return Formats.model_validate(named).model_dump(mode="json")


def _check(option: str, text: str, checked: Callable[[str], str]) -> None:
    try:
        checked(text)
    except ValueError as error:
        message = f"--{option} {text}: {error}"
        raise InputError(message) from error
