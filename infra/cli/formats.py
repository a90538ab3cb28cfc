"""Options that say how a file is written."""

from collections.abc import Callable
from typing import Annotated, Any, get_args

import typer

from functions.shared.domain.errors import InputError
from functions.shared.domain.formats import Formats, checked_encoding, checked_time_format

Decimal = Annotated[str, typer.Option(help="Decimal sign of numbers in text: . or ,")]
Thousands = Annotated[str, typer.Option(help="Thousands separator of numbers in text: , . ' or a space (default: none).")]
TimeFormat = Annotated[
    str | None,
    typer.Option(
        help="Format of times besides ISO 8601: a pattern such as %d.%m.%Y, or epoch_s, epoch_ms, epoch_us (default: found in FILE)."
    ),
]
Encoding = Annotated[
    str | None, typer.Option(help="Encoding of text that is not UTF-8, such as gb18030 or cp1252 (default: found in FILE).")
]
SentEncoding = Annotated[
    str | None,
    typer.Option("--encoding", help="Encoding of text that is not UTF-8, such as gb18030 (default: the model's, or found in FILE)."),
]
Sheet = Annotated[str | None, typer.Option("--sheet", help="Sheet of an Excel workbook (default: the only one that holds anything).")]
Missing = Annotated[
    list[str] | None, typer.Option("--missing", help="Text that means a missing value, also in categories and the target; repeatable.")
]


def formats_of(*, decimal: str, thousands: str, time_format: str | None, encoding: str | None, missing: list[str] | None) -> dict[str, Any]:
    """Return the formats of a file, as requests hold them.

    Raises:
        InputError: if an option does not take its value.
    """
    for option, sign in {"decimal": decimal, "thousands": thousands}.items():
        allowed = get_args(Formats.model_fields[option].annotation)
        if sign not in allowed:
            remedy = f"write one of: {' '.join(repr(one) for one in allowed if one)}"
            raise InputError(f"--{option} {sign!r} is no such sign", remedy=remedy, code="usage")
    if decimal == thousands:
        raise InputError(f"--decimal and --thousands are both {decimal!r}", remedy="choose two different signs", code="usage")
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
        remedy = f"`everscore train --help` shows what --{option} takes"
        raise InputError(f"--{option} {text}: {error}", remedy=remedy, code="usage") from error
