"""Find doubtful columns that a person should check. They never stop a training."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from functions.retraining.disguise import MOST_TEXTS, disguise_of
from functions.retraining.leaks import giveaways
from functions.retraining.target import ROWS_TO_TELL_APART
from functions.retraining.training_set import TrainingSet
from functions.shared.domain.decision import Reason
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.foundation.arrow import valid_mask
from functions.shared.foundation.counted import counted
from functions.shared.reading.numbers import to_numbers_in
from functions.shared.reading.values import to_numbers

EXACT: Final = 2.0**53
"""Beyond this, not all whole numbers can be stored as 8-byte floats."""
NEARLY_ALL: Final = 0.9
SERIAL: Final = 1.2
"""Distinct whole numbers are row numbers if their range is at most this many times their count."""
FEWEST_ROWS: Final = 50
_DAYS = (19_000_101, 21_001_231)
_DROP = "--drop COLUMN leaves it out"
_SHOWN = 5
_COMPARED = 100


class DoubtCode(StrEnum):
    """What is doubtful about a column; decisions hold these codes."""

    GIVES_AWAY = "gives_away"
    CONSTANT = "constant"
    INEXACT = "inexact"
    DISGUISED = "disguised"
    SERIAL = "serial"
    MIXED = "mixed"
    SPELLINGS = "spellings"
    RARE_CLASS = "rare_class"
    COPY = "copy"


class Doubt(NamedTuple):
    """A doubt about a column: a stable code, a description, and a remedy."""

    code: DoubtCode
    what: str
    remedy: str = ""


def caveats(rows: TrainingSet) -> tuple[Reason, ...]:
    """Return a remark for each doubt about features and target, with its columns.

    Args:
        rows: all usable rows of a training file.
    """
    columns: dict[Doubt, list[str]] = defaultdict(list)
    for name, doubt in _doubts(rows):
        columns[doubt].append(name)
    return tuple(_remark(doubt, names, rows.spec) for doubt, names in columns.items())


def _remark(doubt: Doubt, names: Sequence[str], spec: ModelSpec) -> Reason:
    """Describe a doubt about columns, without "drop" for an adopted pipeline.

    An adopted pipeline names its columns itself, so none can be dropped.
    """
    remedy = "" if spec.adopted and _DROP in doubt.remedy else doubt.remedy
    return Reason(code=doubt.code, message=f"{listed(names)}: {doubt.what}{f' ({remedy})' if remedy else ''}", warning=True)


def listed(names: Sequence[str]) -> str:
    """List columns, at most a few of them.

    >>> listed(["a", "b"]), listed([f"c{number}" for number in range(7)])
    ('a, b', 'c0, c1, c2, c3, c4 and 2 more')
    """
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def is_serial(numbers: pa.ChunkedArray) -> bool:
    """Return whether numbers are row numbers: whole, distinct, without large gaps.

    >>> is_serial(pa.chunked_array([[3.0, 0.0, 1.0, 2.0]])), is_serial(pa.chunked_array([[1.0, 2.0, 2.0]]))
    (True, False)
    """
    values = np.asarray(numbers.to_numpy(), dtype=np.float64)
    if not values.size or not np.isfinite(values).all() or (values % 1).any() or np.ptp(values) + 1 > SERIAL * values.size:
        return False
    return np.unique(values).size == values.size


def is_free_text(texts: pa.ChunkedArray) -> bool:
    """Return whether nearly all rows have different texts, most of them with words.

    Such ids or prose teach nothing about later rows. Texts that are disguised numbers or days do not count. With fewer than 50 rows,
    the result is False.
    """
    counts = pc.value_counts(texts.drop_null())
    present = len(texts) - texts.null_count
    if present < FEWEST_ROWS or len(counts) <= NEARLY_ALL * present:
        return False
    return bool(to_numbers(counts.field("values")).refused.mean() > 1 / 2) and disguise_of(counts) is None


def _doubts(rows: TrainingSet) -> Iterator[tuple[str, Doubt]]:
    """Yield each column with its doubts."""
    spec, table = rows.spec, rows.table
    if rows.rows < FEWEST_ROWS:
        return
    for name, strength in giveaways(rows).items():
        metric = "R²" if spec.task is Task.REGRESSION else "AUC"
        yield (
            name,
            Doubt(
                DoubtCode.GIVES_AWAY,
                f"predicts {spec.target!r} by itself, {metric} {strength:.3f}: is it known when rows are scored?",
                _DROP,
            ),
        )
    for feature in spec.features:
        values = table[feature.name]
        doubts = _doubts_of_numbers(values) if feature.kind is FeatureKind.NUMBER else _doubts_of_texts(feature, values, spec)
        yield from ((feature.name, doubt) for doubt in doubts)
        if _is_constant(values):
            yield feature.name, Doubt(DoubtCode.CONSTANT, "has the same value in every row")
    yield from _copies(spec.features, table)
    if spec.task is not Task.REGRESSION:
        counts = pc.value_counts(table[spec.target])
        yield from ((spec.target, doubt) for doubt in (*_spellings(counts.field("values")), *_rare(counts)))


def _doubts_of_numbers(values: pa.ChunkedArray) -> Iterator[Doubt]:
    numbers = np.asarray(values.drop_null().to_numpy(), dtype=np.float64)
    if not numbers.size or (numbers % 1).any():
        return
    if np.abs(numbers).max() > EXACT:
        yield Doubt(DoubtCode.INEXACT, "holds whole numbers beyond 2^53, which lose their last digits: an id?", _DROP)
    elif _are_days(numbers):
        yield Doubt(DoubtCode.DISGUISED, "holds days written as numbers, such as 20240501")
    elif is_serial(values):
        yield Doubt(DoubtCode.SERIAL, "numbers the rows, which says nothing about later rows", _DROP)


def _are_days(numbers: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool:
    month, day = numbers // 100 % 100, numbers % 100
    within = (numbers >= _DAYS[0]) & (numbers <= _DAYS[1])
    return bool((within & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all())


def _doubts_of_texts(feature: Feature, values: pa.ChunkedArray, spec: ModelSpec) -> Iterator[Doubt]:
    if feature.kind is not FeatureKind.CATEGORY or values.null_count == len(values):
        return
    counts = pc.value_counts(values.drop_null())
    texts, rows = counts.field("values"), counts.field("counts").to_numpy()
    tried = to_numbers(texts)
    words, numbers = int(np.dot(tried.refused, rows)), int(np.dot(valid_mask(tried.array), rows))  # marks of missing ones are neither
    if disguise := disguise_of(counts):
        yield Doubt(DoubtCode.DISGUISED, f"holds {disguise.what}, taken as a category", disguise.remedy)
    elif spec.formats.decimal == "," and words < (1 - NEARLY_ALL) * (words + numbers) and to_numbers_in(texts, spec.formats).refused.any():
        yield Doubt(DoubtCode.DISGUISED, "holds numbers with a decimal point, but --decimal , was given: taken as a category")
    else:
        if 0 < words < numbers:
            what = f"holds numbers in {counted(numbers, 'rows')} and words in {words:,}, taken as a category"
            yield Doubt(DoubtCode.MIXED, what, "--kind COLUMN=number leaves the rows with words out")
        yield from _spellings(texts)


def _is_constant(values: pa.ChunkedArray) -> bool:
    return values.null_count == 0 and bool(pc.all(pc.equal(values, values[0])).as_py())


def _spellings(texts: pa.Array) -> Iterator[Doubt]:
    """Yield a doubt about texts that a person would read as the same.

    Columns with very many texts are not checked.
    """
    by_look: dict[str, list[str]] = defaultdict(list)
    for text in texts.to_pylist() if len(texts) <= MOST_TEXTS else ():
        by_look[" ".join(text.casefold().split())].append(text)
    if alike := next((found for found in by_look.values() if len(found) > 1), None):
        yield Doubt(DoubtCode.SPELLINGS, f"holds values that differ only by case or blanks, such as {alike[0]!r} and {alike[1]!r}")


def _rare(counts: pa.StructArray) -> Iterator[Doubt]:
    few = {item["values"]: item["counts"] for item in counts.to_pylist() if item["counts"] < ROWS_TO_TELL_APART}
    if few:
        rare = listed([f"{label}: {rows}" for label, rows in Counter(few).most_common()])
        yield Doubt(DoubtCode.RARE_CLASS, f"has classes in fewer than {ROWS_TO_TELL_APART} rows ({rare}), which can hardly be learnt")


def _copies(features: Sequence[Feature], table: pa.Table) -> Iterator[tuple[str, Doubt]]:
    """Yield features that equal an earlier one; compare first values before others."""
    originals: dict[object, list[str]] = defaultdict(list)
    for feature in features:
        values = table[feature.name]
        alike = originals[feature.kind, tuple(values.slice(0, _COMPARED).to_pylist())]
        original = next((name for name in alike if table[name].equals(values)), None)
        if original is None:
            alike.append(feature.name)
        elif not _is_constant(values):
            yield feature.name, Doubt(DoubtCode.COPY, f"is the same as {original} in every row")
