"""A model whose files of labels are about many days each, as a monthly export is: what one more takes after many."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count

from functions.metric_emission.labelling import measure_labels
from functions.metric_emission.ports import Delivery
from functions.shared.domain.envelopes import StoredObject
from functions.shared.repositories.decisions import Decisions
from tests.component.metric_emission.world import DAY, World, rows
from tests.fakes.counting_store import CountingStore
from tests.fakes.documents import make_decision

DAYS = 28

type Act = tuple[str, Callable[[], object]]


class Labelled:
    """A model in a bucket that counts requests, with a batch for each file of labels, which has a row of each day."""

    def __init__(self, files: int) -> None:
        self._inbox, self._store = CountingStore("inbox"), CountingStore()
        self._world, self._numbers = World(inbox=self._inbox, store=self._store), count()
        Decisions(self._store).write(make_decision("1", champion_version=None))
        self._world.version.put(self._store)
        for _ in range(files):
            self._measure(self._file())

    def requests(self) -> int:
        """To both buckets so far."""
        return self._inbox.requests + self._store.requests

    def acts(self) -> Iterator[Act]:
        """What is measured."""
        file = self._file()
        yield f"one more file of labels of {DAYS} days", lambda: self._measure(file)

    def _file(self) -> StoredObject:
        name = f"b{next(self._numbers)}"
        scored = [row for day in range(DAYS) for row in rows(0.5, day=DAY - timedelta(days=day), prefix=f"{name}-{day}-")]
        self._world.record(self._world.scored(f"{name}.csv", scored, day=DAY))
        lines = [f"{row.id},{row.at.isoformat()},yes" for row in scored]
        return self._world.upload_labels("\n".join(["id,at,bought", *lines]) + "\n", f"{name}.csv")

    def _measure(self, file: StoredObject) -> None:
        measure_labels(file, Delivery(self._world.ports()))
