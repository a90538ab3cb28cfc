"""Choose the columns of a Parquet file to read as dictionaries (folded).

A file may store one text once for many rows. For unique texts a dictionary is slow, since Arrow looks up every value. Where a
dictionary's texts are short, a column is read as texts.
"""

from collections.abc import Callable, Collection
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.parquet import FileMetaData, ParquetFile, RowGroupMetaData

_LENGTH_BYTES = 4
"""Bytes that a text takes in the file in addition to its own, unless a dictionary holds it."""


def folded_paths(metadata: FileMetaData, schema: pa.Schema) -> list[str]:
    """Return the paths of texts and bytes, except in list views.

    A file may store such a value once for many rows. Arrow cannot unfold list views.
    """
    views = tuple(f"{field.name}." for field in schema if "list_view" in str(field.type))
    leaves = [metadata.schema.column(place) for place in range(len(metadata.schema))]
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY" and leaf.logical_type.type != "DECIMAL"]
    return [path for path in texts if not path.startswith(views)]


def is_unfoldable(field: pa.Field) -> bool:
    """Return whether a column holds texts; no nested one can have its path."""
    return (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)) and "." not in field.name


def mostly_unique(group: RowGroupMetaData, names: Collection[str]) -> list[str]:
    """Return the columns that seem to store most texts on their own."""
    columns = [group.column(place) for place in range(group.num_columns)]
    large = [column.path_in_schema for column in columns if column.total_uncompressed_size > _LENGTH_BYTES * column.num_values]
    return [path for path in large if path in names]


def short_texts(opened: Callable[[list[str]], ParquetFile], number: int, names: list[str], most_bytes: int) -> set[str]:
    """Return the columns whose longest repeated texts are within `most_bytes`.

    The limit is of their sum, in a row group. A column has one dictionary of all texts that are stored once for many rows, and the
    first row comes with it. If the row comes with a single text, that may be stored in place, and the dictionary may follow.

    Args:
        opened: opens the file, with some columns folded.
        number: the row group's place.
        names: columns of texts, of which some are returned.
        most_bytes: the limit.
    """
    short: set[str] = set()
    if not names:
        return short
    with opened(names) as file:
        for first in islice(file.iter_batches(1, row_groups=[number], columns=names, use_threads=False), 1):
            for name, column in zip(first.schema.names, first.columns, strict=True):
                if len(column.dictionary) > 1 and (longest := pc.max(pc.binary_length(column.dictionary)).as_py()) <= most_bytes:
                    most_bytes -= longest
                    short.add(name)
    return short
