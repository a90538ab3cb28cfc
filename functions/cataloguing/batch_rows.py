"""Rows of the table of a model's batches: one per manifest."""

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from functions.shared.domain.manifest import Manifest
from functions.shared.domain.release import Role

type Row = Mapping[str, Any]

_TIME = pa.timestamp("us", "UTC")
SCHEMA = pa.schema(
    {
        "batch_id": pa.string(),
        "standing": pa.bool_(),
        "status": pa.string(),
        "file": pa.string(),
        "file_version": pa.string(),
        "file_bytes": pa.int64(),
        "arrived_at": _TIME,
        "committed_at": _TIME,
        "first_event_day": pa.date32(),
        "last_event_day": pa.date32(),
        "rows_in": pa.int64(),
        "rows_scored": pa.int64(),
        "rows_quarantined": pa.int64(),
        "rows_erased": pa.int64(),
        "rows_by_challenger": pa.int64(),
        "quarantined_by_reason": pa.string(),
        "release": pa.int64(),
        "champion": pa.string(),
        "challenger": pa.string(),
        "error_code": pa.string(),
        "purpose": pa.string(),
        "replays": pa.string(),
        "partitions": pa.int64(),
        "read_s": pa.float64(),
        "predict_s": pa.float64(),
        "write_s": pa.float64(),
        "total_s": pa.float64(),
        "manifest": pa.string(),
    }
)


def row_of(manifest: Manifest, etag: str) -> Row:
    """Return what the table says of a batch, but for whether it stands.

    An error's message stays out: it may quote a person, who would be in the table after an erasure.

    Args:
        etag: that of the manifest, by which it is known again.
    """
    source, release, error, timings = manifest.source, manifest.release, manifest.error, manifest.timings
    return {
        "batch_id": manifest.batch_id,
        "status": manifest.status.value,
        "file": source.key,
        "file_version": source.version_id,
        "file_bytes": source.bytes,
        "arrived_at": source.last_modified.astimezone(UTC),
        "committed_at": manifest.created_at.astimezone(UTC),
        "first_event_day": min(manifest.event_days, default=None),
        "last_event_day": max(manifest.event_days, default=None),
        "rows_in": manifest.rows_in,
        "rows_scored": manifest.rows_scored,
        "rows_quarantined": manifest.rows_quarantined,
        "rows_erased": manifest.rows_erased,
        "rows_by_challenger": manifest.served.get(Role.CHALLENGER, 0),
        "quarantined_by_reason": json.dumps(manifest.quarantined_by_reason, sort_keys=True),
        "release": release.seq if release else None,
        "champion": release.champion if release else None,
        "challenger": release.challenger.version if release and release.challenger else None,
        "error_code": error.code if error else None,
        "purpose": manifest.purpose,
        "replays": manifest.replays,
        "partitions": manifest.partitions,
        "read_s": timings.read_s,
        "predict_s": timings.predict_s,
        "write_s": timings.write_s,
        "total_s": timings.total_s,
        "manifest": etag,
    }


def marked(rows: Iterable[Row]) -> list[Row]:
    """Return rows by id, with whether each stands.

    Of several scorings of one upload, the last one stands.
    """
    ordered = sorted(rows, key=lambda row: row["batch_id"], reverse=True)  # of equal moments the last is that of `arrival.standing`
    last = {(row["file"], row["file_version"]): row["batch_id"] for row in sorted(ordered, key=lambda row: row["committed_at"])}
    stand = {*last.values()}
    return [{**row, "standing": row["batch_id"] in stand} for row in reversed(ordered)]


def written(rows: Iterable[Row]) -> tuple[str, bytes]:
    """Return rows as a Parquet file, and the name that its content gives it."""
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([*rows], SCHEMA), sink, compression="zstd")
    return hashlib.sha256(sink.getvalue()).hexdigest()[:32], sink.getvalue()


def rows_in(body: bytes) -> list[Row] | None:
    """Read what `written` wrote; None if an earlier Everscore wrote it."""
    table = pq.read_table(io.BytesIO(body))
    return table.to_pylist() if table.schema.equals(SCHEMA) else None
