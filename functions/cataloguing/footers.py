"""What a table has to know of a Parquet file; it stands in the file's footer."""

import io
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from functions.cataloguing.columns import kind_of
from functions.cataloguing.ports import NewFile, TableFile
from functions.shared.domain.manifest import StoredFile
from functions.shared.ports import ObjectStore

_END_BYTES = 64 * 2**10
"""How much of a file's end is read at first; few footers are longer."""
_LENGTH_BYTES = 8
"""Parquet files end in the footer's length and four letters."""


@dataclass(frozen=True, slots=True)
class Footer:
    """The columns of a file, and how it comes into a table."""

    schema: pa.Schema
    new: NewFile


def read_footer(store: ObjectStore, stored: StoredFile, file: TableFile) -> Footer:
    """Read the footer of a file of the store."""
    source = store.open(stored.key)
    end = source.read_at(max(0, source.size - _END_BYTES), _END_BYTES)
    length = int.from_bytes(end[-_LENGTH_BYTES : -_LENGTH_BYTES // 2], "little") + _LENGTH_BYTES
    if length > len(end):
        end = source.read_at(source.size - length, length)
    metadata = pq.read_metadata(io.BytesIO(b"PAR1" + end[-length:]))
    return footer_of(metadata, file, stored.bytes)


def footer_of(metadata: pq.FileMetaData, file: TableFile, size: int) -> Footer:
    """Return what a file's metadata says."""
    schema = metadata.schema.to_arrow_schema()
    return Footer(schema, NewFile(file, metadata.num_rows, size, _bounds(metadata, schema)))


def _bounds(metadata: pq.FileMetaData, schema: pa.Schema) -> dict[str, tuple[int, int]]:
    """Return the least and greatest value of each time column with statistics.

    Columns without statistics in some row group are left out.
    """
    places = {metadata.schema.column(place).path: place for place in range(len(metadata.schema))}
    found = {}
    for field in schema:
        if kind_of(field.type) not in {"timestamp", "timestamptz"}:
            continue
        groups = [metadata.row_group(number).column(places[field.name]).statistics for number in range(metadata.num_row_groups)]
        if groups and all(group is not None and group.has_min_max for group in groups):
            found[field.name] = min(group.min_raw for group in groups), max(group.max_raw for group in groups)
    return found
