"""The index of a model's batches: names of empty objects.

Names say which batches came when, and on which event days their rows lie.

Whoever commits a batch writes its names, and metric_emission does so again, in case a crash came between. Each name follows from
the manifest alone, so in whatever order and however often they are written, the index is the same. A store of an earlier version
is indexed by metric_emission, on first need, day by day from the newest; until then batches are found by reading manifests.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date

from functions.shared.domain import layout
from functions.shared.domain.arrival import Arrival, DayBlock, Listed, standing
from functions.shared.domain.document import Document
from functions.shared.domain.manifest import Manifest
from functions.shared.foundation.ahead import map_ahead
from functions.shared.ports import ObjectStore
from functions.shared.repositories.documents import read_document

FIRST = 100
"""How many of a model's batches are listed first; most readers need no more."""
_NAME = b""
_AT_ONCE = 16


class Indexed(Document):
    """How far a model's index goes back: to a UTC day of arrival, or to all batches."""

    back_to: date | None = None


class BatchIndex:
    """Names of batches in the store bucket."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def add(self, manifest: Manifest) -> None:
        """Write a batch's names; written before, they stay as they are."""
        for key in _keys(manifest):
            self._store.create(key, _NAME)

    def entries(self, model: str, *, since: Arrival | None = None) -> Iterator[Arrival]:
        """Yield all batches of a model, the newest first.

        They are ordered by the UTC day of arrival, and within a day by their commit.

        Args:
            model: whose they are.
            since: the first to be yielded; from there on they are older.
        """
        prefix = layout.arrivals_prefix(model)
        first = [*self._named(prefix, after=f"{prefix}{since.moment}" if since else "", most=FIRST)]
        yield from first
        if len(first) == FIRST:
            yield from self._named(prefix, after=f"{prefix}{first[-1].name}")

    def of_days(self, model: str, days: Collection[date]) -> list[Arrival]:
        """Standing batches that may have rows on some days, the newest first."""
        found = {arrival.batch: arrival for listed in self.by_day(model, days).values() for arrival in listed.standing}
        return sorted(found.values(), key=lambda arrival: arrival.name)

    def by_day(self, model: str, days: Collection[date]) -> dict[date, Listed]:
        """Batches that may have rows on each of some days.

        Days without batches are left out.
        """
        levels = [int(level) for level in self._store.folders(layout.days_prefix(model))]
        within: dict[DayBlock, list[date]] = defaultdict(list)
        for day in days:
            for level in levels:
                within[DayBlock.of(day, level)].append(day)
        again = {upload: arrival.batch for upload, arrival in self.scored_again(model).items()} if levels else {}
        found: dict[date, dict[str, Arrival]] = defaultdict(dict)
        for block, inside in within.items():
            for first, last, arrival in self._of_block(model, block):
                for day in inside:
                    if first <= day <= last:
                        found[day][arrival.batch] = arrival
        return {day: _listed(arrivals.values(), again) for day, arrivals in found.items()}

    def scored_again(self, model: str) -> dict[str, Arrival]:
        """Return the last scoring of each upload that was scored again."""
        return {arrival.upload: arrival for arrival in standing(self._named(layout.again_prefix(model)))}

    def _of_block(self, model: str, block: DayBlock) -> Iterator[tuple[date, date, Arrival]]:
        prefix = layout.block_prefix(model, block.level, block.number)
        for found in self._store.list(prefix):
            span, name = found.key.removeprefix(prefix).split("/")
            first, last = map(date.fromisoformat, span.split("_"))
            yield first, last, Arrival.named(name)

    def _named(self, prefix: str, *, after: str = "", most: int | None = None) -> Iterator[Arrival]:
        return (Arrival.named(found.key.removeprefix(prefix)) for found in self._store.list(prefix, after=after, most=most))

    def is_complete(self, model: str) -> bool:
        """Return whether all batches of a model are in the index."""
        indexed = read_document(self._store, Indexed, layout.indexed_key(model))
        return indexed is not None and indexed.back_to is None

    def complete(self, model: str, *, also: Callable[[Manifest], None]) -> bool:
        """Index all batches of a model. A call that is cut off is resumed by the next.

        Args:
            also: what else is to be done with each.

        Returns:
            Whether any call was still needed.
        """
        indexed = read_document(self._store, Indexed, layout.indexed_key(model))
        if indexed is not None and indexed.back_to is None:
            return False
        prefix = layout.manifest_prefix(model)
        for folder in sorted(self._store.folders(prefix), reverse=True):
            day = date.fromisoformat(folder.removeprefix("dt="))
            if indexed is not None and indexed.back_to is not None and day >= indexed.back_to:
                continue
            keys = (found.key for found in self._store.list(f"{prefix}{folder}/"))
            for manifest in map_ahead(self._indexed, keys, threads=_AT_ONCE):
                also(manifest)
            self._note(model, Indexed(back_to=day))
        self._note(model, Indexed())
        return True

    def _indexed(self, key: str) -> Manifest:
        manifest = Manifest.from_json(self._store.read(key))
        self.add(manifest)
        return manifest

    def _note(self, model: str, indexed: Indexed) -> None:
        self._store.write(layout.indexed_key(model), indexed.to_json())


def _listed(arrivals: Collection[Arrival], again: Mapping[str, str]) -> Listed:
    """Divide a day's batches by the last scoring of each upload scored again."""
    stand = [arrival for arrival in arrivals if again.get(arrival.upload, arrival.batch) == arrival.batch]
    return Listed(stand, frozenset(arrival.batch for arrival in arrivals).difference(arrival.batch for arrival in stand))


def _keys(manifest: Manifest) -> Iterator[str]:
    """The arrival's name comes last, so that all are there if it is."""
    model, name = manifest.model, Arrival.of(manifest).name
    if manifest.supersedes:
        yield f"{layout.again_prefix(model)}{name}"
    if manifest.event_days:
        first, last = min(manifest.event_days), max(manifest.event_days)
        for block in DayBlock.covering(first, last):
            yield f"{layout.block_prefix(model, block.level, block.number)}{first.isoformat()}_{last.isoformat()}/{name}"
    yield f"{layout.arrivals_prefix(model)}{name}"
