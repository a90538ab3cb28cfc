"""Bring a table whose files follow from stored objects to what these say now.

Each period, as an event day, has one file. Its name says of which versions of which objects it was made, so a look at names shows whether
it is still right. Nothing else is kept: order, repetition and crashes are the same case.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from functions.cataloguing.footers import Footer, footer_of
from functions.cataloguing.ports import Ports, TableFile
from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError, NotFoundError, TablesDifferError
from functions.shared.foundation.counted import counted
from functions.shared.ports import ObjectStore

type Sources = Mapping[str, str]
"""ETags of the objects that a file follows from, by key."""

_FORMAT = 1
"""Another number has all files made again."""
_TRIES = 10
_AT_A_TIME = 31
"""Files that one commit adds, so that a long past comes in steps that a crash does not undo."""


@dataclass(frozen=True, slots=True)
class Made:
    """A Parquet file, and the columns of what it was made from."""

    body: bytes
    schemas: Sequence[pa.Schema]


class Followed(Protocol):
    """What such a table shows."""

    @property
    def kind(self) -> str:
        """Which of a model's tables it is."""

    @property
    def depends(self) -> str:
        """What files depend on apart from their sources."""

    def sources(self, store: ObjectStore) -> Mapping[date, Sources]:
        """Return what there is, by period."""

    def made(self, sources: Sources, store: ObjectStore) -> Made:
        """Return the file of a period.

        Raises:
            ConflictError: if a source is of another version than was listed.
        """


def bring(model: str, followed: Followed, ports: Ports) -> int:
    """Bring a table to what its sources say; return how many files changed.

    Raises:
        ConflictError: if sources or the table changed at every try.
        TablesDifferError: if the table lacks a file that was committed.
    """
    changed, conflicts, came = 0, 0, set[str]()
    while True:
        try:
            step = _step(model, followed, ports, came)
        except ConflictError:
            conflicts += 1
            if conflicts == _TRIES:
                raise
            continue
        if not step:
            return changed
        changed += step


def _step(model: str, followed: Followed, ports: Ports, came: set[str]) -> int:
    """Commit some of what differs, and return how many files that are."""
    sources = followed.sources(ports.store)
    if not sources and not ports.tables.exists(model, followed.kind):
        return 0
    table = ports.tables.open(model, followed.kind)
    wanted = {_file(model, followed, period, of).key: (period, of) for period, of in sources.items()}
    shown = table.files()
    removed = [file for file in shown if file.key not in wanted]
    lacking = wanted.keys() - {file.key for file in shown}
    if lost := lacking & came:
        message = f"the table {followed.kind!r} of {model!r} lacks {counted(len(lost), 'files')} that were committed"
        raise TablesDifferError(message, remedy=f"`everscore table rebuild {model}` makes them again")
    some = dict(islice(((key, wanted[key]) for key in sorted(lacking)), _AT_A_TIME))
    if not some and not removed:
        return 0
    footers, schemas = _written(some, followed, ports.store)
    if not _still(some.values(), followed, ports.store):
        ports.store.delete(some)  # it may show people who were erased since
        message = f"what the table {followed.kind!r} of {model!r} follows from changed meanwhile"
        raise ConflictError(message)
    gone = [file for file in removed if len(lacking) == len(some) or file.day in {period for period, _ in some.values()}]
    columns = table.columns.with_files(schemas)
    table.commit(columns, added=[footer.new for footer in footers], removed=gone, forget=bool(gone))
    came.update(some)
    return len(footers) + len(gone)


def _written(some: Mapping[str, tuple[date, Sources]], followed: Followed, store: ObjectStore) -> tuple[list[Footer], list[pa.Schema]]:
    footers, schemas = list[Footer](), list[pa.Schema]()
    for key, (period, of) in some.items():
        made = followed.made(of, store)
        store.write(key, made.body)
        footers.append(footer_of(pq.read_metadata(pa.BufferReader(made.body)), TableFile(key, period), len(made.body)))
        schemas.extend(made.schemas)
    return footers, schemas


def _still(some: Collection[tuple[date, Sources]], followed: Followed, store: ObjectStore) -> bool:
    """Return whether sources are as they were when they were read."""
    now = followed.sources(store) if some else {}
    return all(now.get(period) == of for period, of in some)


def _file(model: str, followed: Followed, period: date, sources: Sources) -> TableFile:
    said = json.dumps([_FORMAT, followed.depends, sorted(sources.items())])
    return TableFile(layout.table_file_key(model, followed.kind, period, hashlib.sha256(said.encode()).hexdigest()[:32]), period)


def tagged(key: str, *, store: ObjectStore, sources: Sources) -> bytes:
    """Return the bytes of a source, of the version that was listed.

    Raises:
        ConflictError: if it is of another version, or gone.
    """
    try:
        body, etag = store.read_tagged(key)
    except NotFoundError:
        body, etag = b"", ""
    if etag != sources[key]:
        message = f"{key} was changed while a table was made from it"
        raise ConflictError(message)
    return body
