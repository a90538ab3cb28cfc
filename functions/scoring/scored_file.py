"""The Parquet file of a batch's scored rows, on its way into an upload."""

from types import TracebackType
from typing import Self

import pyarrow as pa

from functions.shared.domain.manifest import StoredFile
from functions.shared.ports import Upload

ROW_GROUP_BYTES = 16 * 2**20
"""Rows are gathered up to this size in memory: a reader of many small row groups is slow."""

_SAMPLE_ROWS = 4096


class ScoredFile:
    """Takes rows, writes row groups. Close it, or use it in a `with` block, before the upload is dropped.

    A dictionary is laid out for columns whose values repeat in the first rows; for others it would be built, found too
    large and thrown away. Minima and maxima are kept for times only, the one order in which files tend to come.
    """

    def __init__(self, upload: Upload, first: pa.RecordBatch) -> None:
        """`first` has the schema that all rows will have."""
        import pyarrow.parquet as pq

        sample = first.slice(0, _SAMPLE_ROWS)
        repetitive = [name for name in first.schema.names if _repeats(sample.column(name))]
        times = [field.name for field in first.schema if pa.types.is_temporal(field.type)]
        sink = pa.PythonFile(_Sink(upload), mode="w")
        self._upload = upload
        self._writer = pq.ParquetWriter(sink, first.schema, use_dictionary=repetitive, write_statistics=times)
        self._gathered: list[pa.RecordBatch] = []
        self._rows = 0

    def add(self, rows: pa.RecordBatch) -> None:
        """Append rows."""
        self._gathered.append(rows)
        self._rows += rows.num_rows
        if sum(some.nbytes for some in self._gathered) >= ROW_GROUP_BYTES:
            self._write_gathered()

    def finish(self) -> StoredFile:
        """Write what is left, make the file visible and describe it."""
        if self._gathered:
            self._write_gathered()
        self._writer.close()
        return self._upload.finish(rows=self._rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """A writer that is thrown away open writes its footer then, into an upload that is gone."""
        self._writer.close()

    def _write_gathered(self) -> None:
        # Arrow gives up a column's dictionary where the next block's is another.
        self._writer.write_table(pa.Table.from_batches(self._gathered).unify_dictionaries())
        self._gathered.clear()


class _Sink:
    """The few file methods that Arrow's writer calls, over an upload."""

    closed = False

    def __init__(self, upload: Upload) -> None:
        self._upload = upload

    def write(self, data: bytes) -> int:
        return self._upload.write(data)

    def flush(self) -> None:
        """Nothing to do: parts are sent when they are full."""

    def close(self) -> None:
        self.closed = True


def _repeats(column: pa.Array) -> bool:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return True
    is_float = pa.types.is_float32(kind) or pa.types.is_float64(kind)
    is_known = is_float or pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_timestamp(kind)
    return bool(is_known and 2 * len(column.unique()) <= len(column))
