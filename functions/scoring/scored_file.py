"""Write the Parquet file of a batch's scored rows into an upload."""

from collections.abc import Collection
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from functions.shared.domain.manifest import StoredFile
from functions.shared.ports import Upload

ROW_GROUP_BYTES = 16 * 2**20
"""Size in memory up to which rows are collected, since many small row groups are slow to read."""

_SAMPLE_ROWS = 4096


class ScoredFile:
    """Takes rows, and writes row groups.

    Close it, or use it in a `with` block, before the upload is discarded. Only columns whose values repeat in the first rows get a
    dictionary; for others, it would grow too large and be thrown away. Those others are compressed by zstd at its fastest: ids and times
    then take a fifth to a half of the bytes. Numbers of dictionary entries gain little by it, so they stay with the faster snappy.
    Minima and maxima are stored for times only, since files tend to be ordered by time.
    """

    def __init__(self, upload: Upload, first: pa.RecordBatch) -> None:
        """Take the upload, and a first batch with the schema of all rows."""
        import pyarrow.parquet as pq

        sample = first.slice(0, _SAMPLE_ROWS)
        repetitive = [name for name in first.schema.names if _repeats(sample.column(name))]
        times = [field.name for field in first.schema if pa.types.is_temporal(field.type)]
        sink = pa.PythonFile(_Sink(upload), mode="w")
        self._upload = upload
        codecs = _codecs(first.schema, repetitive)
        self._writer = pq.ParquetWriter(sink, first.schema, use_dictionary=repetitive, write_statistics=times, **codecs)
        self._gathered: list[pa.RecordBatch] = []
        self._gathered_bytes = 0
        self._rows = 0

    def add(self, rows: pa.RecordBatch) -> None:
        """Append rows."""
        self._gathered.append(rows)
        self._rows += rows.num_rows
        self._gathered_bytes += rows.nbytes
        if self._gathered_bytes >= ROW_GROUP_BYTES:
            self._write_gathered()

    def finish(self) -> StoredFile:
        """Write the remaining rows, make the file visible, and describe it."""
        if self._gathered:
            self._write_gathered()
        self._writer.close()
        return self._upload.finish(rows=self._rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the writer now: otherwise it writes its footer after the upload ended."""
        self._writer.close()

    def _write_gathered(self) -> None:
        # Arrow abandons a column's dictionary if the next block has a different one.
        self._writer.write_table(pa.Table.from_batches(self._gathered).unify_dictionaries())
        self._gathered.clear()
        self._gathered_bytes = 0


class _Sink:
    """An upload with the few file methods that Arrow's writer calls."""

    closed = False

    def __init__(self, upload: Upload) -> None:
        self._upload = upload

    def write(self, data: bytes) -> int:
        return self._upload.write(data)

    def flush(self) -> None:
        """Do nothing: parts are sent when they are full."""

    def close(self) -> None:
        self.closed = True


def _codecs(schema: pa.Schema, repetitive: Collection[str]) -> dict[str, Any]:
    """Return the codecs by column; one for all if a nested type has columns."""
    if any(pa.types.is_nested(_stored(kind)) for kind in schema.types):
        return {"compression": "zstd", "compression_level": 1}
    codecs = {name: "snappy" if name in repetitive else "zstd" for name in schema.names}
    return {"compression": codecs, "compression_level": {name: 1 for name, codec in codecs.items() if codec == "zstd"}}


def _stored(kind: pa.DataType) -> pa.DataType:
    """Return the type in which Parquet stores values; an extension type has another."""
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _repeats(column: pa.Array) -> bool:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return True
    is_float = pa.types.is_float32(kind) or pa.types.is_float64(kind)
    is_known = is_float or pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_timestamp(kind)
    return bool(is_known and 2 * len(column.unique()) <= len(column))
