"""Remove people's rows from stored files."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from functions.erasure.people import People
from functions.shared.batches.quarantined import raw_bytes
from functions.shared.domain import layout
from functions.shared.domain.partition import PartitionResult
from functions.shared.domain.scored_columns import stored_name
from functions.shared.domain.spec import ModelSpec

_PLAIN_ID = "id"
"""Name of the id column in waiting labels and rows of days, for all models."""


@dataclass(frozen=True, slots=True)
class Lighter:
    """A file's bytes after an erasure, with counts of rows left and rows erased.

    For quarantined rows they are also counted by reason.
    """

    body: bytes
    rows: int
    removed: int
    reasons: Mapping[str, int] = field(default_factory=dict)


def lighter(key: str, body: bytes, spec: ModelSpec, people: People) -> Lighter | None:
    """Return a stored file without people's rows; None if it has none of them.

    Args:
        key: the file's key, which shows its kind: quarantined rows are JSON lines, all others are Parquet.
    """
    return _lighter_lines(body, people) if key.endswith(".jsonl") else _lighter_table(key, body, spec, people)


def shows(key: str, body: bytes, spec: ModelSpec, people: People) -> bool:
    """Return whether a file shows one of the people.

    It may if it is damaged, or if a table's rows lack ids; then it counts as one that does.
    """
    try:
        if key.endswith(".json"):
            return people.named_in(_reported(key, body))
        return lighter(key, body, spec, people) is not None
    except (pa.ArrowException, OSError, ValueError, KeyError):
        return True


def _reported(key: str, body: bytes) -> str:
    """Return why partitions failed by a document on them, which may quote a file."""
    if layout.is_partition_result(key):
        error = PartitionResult.from_json(body).error
        return error.message if error else ""
    items = json.loads(body) if layout.is_of_failed_partitions(key) else []
    return "\n".join(item.get("Cause", "") for item in items)


def _lighter_table(key: str, body: bytes, spec: ModelSpec, people: People) -> Lighter | None:
    with pq.ParquetFile(pa.BufferReader(body)) as file:
        names = file.schema_arrow.names
        column = _PLAIN_ID if key.startswith((layout.WAITING, layout.IDENTITIES)) else stored_name(spec.id_column, names, spec)
        if column not in names:
            if key.startswith(layout.copied_prefixes(spec.name)):  # rows of people, but nobody can see of whom
                raise KeyError(column)
            return None
        theirs = people.rows(file.read([column])[column])
        removed = pc.sum(theirs).as_py() or 0
        if not removed:
            return None
        sink = pa.BufferOutputStream()
        with pq.ParquetWriter(sink, file.schema_arrow, compression="zstd") as writer:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group)
                writer.write_table(rows.filter(pc.invert(people.rows(rows[column]))))
    return Lighter(bytes(sink.getvalue()), len(theirs) - removed, removed)


def _lighter_lines(body: bytes, people: People) -> Lighter | None:
    kept, reasons = [], Counter[str]()
    for line in body.splitlines(keepends=True):
        row = json.loads(line)
        if people.named_in(raw_bytes(row).decode(errors="replace")):
            reasons[row["code"]] += 1
        else:
            kept.append(line)
    if not reasons:
        return None
    return Lighter(b"".join(kept), len(kept), reasons.total(), reasons)
