"""Find the format of a file's times, if it is unambiguous."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import permutations
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.formats import EPOCHS
from functions.shared.foundation.arrow import numbers_of, valid_mask
from functions.shared.reading.times import to_instants_in
from functions.shared.reading.values import missing_as_null, plain_texts, to_texts

CANDIDATES: Final = (
    *(None, "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%Y年%m月%d日", "%Y%m%d", "%Y%m%d%H%M%S", *EPOCHS),
)
"""Candidates; None is ISO 8601. Two-digit years are left out, since they are always ambiguous."""
_SAMPLE = 1000
"""Times that are tried first, to rule out most candidates."""
_LEAST_SHARE = 0.5
"""The share of the times that the chosen format must read."""
_UTC = ZoneInfo("UTC")
_TELLING_DAY = date(2012, 3, 4)
"""A day whose month could be a day, and the other way round."""
_NOT_READ = np.iinfo(np.int64).min

type Pattern = str | None


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """A column's format (None: ISO 8601), or a sentence that says why it is in doubt."""

    pattern: Pattern = None
    doubt: str | None = None


def time_format_of(name: str, parts: Iterable[pa.Array]) -> TimeFormat:
    """Return the format that reads most times of a column, if it is unambiguous.

    It is ambiguous if another format reads them as different times, or would do so with times of later files.

    Args:
        name: the column's name, for the message.
        parts: the column's values, in order.
    """
    found = _Evidence()
    for part in parts:
        found.add(missing_as_null(to_texts(plain_texts(part))).drop_null())
    best = max(found.candidates, key=lambda pattern: found.read[pattern], default=None)
    if found.read[best] < _LEAST_SHARE * found.times:
        return TimeFormat(doubt=f"{found.first!r} in {name!r} is in no format that is known: name it, as in --time-format %d.%m.%Y")
    for other in found.candidates:
        if not found.decide_for(best, other):
            if text := found.otherwise.get((best, other)):
                readings = " and ".join(f"{_day(text, pattern)} by {pattern}" for pattern in (best, other))
                return TimeFormat(doubt=f"{text!r} in {name!r} is {readings}, and the file does not say which: name one with --time-format")
            if _are_rivals(best, other):
                readings = f"{best} or {other}, which read other days differently"
                return TimeFormat(doubt=f"{found.first!r} in {name!r} may be {readings}: name one with --time-format")
    return TimeFormat(best)


class _Evidence:
    """Counts of the texts that each format reads, and that another does not.

    Also holds the first text that two candidates read as different times.
    """

    def __init__(self) -> None:
        self.candidates: tuple[Pattern, ...] = ()
        self.times = 0
        self.first = ""
        self.read = Counter[Pattern]()
        self.alone = Counter[tuple[Pattern, Pattern]]()
        self.otherwise: dict[tuple[Pattern, Pattern], str] = {}

    def add(self, texts: pa.Array) -> None:
        """Count a part of the column, without missing texts."""
        if not self.times and len(texts):
            self.first = texts[0].as_py()
            self.candidates = tuple(pattern for pattern in CANDIDATES if (_read(texts.slice(0, _SAMPLE), pattern) != _NOT_READ).any())
        self.times += len(texts)
        readings = {pattern: _read(texts, pattern) for pattern in self.candidates}
        self.read.update({pattern: int((values != _NOT_READ).sum()) for pattern, values in readings.items()})
        for one, other in permutations(readings, 2):
            apart = (readings[one] != readings[other]) & (readings[one] != _NOT_READ)
            self.alone[one, other] += int((apart & (readings[other] == _NOT_READ)).sum())
            both = np.flatnonzero(apart & (readings[other] != _NOT_READ))
            if len(both):
                self.otherwise.setdefault((one, other), texts[int(both[0])].as_py())

    def decide_for(self, one: Pattern, other: Pattern) -> bool:
        """Return whether some texts fit only `one`, and none fits only `other`."""
        return self.alone[one, other] > 0 and self.alone[other, one] == 0


def _read(texts: pa.Array, pattern: Pattern) -> NDArray[np.int64]:
    """Return texts as instants in microseconds; `_NOT_READ` where a text is no time."""
    found = to_instants_in(texts, pattern, _UTC).array
    return np.where(valid_mask(found), numbers_of(found, np.int64), _NOT_READ)


def _are_rivals(one: Pattern, other: Pattern) -> bool:
    """Return whether two formats read the same text as different days."""
    if one is None or one in EPOCHS:
        return False
    text = pa.array([_TELLING_DAY.strftime(one)])
    return bool(_read(text, other)[0] not in {_NOT_READ, _read(text, one)[0]})


def _day(text: str, pattern: Pattern) -> str:
    [instant] = to_instants_in(pa.array([text]), pattern, _UTC).array.to_pylist()
    return f"{instant.day} {instant:%B %Y}"
