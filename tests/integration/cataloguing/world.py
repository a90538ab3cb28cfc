"""A store whose files lie in a folder, tables over them, and DuckDB, which knows neither."""

import hashlib
import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.memory import InMemoryCatalog

from functions.cataloguing.iceberg import IcebergTables
from functions.cataloguing.ports import Ports
from functions.cataloguing.store_io import through_store
from functions.shared.domain import layout
from functions.shared.domain.arrival import Arrival
from functions.shared.domain.manifest import Manifest, Source, Status, StoredFile
from functions.shared.ports import ObjectInfo, ObjectStore
from functions.shared.repositories.manifests import Manifests
from tests.duck import duckdb_over
from tests.fakes.memory_store import MemoryStore

ARRIVED = datetime(2013, 4, 1, 8, tzinfo=UTC)
DATABASE = "everscore"


class FolderStore(MemoryStore):
    """A memory store that writes to a folder too, where other readers find its files."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def write(self, key: str, body: bytes) -> ObjectInfo:
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return super().write(key, body)


class Scorings:
    """Batches as scoring leaves them in a store."""

    def __init__(self, store: ObjectStore) -> None:
        self.store, self._models = store, 0

    def new_model(self) -> str:
        """A name that no table has yet."""
        self._models += 1
        return f"m{self._models}"

    def scored(
        self,
        upload: str,
        table: pa.Table | None,
        *,
        model: str = "m",
        purpose: str = "score",
        arrived: datetime = ARRIVED,
        created: timedelta = timedelta(0),
    ) -> Manifest:
        """Commit a batch of an upload, with these scored rows."""
        source = Source(bucket="inbox", key=f"batches/{model}/{upload}", version_id="v1", etag="e", bytes=9, last_modified=arrived)
        batch = layout.batch_id("inbox", source.key, "v1", purpose)
        outputs = (self.stored(layout.scored_key(model, batch, "a1", 0), table),) if table is not None else ()
        rows = table.num_rows if table is not None else 0
        manifest = Manifest(
            batch_id=batch,
            model=model,
            status=Status.SCORED if outputs else Status.FAILED,
            rows_in=rows,
            rows_scored=rows,
            outputs=outputs,
            source=source,
            purpose=purpose,
            attempt="a1",
            created_at=arrived + created,
        )
        return Manifests(self.store).commit(manifest)

    def erased(self, manifest: Manifest, table: pa.Table | None, attempt: str) -> None:
        """Write a manifest again that names other files, as an erasure does."""
        key = layout.scored_key(manifest.model, manifest.batch_id, attempt, 0)
        outputs = (self.stored(key, table),) if table is not None else ()
        left = manifest.model_copy(update={"outputs": outputs, "rows_scored": table.num_rows if table is not None else 0})
        self.store.write(layout.manifest_key(manifest.model, Arrival.of(manifest).day, manifest.batch_id), left.to_json())

    def stored(self, key: str, table: pa.Table) -> StoredFile:
        sink = io.BytesIO()
        times = [field.name for field in table.schema if pa.types.is_temporal(field.type)]
        pq.write_table(table, sink, write_statistics=times)
        body = sink.getvalue()
        self.store.write(key, body)
        return StoredFile(key=key, rows=table.num_rows, bytes=len(body), sha256=hashlib.sha256(body).hexdigest())


class World(Scorings):
    def __init__(self, folder: Path, root: str | None = None) -> None:
        """With a root, readers find the folder there."""
        super().__init__(FolderStore(folder))
        self._folder = folder
        root = root or f"file://{folder}/"
        self.catalogue = InMemoryCatalog("tests", warehouse=f"{root}warehouse", **through_store(self.store, root))
        self.tables = IcebergTables(self.catalogue, database=DATABASE, root=root)
        self.ports = Ports(store=self.store, tables=self.tables)
        self._duckdb = duckdb_over()

    def expire(self, batch: Manifest) -> None:
        """Remove a batch's scored rows, as the bucket's rules do."""
        self.store.delete([output.key for output in batch.outputs])
        for output in batch.outputs:
            (self._folder / output.key).unlink()

    def close(self) -> None:
        self._duckdb.close()
        self.catalogue.close()

    def set(self, setting: str, value: object) -> None:
        """Set one of DuckDB's options."""
        self._duckdb.execute(f"SET {setting} = {value}")

    def query(self, sql: str, *tables: str) -> list[tuple[Any, ...]]:
        """What DuckDB answers, to whom tables are their metadata alone."""
        for name in tables:
            where = self.catalogue.load_table((DATABASE, name)).metadata_location
            self._duckdb.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM iceberg_scan('{where}')")
        answer = self._duckdb.execute(sql).to_arrow_table()
        return [tuple(row.values()) for row in answer.to_pylist()]


def days_of(*manifests: Manifest) -> set[date]:
    """The days on which batches arrived."""
    return {Arrival.of(manifest).day for manifest in manifests}


def rows(first: int, count: int) -> pa.Table:
    """Scored rows with ids from a number on, an hour apart."""
    ids = [*range(first, first + count)]
    return pa.table(
        {
            "id": [str(number) for number in ids],
            "at": pa.array([ARRIVED + timedelta(hours=number) for number in ids], pa.timestamp("us", "UTC")),
            "score": [number / 100 for number in ids],
        }
    )
