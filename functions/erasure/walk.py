"""Look through everything stored of a model, unit by unit.

A call goes on from where an earlier one stopped.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter

from functions.erasure.answers import answers
from functions.erasure.batches import batches
from functions.erasure.earlier import earlier
from functions.erasure.labels import labels
from functions.erasure.messages import messages
from functions.erasure.people import Subject
from functions.erasure.ports import Ports
from functions.erasure.snapshots import snapshots, unnamed
from functions.erasure.units import Found, WorkUnit
from functions.erasure.uploads import WORKED_OFF, uploads
from functions.shared.domain import layout
from functions.shared.domain.erasure import Erasure, Reached

STEPS: Mapping[str, Callable[[Subject, Ports], Iterator[WorkUnit]]] = {
    "batches": batches,
    "labels": labels,
    "snapshots": snapshots,
    "earlier": earlier,
    "unnamed": unnamed,
    "messages": messages,
    "answers": answers,
    "uploads": uploads,
}
"""In this order: first referenced files are replaced, then unreferenced ones removed."""
MOST_LOOKS = 3
"""Looks at everything. The second finds rows that arrived during the first; `left` reports people who keep arriving."""
SAVED_EVERY = timedelta(seconds=10)
"""After this the position is stored, also where nobody was found."""


@dataclass(slots=True)
class Walk:
    """An erasure at work.

    `record` is what stands in the store, or will at the next save.
    """

    record: Erasure
    reached: Reached
    subject: Subject
    ports: Ports
    worked: bool = False

    def go_on(self, time_is_up: Callable[[], bool]) -> Erasure:
        """Look until nobody is found, or until the time is up, and return the record."""
        self._save()
        while self.reached.look < MOST_LOOKS:
            if not self._look(time_is_up):
                self.reached = self.reached.model_copy(update={"paused": True})
                return self._save()
            if not self.reached.removed:
                break
            self.reached = Reached(seal=self.reached.seal, look=self.reached.look + 1, at=self.ports.now())
        return self.record

    def ended(self) -> Erasure:
        """Record that nothing is left to do."""
        self.record = self.record.model_copy(update={"ended_at": self.ports.now(), "reached": None})
        self.ports.store.write(layout.erasure_key(self.record.model, self.record.erasure), self.record.to_json())
        return self.record

    def _look(self, time_is_up: Callable[[], bool]) -> bool:
        """Look at all that is left of one look; False if the time was up before its end."""
        if not self.reached.step:
            self.record = self.record.model_copy(update={"left": (), "left_until": {}})
        for step, unit in units_after(self.reached.step, self.reached.place, self.subject, self.ports):
            if self.worked and time_is_up():
                return False
            self._do(step, unit)
        return True

    def _do(self, step: str, unit: WorkUnit) -> None:
        found, self.worked = unit.erase(), True
        self.record = with_found(self.record, found)
        removed = self.reached.removed or found.removed
        self.reached = self.reached.model_copy(update={"step": step, "place": unit.place, "removed": removed})
        if found.removed or found.left or self.ports.now() - self.reached.at > SAVED_EVERY:
            self._save()

    def _save(self) -> Erasure:
        self.reached = self.reached.model_copy(update={"at": self.ports.now()})
        self.record = self.record.model_copy(update={"reached": self.reached})
        self.ports.store.write(layout.erasure_key(self.record.model, self.record.erasure), self.record.to_json())
        return self.record


def units_after(step: str, place: str, subject: Subject, ports: Ports) -> Iterator[tuple[str, WorkUnit]]:
    """Yield each unit after a place, with its step; all if `step` is empty."""
    names = [*STEPS]
    for name in names[names.index(step or names[0]) :]:
        done = place if name == step else ""
        for unit in sorted(STEPS[name](subject, ports), key=attrgetter("place")):
            if unit.place > done:
                yield name, unit


def with_found(erasure: Erasure, found: Found) -> Erasure:
    """Return the record with what one unit removed and left."""
    return erasure.model_copy(
        update={
            "rows": dict(Counter(erasure.rows) + found.rows),
            "batches": dict(Counter(erasure.batches) + found.batches),
            "versions": dict(Counter(erasure.versions) + found.versions),
            "uploads": tuple(dict.fromkeys((*erasure.uploads, *found.uploads))),
            "objects": erasure.objects + found.objects,
            "left": tuple(dict.fromkeys((*erasure.left, *found.left))),
            "left_until": {**erasure.left_until, **{key: until for key, until in found.left.items() if until != WORKED_OFF}},
        }
    )
