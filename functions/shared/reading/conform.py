"""Check rows against their rules: type good rows, give reasons for the others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from functions.shared.domain.calendar import FIRST_DAY, LAST_DAY
from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.rejections import FileCode, RowCode
from functions.shared.foundation.arrow import Mask, numbers_of, picked, valid_mask
from functions.shared.reading.conversion import converted
from functions.shared.reading.numbers import example, is_dressed
from functions.shared.reading.rules import ColumnKind, Rule, Rules
from functions.shared.reading.values import Converted, WrongTypeError

_SHOWN_CHARACTERS = 80
_DAY_US = 24 * 60 * 60 * 1_000_000
_FIRST_US, _END_US = ((day - date(1970, 1, 1)).days * _DAY_US for day in (FIRST_DAY, LAST_DAY + timedelta(days=1)))
_UNFIT = {
    ColumnKind.ID: "no ids are",
    ColumnKind.TIME: "no times are",
    ColumnKind.NUMBER: "no numbers are",
    ColumnKind.CATEGORY: "no categories are",
    ColumnKind.BOOLEAN: "no booleans are",
    ColumnKind.CARRIED: "no texts are",
}
_MISSING_CODES = {ColumnKind.ID: RowCode.MISSING_ID, ColumnKind.TIME: RowCode.MISSING_TIME}
_UNPARSEABLE = {
    ColumnKind.ID: (RowCode.INEXACT_ID, "is a float too large to tell an integer from the next: write the ids as integers or text"),
    ColumnKind.NUMBER: (RowCode.UNPARSEABLE_NUMBER, "is no number"),
    ColumnKind.BOOLEAN: (RowCode.UNPARSEABLE_BOOLEAN, "is neither true nor false"),
    ColumnKind.TIME: (RowCode.UNPARSEABLE_TIME, "is no ISO 8601 time"),
}


@dataclass(frozen=True, slots=True)
class Issue:
    """A row that breaks the contract: 0-based place in its block, code, message."""

    place: int
    code: RowCode
    message: str


@dataclass(frozen=True, slots=True)
class Conformed:
    """The good rows, typed, and one issue for each other row, by place."""

    rows: pa.RecordBatch
    issues: tuple[Issue, ...]


@dataclass(frozen=True, slots=True)
class _Fault:
    """One way in which a column breaks its rule: the places, and a message for each."""

    code: RowCode
    where: Mask
    describe: Callable[[int], str]


def conform(raw: pa.RecordBatch, rules: Rules) -> Conformed:
    """Type the columns of `raw` and remove the rows that break a rule.

    A row that breaks several rules gets the issue of its first such column.

    Args:
        raw: all columns of the file in order, as valid UTF-8 texts or in the file's own types.

    Raises:
        BatchRejectedError: `wrong_type`, if a column's own type cannot hold the kind that its rule requires.
    """
    columns = []
    issues: dict[int, Issue] = {}
    for name, column in zip(raw.schema.names, raw.columns, strict=True):
        rule = rules.of(name)
        if rule.kind is ColumnKind.CARRIED:
            columns.append(column)
            continue
        typed = _converted(name, column, rule, rules)
        columns.append(typed.array)
        for fault in _faults(column, typed, rule, rules):
            for place in np.flatnonzero(fault.where).tolist():
                if place not in issues:
                    issues[place] = Issue(place, fault.code, f"column {name!r}: {fault.describe(place)}")
    rows = pa.RecordBatch.from_arrays(columns, names=raw.schema.names)
    if issues:
        keep = np.ones(rows.num_rows, np.bool_)
        keep[list(issues)] = False
        rows = picked(rows, keep)
    return Conformed(rows, tuple(issues[place] for place in sorted(issues)))


def shown(value: object) -> str:
    """Return a value for a message: quoted, and cut if it is long."""
    text = str(value)
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…")


def _converted(name: str, column: pa.Array, rule: Rule, rules: Rules) -> Converted:
    try:
        return converted(column, rule, rules)
    except WrongTypeError as error:
        message = f"{_UNFIT[rule.kind]} in column {name!r}, which is of type {column.type}"
        is_id = rule.kind is ColumnKind.ID
        remedy = f"write column {name!r} as integers, UUIDs or as text" if is_id else f"write column {name!r} as text"
        raise BatchRejectedError(FileCode.WRONG_TYPE, message, remedy) from error


def _faults(column: pa.Array, found: Converted, rule: Rule, rules: Rules) -> Iterator[_Fault]:
    typed, refused = found.array, found.refused
    if rule.kind is ColumnKind.TIME:
        outside = f"lies outside {FIRST_DAY} to {LAST_DAY}"
        yield from _fault(RowCode.IMPLAUSIBLE_TIME, _implausible(typed), typed, outside)
        if pa.types.is_temporal(column.type):
            yield from _fault(RowCode.IMPLAUSIBLE_TIME, refused, column, outside)
    if rule.kind in _UNPARSEABLE:
        code, what = _UNPARSEABLE[rule.kind]
        yield from _fault(code, refused, column, _wanted(rule, rules) or what)
    if rule.kind is ColumnKind.NUMBER:
        yield from _number_faults(typed, rule)
    if not rule.nullable and typed.null_count:
        code = _MISSING_CODES.get(rule.kind, RowCode.MISSING_VALUE)
        yield _Fault(code, ~valid_mask(typed) & ~refused, lambda _: "the value is missing")


def _wanted(rule: Rule, rules: Rules) -> str:
    """Describe the notation that a value lacks; empty if files use the usual one."""
    if rule.kind is ColumnKind.NUMBER and is_dressed(rules.formats, rule.sign):
        return f"is no number written as {example(rules.formats, rule.sign)}"
    if rule.kind is ColumnKind.TIME and rules.formats.time_format:
        return f"is no time of the format {rules.formats.time_format}, nor of ISO 8601"
    return ""


def _fault(code: RowCode, where: Mask, column: pa.Array, what: str) -> Iterator[_Fault]:
    """Yield a fault whose message shows the column's value, if any row has it."""
    if where.any():
        yield _Fault(code, where, lambda place: f"{shown(_value_at(column, place))} {what}")


def _implausible(instants: pa.Array) -> Mask:
    values = numbers_of(instants, np.int64)
    return ((values < _FIRST_US) | (values >= _END_US)) & valid_mask(instants)


def _value_at(column: pa.Array, place: int) -> object:
    """Return a value for a message; times as text, since Python has fewer than Arrow."""
    value = column.slice(place, 1)
    if pa.types.is_dictionary(value.type):
        value = value.dictionary_decode()
    return (pc.cast(value, pa.string()) if pa.types.is_temporal(value.type) else value)[0].as_py()


def _number_faults(typed: pa.Array, rule: Rule) -> Iterator[_Fault]:
    values = numbers_of(typed, np.float64)
    if rule.possible is None and np.isfinite(values).all():
        return
    if typed.null_count:
        values = np.where(valid_mask(typed), values, np.nan)
    infinite = np.isinf(values)
    if infinite.any():
        yield _Fault(RowCode.INFINITE, infinite, lambda _: "the number is infinite")
    if rule.possible is not None:
        low, high = rule.possible
        outside = ((values < low) | (values > high)) & ~infinite
        yield _Fault(RowCode.OUT_OF_RANGE, outside, lambda place: f"{values[place].item()!r} is outside {low!r} to {high!r}")
