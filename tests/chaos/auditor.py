"""Whether all is as it should be, seen by reading both buckets and the tables: nothing here comes from the functions' code.

Scores are computed again by scikit-learn from the rows as they were sent and the pipeline that each version published.
"""

import gzip
import hashlib
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import skops.io

from tests.chaos.files import MODEL, Row, Sent

TOLERANCE = 1e-9
OF_A_BATCH = ("scored", "quarantine")
AT_ONCE = 4
PACKED = b"\x1f\x8b"
_NAME = re.compile(rb"person-[0-9]+-[0-9a-f]{6}")


@dataclass
class Findings:
    """What is amiss, each a sentence; and what was looked at."""

    amiss: list[str] = field(default_factory=list)
    uploads: int = 0
    batches: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    scores: int = 0
    largest_difference: float = 0.0
    labels: int = 0
    rows_in_tables: Counter[str] = field(default_factory=Counter)
    unnamed_files: int = 0
    objects: int = 0

    def expect(self, truth: object, sentence: str) -> None:
        """Note a sentence unless it holds."""
        if not truth:
            self.amiss.append(sentence)


class Auditor:
    """Looks at the two buckets of a stack, once all is quiet."""

    def __init__(self, s3: Any, inbox: str, store: str, tables: Callable[[str, str], list[tuple[Any, ...]]]) -> None:
        """See both buckets; `tables` returns the rows of a table, of these columns."""
        self._s3, self._inbox, self._store, self._tables = s3, inbox, store, tables
        self._pipeline = cache(self._published)

    def audit(
        self, sent: Sequence[Sent], labels: dict[str, str], erased: set[str], *, left: Iterable[str], failed: Iterable[str]
    ) -> Findings:
        """Look at everything.

        Args:
            sent: what was uploaded.
            labels: what was said of people's rows, by id.
            erased: people of whom nothing may be left.
            left: files of the inbox that the last erasure named as not worked off.
            failed: keys of uploads that cannot be scored.
        """
        found = Findings()
        manifests = [self._document(key) for key in self._keys(f"manifests/{MODEL}/")]
        standing = self._standing(sent, manifests, found)
        for rows, manifest in standing:
            self._batch(rows, manifest, erased, set(failed), found)
        self._others([manifest for manifest in manifests if manifest["supersedes"]], sent, erased, found)
        self._files(manifests, found)
        self._scored_table(manifests, found)
        self._labelled(labels, [manifest for _, manifest in standing], erased, found)
        self._forgotten(erased, set(left), found)
        self._totals(manifests, found)
        return found

    # Batches

    def _standing(
        self, sent: Sequence[Sent], manifests: Sequence[dict[str, Any]], found: Findings
    ) -> list[tuple[tuple[Row, ...], dict[str, Any]]]:
        """The rows and the first manifest of each uploaded version, of which there must be one; what supersedes it names it."""
        rows = {(file.key, file.md5): file.rows for file in sent}
        first: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for manifest in manifests:
            source = manifest["source"]
            if manifest["supersedes"] is None:
                first[source["key"], source["version_id"]].append(manifest)
        there = {
            (version["Key"], version["VersionId"]): version["ETag"].strip('"')
            for version in self._versions(self._inbox, f"batches/{MODEL}/")
        }
        for version in there:
            found.expect(version in first, f"{version} has no manifest")
        for version, several in first.items():
            found.expect(len(several) == 1, f"{version} has {len(several)} manifests")
        known = {(manifest["source"]["key"], manifest["source"]["etag"]) for several in first.values() for manifest in several}
        for file in rows:
            found.expect(file in known, f"{file} was sent, and no manifest is of it")
        purposes = Counter((manifest["source"]["key"], manifest["source"]["version_id"], manifest["purpose"]) for manifest in manifests)
        found.expect(max(purposes.values(), default=1) == 1, "a version was scored twice for one purpose")
        found.uploads = len(first)
        return [
            (rows[manifest["source"]["key"], manifest["source"]["etag"]], manifest) for several in first.values() for manifest in several
        ]

    def _others(self, manifests: Sequence[dict[str, Any]], sent: Sequence[Sent], erased: set[str], found: Findings) -> None:
        """Batches that were scored again."""
        rows = {(file.key, file.md5): file.rows for file in sent}
        for manifest in manifests:
            found.batches["scored again"] += 1
            self._rows(rows[manifest["source"]["key"], manifest["source"]["etag"]], manifest, erased, found)

    def _batch(self, rows: tuple[Row, ...], manifest: dict[str, Any], erased: set[str], failed: set[str], found: Findings) -> None:
        found.batches[manifest["status"]] += 1
        if manifest["status"] == "failed":
            name = f"{manifest['source']['key']}: {manifest['error']}"
            found.expect(manifest["source"]["key"] in failed, f"{name} failed")
            found.batches[f"failed: {manifest['error']['code']}"] += 1
        else:
            found.rows["uploaded"] += len(rows)
            self._rows(rows, manifest, erased, found)

    def _rows(self, rows: tuple[Row, ...], manifest: dict[str, Any], erased: set[str], found: Findings) -> None:
        """Rows of one manifest: none lost, none doubled, each scored as its version's pipeline says."""
        name = f"{manifest['batch_id']} of {manifest['source']['key']}"
        counts = {count: manifest[f"rows_{count}"] for count in ("in", "scored", "quarantined", "erased")}
        found.expect(counts["in"] == len(rows), f"{name}: {counts['in']} of {len(rows)} rows")
        found.expect(counts["in"] == sum(counts.values()) - counts["in"], f"{name}: {counts} do not add up")
        bodies = {kind: [self._checked(file, name, found) for file in manifest[kind]] for kind in ("outputs", "quarantine")}
        scored = [record for body in bodies["outputs"] for record in pq.read_table(io.BytesIO(body)).to_pylist()]
        wanted = [row for row in rows if row.id is not None and row.id not in erased]
        ids = [record["id"] for record in scored]
        found.expect(ids == [row.id for row in wanted], f"{name}: scored rows are not those that were sent, in order")
        found.expect(len(ids) == counts["scored"], f"{name}: {len(ids)} scored rows in its files, {counts['scored']} in the manifest")
        set_aside = sum(len(body.splitlines()) for body in bodies["quarantine"])
        expected = sum(row.id is None for row in rows)
        found.expect(set_aside == counts["quarantined"] == expected, f"{name}: {set_aside} rows set aside, not {expected}")
        found.rows.update({kind: counts[kind] for kind in ("scored", "quarantined", "erased") if manifest["supersedes"] is None})
        if ids == [row.id for row in wanted] and wanted:
            self._scores(wanted, scored, name, found)

    def _scores(self, rows: list[Row], scored: list[dict[str, Any]], name: str, found: Findings) -> None:
        frame = pd.DataFrame(
            {
                "amount": [np.nan if row.amount is None else row.amount for row in rows],
                "debt": [row.debt for row in rows],
                "region": pd.Series([row.region for row in rows], dtype=object),
            }
        )
        versions = np.array([record["model_version"] for record in scored])
        said = np.array([record["score"] for record in scored])
        for version in np.unique(versions):
            pipeline, features, classes = self._pipeline(str(version))
            chosen = versions == version
            right = pipeline.predict_proba(frame.loc[chosen, features].reset_index(drop=True))[:, 1]
            difference = float(np.abs(said[chosen] - right).max())
            found.largest_difference = max(found.largest_difference, difference)
            found.expect(difference <= TOLERANCE, f"{name}: a score of version {version} differs by {difference}")
            predicted = [record["prediction"] for record, mine in zip(scored, chosen, strict=True) if mine]
            found.expect(predicted == [classes[int(score > 0.5)] for score in said[chosen]], f"{name}: a prediction is not its score's")
        found.scores += len(rows)

    def _published(self, version: str) -> tuple[Any, list[str], list[str]]:
        """A version's pipeline, its features in order, and its classes; all types that its own file names are read."""
        prefix = f"releases/{MODEL}/versions/{version}/"
        body, spec = self._body(prefix + "pipeline.skops"), self._document(prefix + "spec.json")
        pipeline = skops.io.loads(body, trusted=skops.io.get_untrusted_types(data=body))
        return pipeline, [feature["name"] for feature in spec["features"]], spec["classes"]

    def _checked(self, file: dict[str, Any], name: str, found: Findings) -> bytes:
        body = self._body(file["key"])
        whole = hashlib.sha256(body).hexdigest() == file["sha256"] and len(body) == file["bytes"]
        found.expect(whole, f"{name}: {file['key']} is not the file that its manifest names")
        return body

    # What else there is

    def _files(self, manifests: Sequence[dict[str, Any]], found: Findings) -> None:
        """Files that no manifest names are of killed attempts alone, uploads in parts too; the lifecycle and the sweep take them."""
        named = {file["key"] for manifest in manifests for kind in ("outputs", "quarantine") for file in manifest[kind]}
        batches = {manifest["batch_id"] for manifest in manifests}
        for kind in OF_A_BATCH:
            for key in self._keys(f"{kind}/{MODEL}/"):
                found.expect(key.split("/")[2] in batches, f"{key} is of no batch")
                found.unnamed_files += key not in named
        for bucket in (self._inbox, self._store):
            pending = self._s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
            found.expect(not pending, f"{len(pending)} uploads in parts were never ended in {bucket}")
            strange = [version["Key"] for version in self._versions(bucket, "") if version["Key"].endswith((".tmp", "~", ".new"))]
            found.expect(not strange, f"temporary objects in {bucket}: {strange[:3]}")

    def _scored_table(self, manifests: Sequence[dict[str, Any]], found: Findings) -> None:
        """The tables show the rows of the last scoring of each version, and no others, and each scoring once."""
        ordered = sorted(manifests, key=lambda manifest: datetime.fromisoformat(manifest["created_at"]))
        last = {(manifest["source"]["key"], manifest["source"]["version_id"]): manifest for manifest in ordered}
        right: Counter[tuple[Any, ...]] = Counter()
        for manifest in last.values():
            for file in manifest["outputs"]:
                rows = pq.read_table(io.BytesIO(self._body(file["key"])), columns=["id", "score", "model_version"]).to_pylist()
                right.update((manifest["batch_id"], *row.values()) for row in rows)
        self._shown("scored", "batch_id, id, score, model_version", right, found)
        standing = {manifest["batch_id"] for manifest in last.values()}
        batches = Counter((manifest["batch_id"], manifest["batch_id"] in standing) for manifest in manifests)
        self._shown("batches", "batch_id, standing", batches, found)

    def _shown(self, kind: str, columns: str, right: Counter[tuple[Any, ...]], found: Findings) -> None:
        shown = Counter(self._tables(f"{MODEL}_{kind}", columns))
        missing, more = right - shown, shown - right
        found.expect(not missing, f"the table {kind} lacks {missing.total()} rows: {[*missing][:3]}")
        found.expect(not more, f"the table {kind} has {more.total()} rows too many: {[*more][:3]}")
        found.rows_in_tables[kind] = shown.total()

    def _labelled(self, labels: dict[str, str], manifests: list[dict[str, Any]], erased: set[str], found: Findings) -> None:
        """Each label of a scored row stands with it as it was sent, and counts once in the performance of its day."""
        said: Counter[tuple[str, str]] = Counter()
        for key in self._keys(f"labelled/{MODEL}/"):
            table = pq.read_table(io.BytesIO(self._body(key)))
            said.update(zip(table["id"].to_pylist(), table["everscore_label"].to_pylist(), strict=True))
        scored = {
            name
            for manifest in manifests
            for file in manifest["outputs"]
            for name in pq.read_table(io.BytesIO(self._body(file["key"])), columns=["id"])["id"].to_pylist()
        }
        wanted = {(name, label) for name, label in labels.items() if name in scored and name not in erased}
        missing, more = wanted - said.keys(), said.keys() - wanted
        found.expect(not missing, f"{len(missing)} labels were lost: {sorted(missing)[:3]}")
        found.expect(not more, f"{len(more)} labels were made up: {sorted(more)[:3]}")
        days = [key for key in self._keys(f"performance/{MODEL}/") if "/months/" not in key]
        counted = sum(self._document(key)["rows_labelled"] for key in days)
        most = len(wanted) + len(labels.keys() & erased)
        found.expect(len(wanted) <= counted <= most, f"{counted} labels count in the performance, {len(wanted)} to {most} were said")
        found.labels = len(wanted & said.keys())
        self._shown("labelled", "id, everscore_label", Counter(wanted), found)

    def _forgotten(self, erased: set[str], left: set[str], found: Findings) -> None:
        """No version of any object shows anybody who was erased; a file of labels may, for the hour that erasure names it."""
        names = {name.encode() for name in erased}

        def shown(place: tuple[str, dict[str, Any]]) -> tuple[str, int]:
            bucket, version = place
            key = version["Key"]
            waits = bucket == self._inbox and key in left and key.startswith("labels/")
            body = b"" if waits or not version["Size"] else self._body(key, version["VersionId"], bucket)
            return f"{key} in {bucket}", len(_names_in(body) & names)

        places = [(bucket, version) for bucket in (self._inbox, self._store) for version in self._versions(bucket, "")]
        found.objects = len(places)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for name, people in pool.map(shown, places):
                found.expect(not people, f"{name} shows {people} people who were erased")

    def _totals(self, manifests: Sequence[dict[str, Any]], found: Findings) -> None:
        """The metrics' totals are what the manifests add up to."""
        totals: Counter[str] = Counter()
        for series in self._document(f"totals/{MODEL}.json")["series"]:
            totals[series["metric"]] += series["value"]
        right = {
            "Batches": len(manifests),
            "RowsIn": sum(manifest["rows_in"] for manifest in manifests),
            "BytesIn": sum(manifest["source"]["bytes"] for manifest in manifests),
        }
        for metric, value in right.items():
            found.expect(totals[metric] == value, f"{metric} is {totals[metric]:g} in the totals, {value} by the manifests")
        least = sum(manifest["rows_scored"] for manifest in manifests)
        most = least + sum(manifest["rows_erased"] for manifest in manifests)
        found.expect(least <= totals["RowsScored"] <= most, f"RowsScored is {totals['RowsScored']:g}, not {least} to {most}")

    # S3

    def _keys(self, prefix: str) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._store, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def _versions(self, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            yield from page.get("Versions", [])

    def _body(self, key: str, version: str | None = None, bucket: str | None = None) -> bytes:
        named = {"VersionId": version} if version else {}
        body: bytes = self._s3.get_object(Bucket=bucket or self._store, Key=key, **named)["Body"].read()
        return body

    def _document(self, key: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self._body(key))
        return document


def _names_in(body: bytes) -> set[bytes]:
    """Names of people in a file: in its text, unpacked, or in the columns of a Parquet file."""
    if body.startswith(b"PAR1"):
        table = pq.read_table(io.BytesIO(body))
        texts = [column.to_pylist() for column in table.columns if pa.types.is_string(column.type) or pa.types.is_large_string(column.type)]
        body = "\n".join(text for column in texts for text in column if text).encode()
    elif body.startswith(PACKED):
        body = gzip.decompress(body)
    return set(_NAME.findall(body))
