"""Find the batches that labels without times belong to.

For each id that is the latest batch that was asked for before the labels.
"""

from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import groupby, islice, takewhile
from operator import attrgetter

import pyarrow as pa

from functions.metric_emission.day_rows import Gathered, gather_arrived
from functions.metric_emission.join import Labels
from functions.metric_emission.ports import Model
from functions.shared.domain.arrival import Arrival
from functions.shared.domain.labelled_columns import ID
from functions.shared.domain.manifest import Manifest

TOGETHER = 8
"""The most days of arrival that are looked through at a time, the newest first: first 1, then 2, 4 and 8."""


def latest_batches(labels: Labels, arrived: datetime, model: Model) -> Iterator[Manifest]:
    """Yield the batches with rows that labels may belong to, the newest first.

    They end when each id has had its batch.

    At most a document per day of arrival is read in addition, back to the first day whose batches get labels.
    """
    missing = set(labels.table[ID].to_pylist())
    recent = takewhile(lambda arrival: arrival.day >= model.first_recent, model.manifests.entries(model.name))
    by_day = ([*arrivals] for _, arrivals in groupby(recent, key=attrgetter("day")))
    for days in _more_each_time(by_day):
        gathered = gather_arrived([arrival for arrivals in days for arrival in arrivals], model)
        met = gathered.ids_by_batch(pa.array([*missing], pa.string()))
        ids_of = {batch: frozenset(ids.to_pylist()) for batch, ids in met.items()}
        wanted = partial(_wanted, missing=missing, ids_of=ids_of, gathered=gathered, model=model)
        for manifest in by_upload(sorted(map(gathered.arrivals.__getitem__, ids_of), key=attrgetter("name")), wanted):
            ids = ids_of[manifest.batch_id]
            if not missing.isdisjoint(ids) and manifest.source.last_modified <= arrived:
                yield manifest
                missing -= ids
        if not missing:
            return


def _wanted(
    arrival: Arrival, *, missing: set[str], ids_of: Mapping[str, frozenset[str]], gathered: Gathered, model: Model
) -> Manifest | None:
    """Return the manifest of a batch with ids that no batch had so far."""
    return None if missing.isdisjoint(ids_of[arrival.batch]) else gathered.manifest(arrival, model)


def by_upload(newest_first: Iterable[Arrival], read: Callable[[Arrival], Manifest | None]) -> Iterator[Manifest]:
    """Yield batches by upload, the last first, whichever was committed last.

    No more manifests are read than may be of later uploads: a batch is committed after its upload came.

    Args:
        newest_first: in the order of their names.
        read: returns a batch's manifest; None if nobody wants it any more.
    """
    ahead: list[Manifest] = []
    for arrival in newest_first:
        while ahead and _came_after(ahead[-1], arrival):
            yield ahead.pop()
        if manifest := read(arrival):
            insort(ahead, manifest, key=lambda one: (one.source.last_modified, one.created_at))
    yield from reversed(ahead)


def _came_after(manifest: Manifest, arrival: Arrival) -> bool:
    """Return whether a batch's upload surely came after that of another."""
    uploaded = manifest.source.last_modified
    return uploaded.astimezone(UTC).date() > arrival.day or uploaded >= arrival.created_at


def _more_each_time[T](days: Iterator[T]) -> Iterator[list[T]]:
    """Yield the first, then twice as many each time, up to `TOGETHER`.

    Most labels need only the newest batches.
    """
    together = 1
    while some := [*islice(days, together)]:
        yield some
        together = min(2 * together, TOGETHER)
