"""Tables as Apache Iceberg has them, in a catalogue that pyiceberg knows."""

import json
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pydantic import TypeAdapter
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestFile
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table as Loaded
from pyiceberg.table import Transaction
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import ExpireSnapshots, _MergeAppendFiles, _OverwriteFiles
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import Record
from pyiceberg.types import DateType, NestedField, PrimitiveType, StringType

from functions.cataloguing.columns import BATCH, NOTED, OWN, Columns, free_name
from functions.cataloguing.names import table_name
from functions.cataloguing.ports import NewFile, TableFile
from functions.shared.domain.errors import ConflictError, InputError, TableLostError
from functions.shared.foundation.ahead import map_ahead

if TYPE_CHECKING:
    import pyarrow as pa

    from functions.cataloguing.ports import Table

_TYPE: TypeAdapter[PrimitiveType] = TypeAdapter(PrimitiveType)
_EPOCH = date(1970, 1, 1)
_MODEL, _NAMES = "everscore.model", "schema.name-mapping.default"
_KEPT_SNAPSHOTS = 10
_AT_ONCE = 16
_ALWAYS = {
    "commit.retry.num-retries": "0",  # a change is right for the files that were seen, and no others
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "10",
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "20",
}


class _Change(_OverwriteFiles, _MergeAppendFiles):
    """A change of files that merges manifests, as pyiceberg's append does.

    Without that, each change would add a manifest for good.
    """


class IcebergTables:
    """`Tables` in one namespace of a catalogue.

    Their files lie below a root such as `s3://bucket/`.
    """

    def __init__(self, catalogue: Catalog, *, database: str, root: str) -> None:
        self._catalogue = catalogue
        self._database = database
        self._root = root

    def open(self, model: str, kind: str) -> "Table":
        """Return a model's table as it stands now; a new one has no columns.

        Raises:
            TableLostError: if its metadata is not in this store.
        """
        identifier = self._database, table_name(model, kind)
        try:
            loaded = self._catalogue.load_table(identifier)
        except NoSuchTableError:
            loaded = self._created(identifier, model, kind)
        except FileNotFoundError as error:
            message = f"the metadata of the table {identifier[1]} is not in this stack's store: {error}"
            raise TableLostError(message, remedy=f"`everscore table rebuild {model}` makes its tables again") from error
        if (owner := loaded.properties[_MODEL]) != model:
            message = f"the table {identifier[1]} is that of the model {owner!r}, so {model!r} can have none"
            raise InputError(message, remedy="give one of the two models another name", code="table_name_taken")
        return IcebergTable(loaded, self._root)

    def exists(self, model: str, kind: str) -> bool:
        """Return whether a model has a table."""
        try:
            return self._catalogue.table_exists((self._database, table_name(model, kind)))
        except FileNotFoundError:  # it has a name in the catalogue, and its metadata is lost
            return True

    def forget(self, model: str, kind: str) -> None:
        """Take any such table out of the catalogue; its files stay."""
        if not self.exists(model, kind):
            return
        with suppress(TableLostError):
            self.open(model, kind)  # refuses a table of another model
        with suppress(NoSuchTableError):  # if the answer was lost, the request was sent again
            self._catalogue.drop_table((self._database, table_name(model, kind)))

    def _created(self, identifier: tuple[str, str], model: str, kind: str) -> Loaded:
        own = OWN[kind]
        fields = [NestedField(number, name, StringType() if name == BATCH else DateType()) for number, name in enumerate(own, start=1)]
        parts = [PartitionField(field.field_id, 999 + field.field_id, IdentityTransform(), field.name) for field in fields]
        self._catalogue.create_namespace_if_not_exists(self._database)
        try:
            return self._catalogue.create_table(
                identifier,
                Schema(*fields),
                location=f"{self._root}tables/{model}/{kind}",
                partition_spec=PartitionSpec(*parts),
                properties={**_ALWAYS, _MODEL: model, NOTED: Columns(own=own).model_dump_json(), _NAMES: "[]"},
            )
        except TableAlreadyExistsError:
            return self._catalogue.load_table(identifier)


class IcebergTable:
    """`Table` over one state of an Iceberg table.

    A file may hold rows of many event days, so that it cannot be parted by those; its least and greatest time say which days'
    queries read it. What no file holds, its batch and day of arrival, readers take from its partition.
    """

    def __init__(self, loaded: Loaded, root: str) -> None:
        self._loaded = loaded
        self._root = root

    @property
    def identity(self) -> str:
        """Return what the table alone is called."""
        return str(self._loaded.metadata.table_uuid)

    @property
    def columns(self) -> Columns:
        """Return the table's columns."""
        return Columns.from_json(self._loaded.properties[NOTED])

    @property
    def file_schema(self) -> "pa.Schema":
        """Return the columns of a file of many batches, the batch last.

        Readers know them by their numbers, so that names are free to be those under which an erasure finds people.
        """
        from pyarrow import schema
        from pyiceberg.io.pyarrow import schema_to_pyarrow  # takes long, and only large files need it

        standing, fields = self.columns.standing, schema_to_pyarrow(self._loaded.schema())
        named = [fields.field(column.name).with_name(source) for source, column in standing.items()]
        return schema([*named, fields.field(BATCH).with_name(free_name(BATCH, [*standing]))])

    def files(self, days: Collection[date] | None = None) -> Sequence[TableFile]:
        """Return the files of some periods, or all."""
        return [self._file(found) for found in self._found(days)]

    def named(self) -> set[str]:
        """Return the keys below `tables/` that a kept state of the table needs."""
        metadata, io = self._loaded.metadata, self._loaded.io
        manifests = {manifest.manifest_path: manifest for state in metadata.snapshots for manifest in state.manifests(io)}
        data = {entry.data_file.file_path for manifest in manifests.values() for entry in manifest.fetch_manifest_entry(io)}
        lists = {state.manifest_list for state in metadata.snapshots}
        logged = {entry.metadata_file for entry in metadata.metadata_log}
        return {path.removeprefix(self._root) for path in data | manifests.keys() | lists | logged | {self._loaded.metadata_location}}

    def commit(self, columns: Columns, *, added: Sequence[NewFile], removed: Collection[TableFile], forget: bool = False) -> None:
        """Change columns and files at once; raise ConflictError if another did first."""
        keys = {file.key for file in removed}
        gone = [found for found in self._found({file.day for file in removed}) if self._file(found).key in keys]
        try:
            with self._loaded.transaction() as transaction:
                if _ALWAYS.items() - self._loaded.properties.items():  # an earlier Everscore made the table
                    transaction.set_properties(_ALWAYS)
                ids = _evolve(transaction, self.columns, columns)
                with (
                    _parted_by_days(transaction) if any(not new.file.batch for new in added) else nullcontext(),
                    _Change(Operation.OVERWRITE if gone else Operation.APPEND, transaction, self._loaded.io) as change,
                ):
                    spec = transaction.table_metadata.default_spec_id  # made again by each look
                    for new in added:
                        change.append_data_file(self._data_file(new, ids, spec))
                    for found in gone:
                        change.delete_data_file(found)
                if old := self._old_snapshots(kept=0 if forget else _KEPT_SNAPSHOTS):
                    with ExpireSnapshots(transaction) as expiry:
                        expiry.by_ids(old)
        except (CommitFailedException, CommitStateUnknownException) as error:
            message = f"the table {'.'.join(self._loaded.name())} was changed by another writer"
            raise ConflictError(message) from error

    def _old_snapshots(self, kept: int) -> list[int]:
        """Return the snapshots to drop, since each commit copies the list of all."""
        newest_first = sorted(self._loaded.snapshots(), key=lambda snapshot: snapshot.timestamp_ms, reverse=True)
        return [snapshot.snapshot_id for snapshot in newest_first[kept:]]

    def _found(self, days: Collection[date] | None) -> list[DataFile]:
        """Return the files of some periods, or all.

        pyiceberg's plan of a scan takes most of its time to say which of a file's rows are asked for. That is all of them here.
        """
        if (state := self._loaded.current_snapshot()) is None:
            return []
        io, numbers = self._loaded.io, None if days is None else {(day - _EPOCH).days for day in days}
        manifests = (manifest for manifest in state.manifests(io) if _may_hold(manifest, numbers))
        entries = map_ahead(lambda manifest: manifest.fetch_manifest_entry(io), manifests, threads=_AT_ONCE)
        files = (entry.data_file for some in entries for entry in some)
        return [file for file in files if numbers is None or file.partition[0] in numbers]

    def _file(self, found: DataFile) -> TableFile:
        values = [found.partition[place] for place in range(len(found.partition))]
        day, [batch] = _EPOCH + timedelta(days=values[0]), values[1:] or [""]
        return TableFile(found.file_path.removeprefix(self._root), day, batch, found.record_count)

    def _data_file(self, new: NewFile, ids: Mapping[str, int], spec: int) -> DataFile:
        file = new.file
        bounds = {ids[source]: bounds for source, bounds in new.bounds.items() if source in ids}
        return DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=self._root + file.key,
            file_format=FileFormat.PARQUET,
            partition=Record((file.day - _EPOCH).days, *([file.batch] if file.batch else [])),
            record_count=new.rows,
            file_size_in_bytes=new.bytes,
            lower_bounds={number: _stored(least) for number, (least, _) in bounds.items()},
            upper_bounds={number: _stored(greatest) for number, (_, greatest) in bounds.items()},
            spec_id=spec,
        )


def _may_hold(manifest: ManifestFile, numbers: Collection[int] | None) -> bool:
    """Return whether a manifest may name files of some periods.

    It says the least and the greatest of its own, and whether it names only files that went out.
    """
    if not (manifest.has_added_files() or manifest.has_existing_files()):
        return False
    period = manifest.partitions[0] if manifest.partitions else None
    if numbers is None or period is None or period.lower_bound is None or period.upper_bound is None:
        return True
    [least], [greatest] = struct.unpack("<i", period.lower_bound), struct.unpack("<i", period.upper_bound)
    return any(least <= number <= greatest for number in numbers)


@contextmanager
def _parted_by_days(transaction: Transaction) -> Iterator[None]:
    """Part the files of a change by days alone, and later ones as before.

    All of it is one commit.
    """
    parted = BATCH in {field.name for field in transaction.table_metadata.spec().fields}
    if parted:
        with transaction.update_spec() as spec:
            spec.remove_field(BATCH)
    yield
    if parted:
        with transaction.update_spec() as spec:
            spec.add_identity(BATCH)


def _stored(microseconds: int) -> bytes:
    return struct.pack("<q", microseconds)


def _evolve(transaction: Transaction, before: Columns, after: Columns) -> Mapping[str, int]:
    """Change a table's columns, and return their numbers by their names in files."""
    old, new = before.standing, after.standing
    if old != new:
        with transaction.update_schema() as update:
            for source in old.keys() - new.keys():
                update.delete_column(old[source].name)
            for source, column in new.items():
                kind = _TYPE.validate_python(column.kind)
                if source not in old:
                    update.add_column(column.name, kind)
                elif column != old[source]:
                    update.update_column(column.name, field_type=kind)
    schema = transaction.table_metadata.schema()
    ids = {source: schema.find_field(column.name).field_id for source, column in new.items()}
    if before != after:
        names = [{"field-id": number, "names": [source]} for source, number in ids.items()]
        transaction.set_properties({NOTED: after.model_dump_json(), _NAMES: json.dumps(names)})
    return ids
