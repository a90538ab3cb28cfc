"""What labels said of a model, by event day and gathered by month.

A month follows from its days. It is written after them, and from what they say at that moment, so of two writers at once the later
one leaves what stands. A month that has no document yet, as in stores of earlier versions, is read day by day.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby

from functions.shared.domain import layout
from functions.shared.domain.calendar import FIRST_DAY, LAST_DAY
from functions.shared.domain.document import Document
from functions.shared.domain.errors import NotFoundError
from functions.shared.domain.performance.days import DayPerformance
from functions.shared.ports import ObjectInfo, ObjectStore
from functions.shared.repositories.swap import swap


class PerformanceMonth(Document):
    """The event days of a month that have labels, in order, without their batches."""

    days: tuple[DayPerformance, ...]


def listed_days(model: str, store: ObjectStore) -> list[ObjectInfo]:
    """Return the documents of the days that have labels, in order.

    Implausible days are left out: earlier versions stored such days.
    """
    first, last = (layout.performance_key(model, day) for day in (FIRST_DAY, LAST_DAY))
    return [found for found in store.list(layout.performance_prefix(model)) if first <= found.key <= last]


def performance_keys(model: str, store: ObjectStore) -> list[str]:
    """Return the keys of the days that have labels, in order."""
    return [found.key for found in listed_days(model, store)]


def labelled_days(model: str, store: ObjectStore) -> list[date]:
    """Return the days that have labels, in order."""
    return [day_of_key(key) for key in performance_keys(model, store)]


def performances(model: str, store: ObjectStore, days: Sequence[date]) -> Iterator[DayPerformance]:
    """Yield what labels said of some days that have labels, in order.

    Each month takes one request.
    """
    for month, some in groupby(sorted(days), key=_month_of):
        wanted = set(some)
        try:
            gathered = PerformanceMonth.from_json(store.read(layout.performance_month_key(model, month))).days
        except NotFoundError:
            gathered = ()
        known = {day.day: day for day in gathered if day.day in wanted}
        yield from (known.get(day) or _read(layout.performance_key(model, day), store) for day in sorted(wanted))


def gather_months(model: str, store: ObjectStore) -> None:
    """Have a document for each month that has labels."""
    gather_days(model, labelled_days(model, store), store)


def gather_days(model: str, days: Iterable[date], store: ObjectStore) -> None:
    """Have the months of some days say what the days' own documents say.

    Raises:
        ConflictError: if others changed a month at every try.
    """
    for month, some in groupby(sorted(days), key=_month_of):
        _gather(model, month, [*some], store)


def _gather(model: str, month: str, days: Sequence[date], store: ObjectStore) -> None:
    def gathered(body: bytes | None) -> tuple[bytes, None]:
        if body is None:
            return _month(model, month, store).to_json(), None
        known = {one.day: one for one in PerformanceMonth.from_json(body).days}
        known |= {day: _read(layout.performance_key(model, day), store) for day in days}
        return PerformanceMonth(days=tuple(known[one] for one in sorted(known))).to_json(), None

    swap(store, layout.performance_month_key(model, month), gathered)


def _month(model: str, month: str, store: ObjectStore) -> PerformanceMonth:
    keys = [key for key in performance_keys(model, store) if _month_of(day_of_key(key)) == month]
    return PerformanceMonth(days=tuple(_read(key, store) for key in keys))


def _read(key: str, store: ObjectStore) -> DayPerformance:
    return DayPerformance.from_json(store.read(key)).model_copy(update={"batches": ()})


def day_of_key(key: str) -> date:
    """Return the event day of a document."""
    return date.fromisoformat(key.rsplit("/", 1)[-1].removesuffix(".json"))


def _month_of(day: date) -> str:
    return day.isoformat()[:7]
