"""Two buckets in memory, uploads into one, and scoring from it into the other."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from functions.scoring.ports import Ports
from functions.scoring.service import score_batch
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.manifest import Manifest
from functions.shared.ports import ObjectStore
from functions.shared.reading.files import read_blocks
from functions.shared.repositories.bundles import Bundles
from tests.fakes.documents import NOW
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL, Version

type Row = Mapping[str, Any]

HEADER = ("id", "at", "price", "shop", "member", "distance", "note")


@cache
def good_rows(count: int = 40) -> tuple[Row, ...]:
    """Rows that break no rule, with missing values, an unseen shop, and two days."""
    rng = np.random.default_rng(5)
    return tuple(
        {
            "id": f"r{number}",
            "at": f"2013-04-0{1 + number * 2 // count}T10:00:00Z",
            "price": None if number % 7 == 3 else round(float(rng.lognormal(3, 1)), 1),
            "shop": None if number % 11 == 5 else str(rng.choice(["north", "south", "east", "moon"])),
            "member": None if number % 13 == 6 else bool(rng.random() < 0.4),
            "distance": round(float(rng.random() * 30), 1),
            "note": f'said "{number}", and left' if number % 5 == 0 else "plain",
        }
        for number in range(count)
    )


def as_csv(rows: Iterable[Row], columns: Sequence[str] = HEADER) -> bytes:
    """CSV as Python's own writer writes it; None is empty."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_parquet(rows: Iterable[Row], columns: Sequence[str] = HEADER) -> bytes:
    """Parquet with columns of the types that Arrow finds in the rows."""
    body = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{name: row[name] for name in columns} for row in rows]), body)
    return body.getvalue()


def as_parquet_with_bytes(row: Row, **texts: bytes) -> bytes:
    """Parquet of one row, with text columns of bytes that need not be UTF-8."""
    table = pa.Table.from_pylist([row])
    for name, text in texts.items():
        offsets = pa.array([0, len(text)], pa.int32()).buffers()[1]
        broken = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(text)])
        table = table.set_column(table.schema.get_field_index(name), name, broken)
    body = io.BytesIO()
    pq.write_table(table, body)
    return body.getvalue()


def as_jsonl(rows: Iterable[Row], columns: Sequence[str] = HEADER) -> bytes:
    """One JSON object per line."""
    return b"".join(json.dumps({name: row[name] for name in columns}).encode() + b"\n" for row in rows)


def by_scikit_learn(version: Version, rows: Iterable[Row]) -> NDArray[np.float64]:
    """What the version's pipeline itself says of rows, shape (rows, outputs)."""
    names = [feature.name for feature in version.spec.features]
    frame = pd.DataFrame([{name: row[name] for name in names} for row in rows])
    frame["shop"] = frame["shop"].astype(object).where(frame["shop"].notna(), np.nan)
    frame = frame.astype({name: float for name in names if name != "shop"})
    if not version.spec.classes:
        return np.asarray(version.pipeline.predict(frame)).reshape(-1, 1)
    probabilities = np.asarray(version.pipeline.predict_proba(frame))
    return probabilities[:, 1:] if len(version.spec.classes) == 2 else probabilities


def in_small_blocks(patch: pytest.MonkeyPatch, block_bytes: int) -> None:
    """Let small files come in several blocks and be written in several row groups, as large ones are."""
    patch.setattr("functions.scoring.scored_file.ROW_GROUP_BYTES", block_bytes)
    patch.setattr("functions.scoring.attempt.read_blocks", partial(read_blocks, block_bytes=block_bytes))


@dataclass
class World:
    """An inbox, a store, and how they are used."""

    inbox: MemoryStore = field(default_factory=lambda: MemoryStore("inbox"))
    store: MemoryStore = field(default_factory=MemoryStore)

    def upload(self, body: bytes, key: str = f"batches/{MODEL}/april.csv") -> StoredObject:
        """A person puts a file into the inbox."""
        info = self.inbox.write(key, body)
        return StoredObject(bucket="inbox", key=key, version_id=info.version_id, etag=info.etag, size_bytes=info.bytes)

    def score(
        self,
        created: StoredObject,
        attempt: str = "a1",
        *,
        inbox: ObjectStore | None = None,
        store: ObjectStore | None = None,
        bundles: Bundles | None = None,
    ) -> Manifest:
        """One delivery, through the world's buckets or through wrappers of them, with no bundle loaded yet or with some."""
        store = store or self.store
        return score_batch(created, Ports(inbox or self.inbox, store, bundles or Bundles(store), lambda: attempt, lambda: NOW))

    def table(self, manifest: Manifest) -> pa.Table:
        """The scored rows that a manifest names."""
        return pa.concat_tables(pq.read_table(io.BytesIO(self.store.read(file.key))) for file in manifest.outputs)

    def quarantined(self, manifest: Manifest) -> list[dict[str, Any]]:
        """The quarantined rows that a manifest names."""
        return [json.loads(line) for file in manifest.quarantine for line in self.store.read(file.key).splitlines()]

    def written(self) -> set[str]:
        """Keys of all that scoring leaves."""
        return {key for key in self.store.keys() if not key.startswith(("releases/", "index/"))}  # noqa: SIM118 - a method of the store


def scores(table: pa.Table, *names: str) -> Any:
    return np.column_stack([table[name].to_numpy() for name in names])


def without(column: str) -> bytes:
    return as_csv(good_rows(), [name for name in HEADER if name != column])
