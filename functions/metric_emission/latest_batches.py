"""Find the batches that labels without times belong to.

For each id that is the latest batch that was asked for before the labels.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby, islice, takewhile
from operator import attrgetter

import pyarrow as pa

from functions.metric_emission.day_rows import gather_arrived
from functions.metric_emission.join import Labels
from functions.metric_emission.ports import Model
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
        ids_of = gathered.ids_by_batch(pa.array([*missing], pa.string()))
        for arrival in sorted(map(gathered.arrivals.__getitem__, ids_of), key=attrgetter("name")):
            met = missing.intersection(ids_of[arrival.batch].to_pylist())
            if not met:
                continue
            manifest = gathered.manifests.get(arrival.batch) or model.manifests.at(model.name, arrival)
            if manifest.source.last_modified <= arrived:
                yield manifest
                missing -= met
        if not missing:
            return


def _more_each_time[T](days: Iterator[T]) -> Iterator[list[T]]:
    """Yield the first, then twice as many each time, up to `TOGETHER`.

    Most labels need only the newest batches.
    """
    together = 1
    while some := [*islice(days, together)]:
        yield some
        together = min(2 * together, TOGETHER)
