"""Bring a table whose files follow from stored objects to what these say now.

Each period, as an event day, has one file. Its name says of which versions of which objects it was made, so a look at names shows whether
it is still right. Nothing else is kept: order, repetition and crashes are the same case.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from functions.cataloguing.footers import Footer, footer_of
from functions.cataloguing.ports import Ports, TableFile
from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError, NotFoundError, TablesDifferError
from functions.shared.foundation.counted import counted
from functions.shared.ports import ObjectInfo, ObjectStore, VersionedStore

type Sources = Mapping[str, str]
"""ETags of the objects that a file follows from, by key."""

_FORMAT = 2
"""Another number has all files made again."""
_TRIES = 10
_AT_A_TIME, _SOURCES_AT_A_TIME = 31, 200
"""Files that one commit adds, and objects that it reads for them unless they are of one period.

So a long past comes in steps that a crash does not undo.
"""


@dataclass(frozen=True, slots=True)
class Made:
    """A Parquet file, the columns of what it was made from, and the versions of that."""

    body: bytes
    schemas: Sequence[pa.Schema]
    sources: Sources


@dataclass(frozen=True, slots=True)
class _Written:
    """A file that was written, and has yet to come into the table."""

    info: ObjectInfo
    footer: Footer
    schemas: Sequence[pa.Schema]
    sources: Sources

    @property
    def file(self) -> TableFile:
        return self.footer.new.file


@dataclass(slots=True)
class _Run:
    """What one call committed, and the periods that it has yet to bring.

    These come to what they were when it began, or to later. What changes meanwhile is announced by messages of its own: else a call would
    not end where sources change all the time.
    """

    came: set[str] = field(default_factory=set)
    due: set[date] | None = None


class Followed(Protocol):
    """What such a table shows."""

    @property
    def kind(self) -> str:
        """Which of a model's tables it is."""

    @property
    def depends(self) -> str:
        """What files depend on apart from their sources."""

    @property
    def shows_people(self) -> bool:
        """Whether files may hold what an erasure removes."""

    def sources(self, store: ObjectStore) -> Mapping[date, Sources]:
        """Return what there is, by period."""

    def made(self, sources: Sources, store: ObjectStore) -> Made:
        """Return the file of a period, made from the listed versions or from later ones.

        Raises:
            ConflictError: if a source is gone, or of a version that cannot be taken.
        """


def bring(model: str, followed: Followed, ports: Ports) -> int:
    """Bring a table to what its sources say; return how many files changed.

    Raises:
        ConflictError: if at every one of several tries all sources or the table changed.
        TablesDifferError: if the table lacks a file that was committed.
    """
    changed, conflicts, run = 0, 0, _Run()
    while True:
        try:
            step = _step(model, followed, ports, run)
        except ConflictError:
            conflicts += 1
            if conflicts == _TRIES:
                raise
            continue
        if not step:
            return changed
        changed, conflicts = changed + step, 0


def _step(model: str, followed: Followed, ports: Ports, run: _Run) -> int:
    """Commit some of what differs, and return how many files that are."""
    sources = followed.sources(ports.store)
    if not sources and not ports.tables.exists(model, followed.kind):
        return 0
    table = ports.tables.open(model, followed.kind)
    wanted = _wanted(model, followed, sources)
    shown = table.files()
    removed = [file for file in shown if file.key not in wanted]
    lacking = wanted.keys() - {file.key for file in shown}
    if lost := lacking & run.came:
        message = f"the table {followed.kind!r} of {model!r} lacks {counted(len(lost), 'files')} that were committed"
        raise TablesDifferError(message, remedy=f"`everscore table rebuild {model}` makes them again")
    periods = {wanted[key][0] for key in lacking}
    run.due = periods if run.due is None else run.due & periods
    some = _first({key for key in lacking if wanted[key][0] in run.due}, wanted)
    if not some and (lacking or not removed):
        return 0
    written = _written(model, some, followed, ports.store)
    now = followed.sources(ports.store)  # seen after the table: what others added to it from newer sources is not removed
    right = _right(written, now, followed, ports.store)
    still = _wanted(model, followed, now)
    old = [file for file in removed if file.key not in still]
    gone = [file for file in old if len(lacking) == len(right) or file.day in {one.file.day for one in right}]
    if not right and not gone:
        message = f"what the table {followed.kind!r} of {model!r} follows from changed meanwhile"
        raise ConflictError(message)
    columns = table.columns.with_files(schema for one in right for schema in one.schemas)
    table.commit(columns, added=[one.footer.new for one in right], removed=gone, forget=bool(gone))
    run.came.update(one.file.key for one in right)
    run.due -= {one.file.day for one in right}
    return len(right) + len(gone)


def _wanted(model: str, followed: Followed, sources: Mapping[date, Sources]) -> dict[str, tuple[date, Sources]]:
    """Return what the table should show, by the key of the file that says it."""
    return {_file(model, followed, period, of).key: (period, of) for period, of in sources.items()}


def _first(lacking: Collection[str], wanted: Mapping[str, tuple[date, Sources]]) -> dict[str, tuple[date, Sources]]:
    """Return what one commit adds, at least one file."""
    some, read = dict[str, tuple[date, Sources]](), 0
    for key in sorted(lacking):
        read += len(wanted[key][1])
        if some and (len(some) == _AT_A_TIME or read > _SOURCES_AT_A_TIME):
            break
        some[key] = wanted[key]
    return some


def _written(model: str, some: Mapping[str, tuple[date, Sources]], followed: Followed, store: ObjectStore) -> list[_Written]:
    """Write files, but for periods whose sources cannot be taken any more."""
    written = list[_Written]()
    for period, of in some.values():
        with suppress(ConflictError):
            made = followed.made(of, store)
            file = _file(model, followed, period, made.sources)
            info = store.write(file.key, made.body)
            footer = footer_of(pq.read_metadata(pa.BufferReader(made.body)), file, len(made.body))
            written.append(_Written(info, footer, made.schemas, made.sources))
    return written


def _right(written: Iterable[_Written], now: Mapping[date, Sources], followed: Followed, store: VersionedStore) -> list[_Written]:
    """Return the files whose sources all stand as they were read; more may have come.

    The others are removed for good if they may show people: some may have been erased since, and no erasure saw these files.
    """
    right = [one for one in written if not followed.shows_people or one.sources.items() <= now.get(one.file.day, {}).items()]
    store.forget(one.info for one in written if one not in right)
    return right


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
