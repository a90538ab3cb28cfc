"""Infer the task from a training file's target, and read its values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from functions.retraining.disguise import disguise_of
from functions.shared.domain.errors import TrainingError
from functions.shared.domain.formats import PLAIN, Formats
from functions.shared.domain.labels import numeric_targets
from functions.shared.domain.policy import DecisionPolicy
from functions.shared.domain.spec import Task
from functions.shared.foundation.counted import counted
from functions.shared.reading.labels import count_refused, labels_given, plain_targets, refused_numbers
from functions.shared.reading.rows import RejectedRow

MANY_CLASSES: Final = 20
"""More distinct whole numbers make a regression; more texts need several rows each to be classes."""
ROWS_A_CLASS: Final = 10
ROWS_TO_TELL_APART: Final = 5
"""Rows needed of either of two classes; fewer can hardly be learnt and measured."""
STRAY_ONE_OF: Final = 100
"""Next to two classes, others are taken for typos in at most one of this number of rows."""
_PERHAPS_CLASSES: Final = ("none", "None")
"""Marks of a missing value that may also name a class, if other classes are words."""
_SHOWN, _STRAYS_SHOWN = 3, 20

type Refused = Callable[[], tuple[RejectedRow, ...]]
"""Reads the rows whose target is no number, with their lines: a second read, for error messages."""


@dataclass(frozen=True, slots=True)
class Target:
    """A target's task and values, null where missing; `refused` marks unusable ones."""

    task: Task
    values: pa.Array
    refused: int


def read_target(name: str, column: pa.ChunkedArray, task: Task | None, refused: Refused, formats: Formats = PLAIN) -> Target:
    """Read a target as its task needs it; infer the task if none is named.

    Two values make a binary task. More than twenty numbers, or any with a fraction, make a regression. Everything else is multiclass.

    Args:
        name: the column's name.
        column: the column as in the file.
        task: the task that a person named, or None.
        refused: reads the rows whose target is no number.
        formats: of the file.

    Raises:
        TrainingError: if most values are numbers but not all, or if nearly every row would be a class of its own. Either is
            probably a mistake, and would make a poor classifier.
    """
    labels = _labels(plain_targets(column, formats, task))
    chosen = task or _inferred(name, labels, refused)
    if chosen is Task.REGRESSION:
        numbers = plain_targets(column, formats, chosen)
        return Target(chosen, numeric_targets(numbers), count_refused(numbers))
    return Target(chosen, labels, 0)


def _labels(column: pa.ChunkedArray) -> pa.Array:
    """Return the labels; `none` is a class among words, but missing among numbers."""
    labels = labels_given(column, ())
    words = bool(pc.any(refused_numbers(labels)).as_py())
    return labels_given(column, _PERHAPS_CLASSES) if words else labels


def _inferred(name: str, labels: pa.Array, refused: Refused) -> Task:
    counts = pc.value_counts(labels.drop_null())
    classes, rows = counts.field("values"), counts.field("counts")
    if len(classes) == 2:
        return Task.BINARY
    odd = refused_numbers(classes)
    odd_rows = int(pc.sum(rows.filter(odd)).as_py() or 0)
    every_row = len(labels) - labels.null_count
    if 0 < 2 * odd_rows < every_row:
        message = _odd_values(name, odd_rows, every_row, refused())
        remedy = "mend them, or say --task regression to leave their rows out, or --task multiclass if each value is a class"
        raise TrainingError(message, remedy=remedy)
    _refuse_strays(name, classes, rows)
    if not odd_rows:
        whole = pc.all(pc.match_substring_regex(classes, r"^-?\d+$")).as_py()
        return Task.REGRESSION if not whole or len(classes) > MANY_CLASSES else Task.MULTICLASS
    if len(classes) > max(MANY_CLASSES, every_row / ROWS_A_CLASS):
        disguise = disguise_of(counts)
        looks = f"They are {disguise.what}: {disguise.remedy}" if disguise else "For a regression write plain numbers such as 1234.5"
        message = (
            f"{name!r} holds {len(classes):,} different texts in {counted(every_row, 'rows')}, such as "
            f"{classes[0].as_py()!r}: too many to be classes. {looks}"
        )
        raise TrainingError(message, remedy="if each is a class nevertheless, use --task multiclass")
    return Task.MULTICLASS


def _odd_values(name: str, odd: int, rows: int, refused: tuple[RejectedRow, ...]) -> str:
    where = ", ".join(described(row) for row in refused[:_SHOWN])
    more = f" and {len(refused) - _SHOWN:,} more" if len(refused) > _SHOWN else ""
    return f"{name!r} holds numbers, but not in {odd:,} of {counted(rows, 'rows')}: {where}{more}"


def _refuse_strays(name: str, classes: pa.Array, rows: pa.Array) -> None:
    """Refuse two classes and a few rows of others, which are probably typos.

    Raises:
        TrainingError: with those others.
    """
    is_stray = pc.less(rows, ROWS_TO_TELL_APART)
    others, stray_rows = classes.filter(is_stray).to_pylist(), int(pc.sum(rows.filter(is_stray)).as_py() or 0)
    if not others or len(classes) - len(others) != 2 or stray_rows * STRAY_ONE_OF > int(pc.sum(rows).as_py()):
        return
    first, second = classes.filter(pc.invert(is_stray)).to_pylist()
    shown = ", ".join(repr(other) for other in others[:_STRAYS_SHOWN])
    more = f" and {len(others) - _STRAYS_SHOWN:,} more" if len(others) > _STRAYS_SHOWN else ""
    message = f"{name!r} is {first!r} or {second!r}, but something else in {counted(stray_rows, 'rows')}: {shown}{more}"
    raise TrainingError(message, remedy="mend these rows or take them out of the file; if they are meant, name the task with --task")


def described(row: RejectedRow) -> str:
    """Return where a person finds a row in the file, and what is wrong with it."""
    return f"row {row.row}: {row.message}" if row.line is None else f"line {row.line}: {row.message}"


def positive_class(wanted: str | None, name: str, target: Target) -> str | None:
    """Return the positive class as labels are written; None if nobody names one.

    Raises:
        TrainingError: if the task is not binary, or neither class is that one.
    """
    if wanted is None:
        return None
    [positive] = labels_given(pa.array([wanted]), [wanted]).to_pylist()
    if target.task is not Task.BINARY:
        message = f"--positive {wanted}: {name!r} makes a {target.task} task, and only a binary one has a positive class"
        raise TrainingError(message, remedy="leave --positive out")
    if positive not in (classes := sorted(pc.unique(target.values.drop_null()).to_pylist())):
        message = f"--positive {wanted}: {name!r} holds no such class"
        raise TrainingError(message, remedy=f"choose from: {', '.join(classes)}")
    return str(positive)


def refuse_rule(rule: DecisionPolicy, name: str, target: Target) -> None:
    """Pass if a rule chooses no threshold, or the task is binary.

    Raises:
        TrainingError: otherwise.
    """
    if rule != DecisionPolicy() and target.task is not Task.BINARY:
        option = "--costs" if rule.threshold is None else "--threshold"
        message = f"{option}: {name!r} makes a {target.task} task, and only a binary one has a threshold"
        raise TrainingError(message, remedy=f"leave {option} out")


def refuse_lone_class(name: str, target: Target) -> None:
    """Refuse a single class, or two classes with too few rows of one.

    Raises:
        TrainingError: with the number of rows per class.
    """
    if target.task is Task.REGRESSION:
        return
    counts = {item["values"]: item["counts"] for item in pc.value_counts(target.values.drop_null()).to_pylist()}
    tally = ", ".join(f"{label!r} ({rows:,})" for label, rows in sorted(counts.items(), key=lambda item: -item[1]))
    if len(counts) == 1:
        message = f"{name!r} is {tally} and nothing else: there is nothing to learn"
        raise TrainingError(message, remedy="add rows of the other class")
    if len(counts) == 2 and min(counts.values()) < ROWS_TO_TELL_APART:
        message = f"{name!r} is {tally}: at least {ROWS_TO_TELL_APART} rows of either class are needed, some to learn and some to measure"
        raise TrainingError(message, remedy="add rows of the rarer class")
