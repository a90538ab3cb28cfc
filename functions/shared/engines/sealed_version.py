"""A version in one file, on its way to another stack.

The file is a ZIP archive: the version's bundle, rows to prove it on with their answers, on request its training set, and last
`sealed.json`, which lists all others with their digests.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from functions.shared.domain.decision import Decision, Origin
from functions.shared.domain.document import Document, Value
from functions.shared.domain.errors import ImportRefusedError, NewerSchemaError
from functions.shared.domain.policy import DecisionPolicy
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.bundle import BundleFile, LoadedModel, described
from functions.shared.engines.proof import TOLERANCE
from functions.shared.foundation.counted import counted

SEAL, SIGNATURE = "sealed.json", "signature.json"
BUNDLE, DATA = "bundle/", "data/"
ROWS, ANSWERS = "proof/rows.parquet", "proof/answers.parquet"
MOST_ROWS = 2_000
"""Rows that travel for the proof."""

_PREDICTION = "prediction"
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OSError, RuntimeError)
_AGAIN = "export the version again, and move the file without changing it"


class SealedVersion(Document):
    """What a sealed file holds.

    It is where its version comes from, and the decisions that led to it, the oldest first.

    `rule` is how the policy there turned its scores into predictions; the policy of another stack may say otherwise.
    """

    origin: Origin
    decision: Decision
    history: tuple[Decision, ...] = ()
    rule: DecisionPolicy = DecisionPolicy()
    files: Mapping[str, BundleFile]


class Signature(Value):
    """A signature of the SHA-256 of `sealed.json`, by a key of AWS KMS.

    `signature` is base64.
    """

    key: str
    algorithm: str
    signature: str


def write_sealed(
    out: IO[bytes],
    files: Iterable[tuple[str, bytes]],
    seal: Callable[[Mapping[str, BundleFile]], SealedVersion],
    sign: Callable[[bytes], Signature] | None = None,
) -> None:
    """Write a sealed file.

    Args:
        out: where to write it.
        files: name and content of each file; one is held in memory at a time.
        seal: makes `sealed.json` from the others' digests.
        sign: signs the content of `sealed.json`.
    """
    listed = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
            listed[name] = described(content)
        content = seal(listed).to_json()
        archive.writestr(SEAL, content)
        if sign is not None:
            archive.writestr(SIGNATURE, sign(content).model_dump_json())


@dataclass(frozen=True, slots=True)
class OpenedVersion:
    """A sealed file that was opened; each file is checked when it is read."""

    archive: zipfile.ZipFile
    sealed: SealedVersion
    signature: Signature | None

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            ImportRefusedError: if it is missing, or not the one that was sealed.
        """
        listed = self.sealed.files.get(name)
        content = None if listed is None else _content(self.archive, name, listed.bytes)
        if content is None or described(content) != listed:
            message = f"{name} in the file is not what was sealed there"
            raise ImportRefusedError(message, remedy=_AGAIN)
        return content

    def read_bundle(self) -> dict[str, bytes]:
        """Return the version's bundle by file name; errors are those of `read`."""
        return {name.removeprefix(BUNDLE): self.read(name) for name in self.sealed.files if name.startswith(BUNDLE)}

    def read_data(self) -> Iterable[tuple[str, bytes]]:
        """Yield name and content of the training set's files; errors are those of `read`."""
        for name in sorted(self.sealed.files):
            if name.startswith(DATA):
                yield name.removeprefix(DATA), self.read(name)

    def check(self) -> None:
        """Read every file once; errors are those of `read`."""
        for name in self.sealed.files:
            self.read(name)

    @property
    def sealed_content(self) -> bytes:
        """The bytes of `sealed.json`, which a signature signs."""
        return self.archive.read(SEAL)


def open_sealed(body: IO[bytes]) -> OpenedVersion:
    """Open a sealed file.

    Raises:
        ImportRefusedError: if it is none, is damaged, or was written by a later Everscore.
    """
    try:
        archive = zipfile.ZipFile(body)
        sealed = SealedVersion.from_json(archive.read(SEAL))
        signature = Signature.model_validate_json(archive.read(SIGNATURE)) if SIGNATURE in archive.namelist() else None
    except NewerSchemaError as newer:
        raise ImportRefusedError(newer.message, remedy="update the stack that imports it") from newer
    except (*_DAMAGE, KeyError, ValidationError) as damage:
        message = "this is no whole file that `everscore export` wrote"
        raise ImportRefusedError(message, remedy=_AGAIN) from damage
    return OpenedVersion(archive, sealed, signature)


def _content(archive: zipfile.ZipFile, name: str, most: int) -> bytes | None:
    """Return a file's content, of which no more is unpacked than was sealed."""
    try:
        with archive.open(name) as file:
            return file.read(most + 1)
    except (*_DAMAGE, KeyError):
        return None


def proof_of(model: LoadedModel, rows: pa.Table) -> dict[str, bytes]:
    """Return rows to prove a version on, and its answers to them, as files.

    Args:
        model: the version.
        rows: its training set, of which `MOST_ROWS` rows are taken, evenly spread, and only the features.
    """
    every = max(1, -(-rows.num_rows // MOST_ROWS))
    features = rows.select([feature.name for feature in model.spec.features]).take(pa.array(np.arange(0, rows.num_rows, every)))
    return {ROWS: _parquet(features), ANSWERS: _parquet(_answers(model, features))}


def differences(model: LoadedModel, rows: pa.Table, answers: pa.Table) -> str:
    """Describe how a version's answers differ from earlier ones; empty if they agree.

    Scores may differ by 1e-9, as at a release's proof; predictions may not differ.
    """
    now = _answers(model, rows)
    for name in answers.column_names:
        before, after = (table[name].to_numpy() for table in (answers, now))
        allowed = 0 if name == _PREDICTION else TOLERANCE * np.maximum(1.0, np.abs(before))
        if count := int(np.count_nonzero(~(np.abs(after - before) <= allowed))):
            return f"another {name} in {count:,} of {counted(rows.num_rows, 'rows')}"
    return ""


def _answers(model: LoadedModel, rows: pa.Table) -> pa.Table:
    batch = rows.combine_chunks().to_batches()[0]
    scores = model.engine.score(batch)
    columns = dict(zip(model.spec.score_columns, scores.T, strict=True))
    codes = model.predict(batch, scores)
    return pa.table(columns if codes is None else {**columns, _PREDICTION: codes})


def read_rows(content: bytes) -> pa.Table:
    """Return a table from a Parquet file's content."""
    return pq.read_table(io.BytesIO(content))


def _parquet(table: pa.Table) -> bytes:
    body = io.BytesIO()
    pq.write_table(table, body, compression="zstd")
    return body.getvalue()


def same_question(one: ModelSpec, other: ModelSpec) -> bool:
    """Return whether two specs answer the same question about the same rows.

    If so, their models can take turns.
    """
    asked = ("task", "target", "id_column", "time_column", "timezone", "positive_class")
    return all(getattr(one, name) == getattr(other, name) for name in asked) and set(one.classes) >= set(other.classes)
