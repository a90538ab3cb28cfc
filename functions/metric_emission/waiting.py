"""Keep labels that came before their rows were scored, for two days.

Each batch of that time is searched for their rows.

An upload of rows and one of their labels may overtake each other in the queues. Labels are therefore put here before the
batches are listed, and taken away as they are matched; a batch looks here after it was committed. So one of the two sees
the other, whatever their order.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from functions.metric_emission.join import Labels
from functions.shared.domain import layout
from functions.shared.domain.errors import NotFoundError
from functions.shared.domain.labelled_columns import TIME
from functions.shared.ports import ObjectStore

LONGEST = timedelta(days=2)
_ARRIVED = b"arrived"


@dataclass(frozen=True, slots=True)
class WaitingLabels:
    """What is left of one file of labels.

    `file` is its name among label files; `etag` what stands in the store.
    """

    model: str
    file: str
    labels: Labels
    arrived: datetime
    etag: str

    @property
    def key(self) -> str:
        """Where they wait."""
        return layout.waiting_key(self.model, self.file)


def put_to_wait(model: str, file: str, labels: Labels, arrived: datetime, store: ObjectStore) -> WaitingLabels:
    """Let labels wait, all of them again if the file was delivered before."""
    etag = store.write(layout.waiting_key(model, file), _body(labels, arrived)).etag
    return WaitingLabels(model, file, labels, arrived, etag)


def waiting_files(model: str, store: ObjectStore) -> list[str]:
    """Return the names of files of labels that wait."""
    prefix = layout.waiting_prefix(model)
    return [found.key.removeprefix(prefix).removesuffix(".parquet") for found in store.list(prefix)]


def waiting_in(files: Iterable[str], model: str, store: ObjectStore, now: datetime) -> Iterator[WaitingLabels]:
    """Yield what still waits of some files of labels."""
    for file in files:
        try:
            body, etag = store.read_tagged(layout.waiting_key(model, file))
        except NotFoundError:
            continue
        waiting = _read(model, file, body, etag)
        if now - waiting.arrived <= LONGEST:
            yield waiting


def given_up(store: ObjectStore, now: datetime) -> Counter[str]:
    """Take away the labels that have waited long enough; how many, by model."""
    labels = Counter[str]()
    for found in list(store.list(layout.WAITING)):
        model, file = found.key.removeprefix(layout.WAITING).removesuffix(".parquet").split("/", 1)
        waiting = _read(model, file, *store.read_tagged(found.key))
        if now - waiting.arrived > LONGEST:
            store.delete([found.key])
            labels[model] += waiting.labels.table.num_rows
    return labels


def _read(model: str, file: str, body: bytes, etag: str) -> WaitingLabels:
    table = pq.read_table(pa.BufferReader(body))
    arrived = datetime.fromisoformat(table.schema.metadata[_ARRIVED].decode())
    return WaitingLabels(model, file, Labels(table, has_time=TIME in table.column_names), arrived, etag)


def leave_waiting(waiting: WaitingLabels, unmatched: Labels, store: ObjectStore) -> None:
    """Keep only what no row was found for.

    Raises:
        ConflictError: if another batch took labels away meanwhile; look again.
    """
    if not unmatched.table.num_rows:
        store.delete([waiting.key])
    elif unmatched.table.num_rows < waiting.labels.table.num_rows:
        store.replace(waiting.key, _body(unmatched, waiting.arrived), etag=waiting.etag)


def _body(labels: Labels, arrived: datetime) -> bytes:
    sink = pa.BufferOutputStream()
    table = labels.table.replace_schema_metadata({_ARRIVED: arrived.isoformat().encode()})
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())
