"""How many rows of an event day may get a label: each identity once, however many batches scored it."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from itertools import accumulate, groupby

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from functions.metric_emission.join import ID, event_days, stored_identity
from functions.shared.domain.ids import id_texts
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.spec import ModelSpec
from functions.shared.ports import ObjectStore

_DAY = "day"
_AT_A_TIME = 1_000_000
"""Rows whose identities are held against each other at a time; five million would take half a gigabyte."""


def rows_predicted(days: Collection[date], manifests: Sequence[Manifest], spec: ModelSpec, *, store: ObjectStore) -> Counter[date]:
    """Scored rows by event day. Of rows with one id and time, or with one id where the model has no times, a day has one."""
    predicted = Counter[date]()
    scored = list(_identities(days, manifests, spec, store))
    for some in _in_portions(days, manifests):
        rows = pa.concat_tables(table.filter(pc.is_in(table[_DAY], value_set=pa.array(some, pa.date32()))) for table in scored)
        once = rows.group_by(rows.column_names, use_threads=False).aggregate([])
        predicted.update({count["values"]: count["counts"] for count in pc.value_counts(once[_DAY]).to_pylist()})
    return predicted


def _in_portions(days: Collection[date], manifests: Sequence[Manifest]) -> Iterator[list[date]]:
    """The days that have rows, as many together as have few enough."""
    rows = Counter({day: sum(manifest.event_days.get(day, 0) for manifest in manifests) for day in sorted(days)})
    known = [day for day in rows if rows[day]]
    before = accumulate((rows[day] for day in known), initial=0)
    for _, portion in groupby(zip(known, before, strict=False), key=lambda counted: counted[1] // _AT_A_TIME):
        yield [day for day, _ in portion]


def _identities(days: Collection[date], manifests: Sequence[Manifest], spec: ModelSpec, store: ObjectStore) -> Iterator[pa.Table]:
    """The identities of the rows of event days, beside their day."""
    wanted = pa.array(days, pa.date32())
    for manifest in manifests:
        if manifest.event_days.keys().isdisjoint(days):
            continue
        for output in manifest.outputs:
            file = pq.ParquetFile(pa.BufferReader(store.read(output.key)))
            identity = stored_identity(file.schema_arrow.names, spec)
            rows = file.read([*identity.values()]).select([*identity.values()])
            dated = rows.rename_columns([*identity]).append_column(_DAY, event_days(rows, manifest, spec))
            dated = dated.set_column(0, ID, id_texts(dated[ID]))
            yield dated.filter(pc.is_in(dated[_DAY], value_set=wanted))
