"""Snapshots: training sets in DVC's remote layout.

Each event month is one Parquet file, so that unchanged months are stored once.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from functions.shared.domain import layout
from functions.shared.domain.decision import Snapshot
from functions.shared.domain.dvc import dvc_directory, dvc_file, parse_listing
from functions.shared.domain.errors import DigestMismatchError
from functions.shared.ports import ObjectStore


class Snapshots:
    """Training sets in the store bucket; the DVC remote is `s3://<store>/snapshots`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def write(self, table: pa.Table, days: pa.Array) -> Snapshot:
        """Store a training set; `days` (date32, one per row) says each row's month.

        The same rows in the same order give the same bytes, hence the same md5.
        """
        files = []
        for month, rows in _by_month(table, days):
            body = _parquet(rows)
            file = dvc_file(f"{month}.parquet", body)
            self._store.create(layout.snapshot_key(file.md5), body)
            files.append(file)
        directory = dvc_directory(files)
        self._store.create(layout.snapshot_key(directory.md5), directory.listing)
        bounds = pc.min_max(days)
        return Snapshot(
            md5=directory.md5,
            rows=table.num_rows,
            bytes=directory.bytes,
            files=len(files),
            first_day=bounds["min"].as_py(),
            last_day=bounds["max"].as_py(),
        )

    def restore(self, md5: str, files: Callable[[], Iterable[tuple[str, bytes]]]) -> None:
        """Store the files of a snapshot that was made elsewhere, if they are its own.

        They are read twice, so that one file at a time is in memory and nothing of another snapshot is stored.

        Raises:
            DigestMismatchError: if they are not those of the snapshot.
        """
        directory = dvc_directory(dvc_file(path, body) for path, body in files())
        if directory.md5 != md5:
            message = f"the files are those of snapshot {directory.md5}, not of {md5}"
            raise DigestMismatchError(message)
        for path, body in files():
            self._store.create(layout.snapshot_key(dvc_file(path, body).md5), body)
        self._store.create(layout.snapshot_key(md5), directory.listing)

    def read(self, md5: str) -> pa.Table:
        """Return the training set of a snapshot, rows in the order they were written.

        Raises:
            NotFoundError: if a file is gone.
            DigestMismatchError: if a file's bytes are not the ones that were stored.
        """
        return pa.concat_tables(pq.read_table(io.BytesIO(body)) for _, body in self.files(md5))

    def files(self, md5: str) -> Iterator[tuple[str, bytes]]:
        """Name and bytes of each of a snapshot's files, the older months first.

        Errors are those of `read`.
        """
        listing = parse_listing(self._checked(md5))
        for path in sorted(listing):
            yield path, self._checked(listing[path])

    def _checked(self, md5: str) -> bytes:
        body = self._store.read(layout.snapshot_key(md5))
        found = hashlib.md5(body, usedforsecurity=False).hexdigest()
        if found != md5.removesuffix(".dir"):
            message = f"snapshot file {md5} has the md5 {found}: its bytes were changed"
            raise DigestMismatchError(message)
        return body


def _by_month(table: pa.Table, days: pa.Array) -> Iterator[tuple[str, pa.Table]]:
    months = pc.strftime(days, format="%Y-%m")
    for month in sorted(pc.unique(months).to_pylist()):
        yield month, table.filter(pc.equal(months, month))


def _parquet(table: pa.Table) -> bytes:
    body = io.BytesIO()
    pq.write_table(table.combine_chunks(), body, compression="zstd", store_schema=True)
    return body.getvalue()
