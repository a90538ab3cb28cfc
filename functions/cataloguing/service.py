"""Bring a model's tables to what its manifests say.

Nothing is kept of what was done before: what the tables show is compared with what stands, and the difference is committed. So
manifests may come twice, in any order, to several workers, and a crash leaves nothing that the next run does not mend.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from functions.cataloguing.batch_rows import SCHEMA, Row, marked, row_of, rows_in, written
from functions.cataloguing.columns import OWN, Columns
from functions.cataloguing.compaction import in_large_files, is_made_of
from functions.cataloguing.footers import Footer, read_footer
from functions.cataloguing.labels import catalogue_labels
from functions.cataloguing.ports import NewFile, Ports, Table, TableFile
from functions.shared.domain import layout
from functions.shared.domain.arrival import Arrival
from functions.shared.domain.errors import ConflictError, NotFoundError
from functions.shared.domain.manifest import Manifest, StoredFile
from functions.shared.foundation.ahead import map_ahead
from functions.shared.ports import ObjectInfo, ObjectStore
from functions.shared.repositories.manifests import Manifests

SCORED, BATCHES = "scored", "batches"
_TRIES = 10
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the table of scored rows.

    It is how many files came in and went out, and the table's columns.
    """

    added: int
    removed: int
    columns: Columns


def catalogue(model: str, days: Collection[date], ports: Ports, *, look: bool = False) -> Outcome:
    """Bring the tables of a model to its manifests of some UTC days of arrival.

    All scorings of an upload have its day, so each day is right by itself. Files that have expired come into no table.

    Args:
        model: whose tables they are.
        days: of arrival.
        ports: of the store and the tables.
        look: also which files are left, so that those that have expired leave the tables.

    Raises:
        ConflictError: if other writers came first at every try.
    """
    for _ in range(_TRIES - 1):
        try:
            return _catalogue(model, days, ports, look=look)
        except ConflictError:
            continue
    return _catalogue(model, days, ports, look=look)


def catalogue_all(model: str, ports: Ports) -> Outcome:
    """Bring all tables of a model to what is stored of it."""
    outcome = catalogue(model, Manifests(ports.store).days(model), ports, look=True)
    catalogue_labels(model, ports)
    return outcome


def rebuild(model: str, ports: Ports) -> Outcome:
    """Make the tables of a model again from what is stored of it.

    Meanwhile they are not whole.
    """
    for kind in OWN:
        ports.tables.forget(model, kind)
    return catalogue_all(model, ports)


def files_left(model: str, store: ObjectStore) -> frozenset[str]:
    """Return the keys of a model's scored files that have not expired.

    Those of its tables' large files are among them.
    """
    prefixes = layout.batches_prefixes(model)[0], layout.table_files_prefix(model, SCORED)
    return frozenset(found.key for prefix in prefixes for found in store.list(prefix))


def _catalogue(model: str, days: Collection[date], ports: Ports, *, look: bool) -> Outcome:
    if not _has_batches(model, days, ports):
        return Outcome(0, 0, Columns(own=OWN[SCORED]))
    scored, batches = ports.tables.open(model, SCORED), ports.tables.open(model, BATCHES)
    shown, listed = scored.files(days), batches.files(days)
    there = files_left(model, ports.store) if look else None  # after what is shown: a file that came since is in neither
    found = {file.day: rows_in(ports.store.read(file.key)) for file in listed}
    before = {day: rows for day, rows in found.items() if rows is not None}
    manifests = Manifests(ports.store)
    listed_on = dict(map_ahead(lambda day: (day, dict(manifests.on(model, day))), iter(days), threads=_AT_ONCE))
    large = _large(scored, shown, listed_on, before, there)
    read, after = _read(listed_on, before, {file.batch for file in shown} | _within(large, before), there, ports)
    stands = {row["batch_id"] for rows in after.values() for row in rows if row["standing"]}
    alone = stands - _within(large, after)
    wanted = {
        file.key: (file, manifest)
        for manifest in read.values()
        if manifest.batch_id in alone
        for file in manifest.outputs
        if there is None or file.key in there
    }
    kept = {file.key for file in large} | {
        file.key
        for file in shown
        if file.batch in alone and (file.batch not in read or file.key in wanted) and (there is None or file.key in there)
    }
    missing = [(stored, _in_table(stored, manifest)) for key, (stored, manifest) in wanted.items() if key not in kept]
    removed = [file for file in shown if file.key not in kept]
    replaced = any(not file.batch or file.batch in stands for file in removed)  # by an erasure, or they have expired
    added, columns = _commit_scored(scored, missing, removed, ports, forget=replaced)
    changed = {day: rows for day, rows in after.items() if rows != before.get(day, [])}
    _commit_batches(model, batches, listed, changed, ports, forget=len(before) < len(found))
    return Outcome(added, len(removed), columns)


def _has_batches(model: str, days: Collection[date], ports: Ports) -> bool:
    """Return whether the tables show batches of some days, or should.

    A model that was removed has none, and a late event of one of its manifests makes no tables.
    """
    if any(True for day in sorted(days, reverse=True) for _ in Manifests(ports.store).on(model, day)):
        return True
    return any(ports.tables.exists(model, kind) for kind in (SCORED, BATCHES))


def _large(
    table: Table,
    shown: Collection[TableFile],
    listed: Mapping[date, Mapping[str, ObjectInfo]],
    rows: Mapping[date, list[Row]],
    there: Collection[str] | None,
) -> list[TableFile]:
    """Return the large files that show their day's small batches as they are.

    Neither may be gone, nor may one of these batches have expired.
    """
    left = {layout.batch_of(key) for key in there or ()}

    def is_right(file: TableFile) -> bool:
        etags = {batch: info.etag for batch, info in listed[file.day].items()}
        if file.day not in rows or not is_made_of(etags, file, table):
            return False
        return there is None or (file.key in there and in_large_files(rows[file.day]).keys() <= left)

    return [file for file in shown if not file.batch and is_right(file)]


def _within(large: Iterable[TableFile], rows: Mapping[date, list[Row]]) -> set[str]:
    """Return the batches whose rows these large files have."""
    return {batch for day in {file.day for file in large} for batch in in_large_files(rows[day])}


def _read(
    listed: Mapping[date, Mapping[str, ObjectInfo]],
    before: Mapping[date, list[Row]],
    has: Collection[str],
    there: Collection[str] | None,
    ports: Ports,
) -> tuple[dict[str, Manifest], dict[date, list[Row]]]:
    """Read the manifests of batches whose files the tables lack, or must drop.

    These are manifests that differ from what the tables know, and those of standing batches whose remaining files are not shown.

    Args:
        listed: the manifests of each day, by batch.
        before: the rows of batches that are known.
        has: batches whose rows are shown.
        there: any files that are left.
        ports: of the store and the tables.

    Returns:
        These manifests by batch, and the rows of all batches by day.
    """
    manifests = Manifests(ports.store)
    left = None if there is None else {layout.batch_of(key) for key in there}
    rows = {day: {row["batch_id"]: row for row in before.get(day, ())} for day in listed}

    def unknown() -> Iterator[ObjectInfo]:
        for day, known in rows.items():
            for batch, info in listed[day].items():
                row = known.get(batch)
                lacks = row is not None and row["standing"] and row["rows_scored"] and batch not in has
                if row is None or row["manifest"] != info.etag or (lacks and (left is None or batch in left)):
                    yield info

    def light(info: ObjectInfo) -> tuple[Manifest, str]:
        return manifests.read(info.key).model_copy(update={"profiles": {}, "agreement": None}), info.etag

    read = {}
    for manifest, etag in map_ahead(light, unknown(), threads=_AT_ONCE):
        read[manifest.batch_id] = manifest
        rows[Arrival.of(manifest).day][manifest.batch_id] = row_of(manifest, etag)
    return read, {day: marked(found.values()) for day, found in rows.items()}


def _commit_scored(
    table: Table, missing: Collection[tuple[StoredFile, TableFile]], removed: Collection[TableFile], ports: Ports, *, forget: bool
) -> tuple[int, Columns]:
    """Commit, and return how many files came into the table, and its columns."""
    looked = map_ahead(lambda file: _footer(*file, ports.store), iter(missing), threads=_AT_ONCE)
    footers = [footer for footer in looked if footer is not None]
    if not footers and not removed:
        return 0, table.columns
    columns = table.columns.with_files(footer.schema for footer in footers)
    table.commit(columns, added=[footer.new for footer in footers], removed=removed, forget=forget)
    return len(footers), columns


def _footer(stored: StoredFile, file: TableFile, store: ObjectStore) -> Footer | None:
    """Return a file's footer, or None if the file has expired or was replaced.

    An erasure replaces files; its own manifest comes later.
    """
    try:
        return read_footer(store, stored, file)
    except NotFoundError:
        return None


def _commit_batches(
    model: str, table: Table, listed: Collection[TableFile], changed: Mapping[date, list[Row]], ports: Ports, *, forget: bool
) -> None:
    """Replace the files of the days whose rows changed: there is one per day.

    Columns are those of this Everscore alone. What another one wrote may be asked for no more: errors' texts may quote a person.
    """
    if not changed:
        return
    added = []
    for day, rows in changed.items():
        name, body = written(rows)
        file = TableFile(layout.table_file_key(model, BATCHES, day, name), day)
        ports.store.write(file.key, body)
        added.append(NewFile(file, len(rows), len(body), bounds={}))
    columns = Columns(own=OWN[BATCHES]).with_files([SCHEMA])
    table.commit(columns, added=added, removed=[file for file in listed if file.day in changed], forget=forget)


def _in_table(stored: StoredFile, manifest: Manifest) -> TableFile:
    return TableFile(stored.key, Arrival.of(manifest).day, manifest.batch_id)
