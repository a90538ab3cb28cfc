"""Remove whole uploads that show people.

Their other rows were scored, labelled or trained on, and the store keeps them and the upload's header.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from functions.erasure.people import Subject
from functions.erasure.ports import Ports
from functions.shared.domain import layout
from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.manifest import Manifest
from functions.shared.ports import ObjectInfo
from functions.shared.reading.files import table_blocks
from functions.shared.reading.header import header_of
from functions.shared.reading.readable import Readable
from functions.shared.reading.rows import Block
from functions.shared.reading.rules import ColumnKind
from functions.shared.reading.text import decompressed_chunks, utf8_chunks
from functions.shared.repositories.manifests import Manifests

_LABELS_BY = timedelta(hours=1)
"""Labels are processed within minutes; younger ones may still be in the queue."""
_CHUNK_BYTES = 1 << 20

WORKED_OFF = datetime.max.replace(tzinfo=UTC)
"""Stands for "until the file is processed", at an unknown time."""


@dataclass(frozen=True, slots=True)
class Uploads:
    """Uploads that show people: keys that were removed, and keys left until a time.

    `objects` counts the removed versions.
    """

    removed: tuple[str, ...]
    objects: int
    left: Mapping[str, datetime]


def remove_uploads(subject: Subject, ports: Ports) -> Uploads:
    """Delete permanently all versions of uploads that show people.

    An upload is left if its other rows would be lost.
    """
    showing = [info for info in _versions(subject.model, ports) if _shows(ports.inbox.open(info.key, info.version_id), info.key, subject)]
    committed = Manifests(ports.store).keys(subject.model)
    until = {info: _awaited_until(info, committed, ports) for info in showing}
    removed = [info for info in showing if until[info] <= ports.now()]
    _keep_headers(removed, committed.values(), subject, ports)
    ports.inbox.forget(removed)
    left = {info.key: moment for info, moment in until.items() if info not in removed}
    return Uploads(tuple(dict.fromkeys(info.key for info in removed)), len(removed), left)


def _keep_headers(removed: Iterable[ObjectInfo], manifests: Iterable[str], subject: Subject, ports: Ports) -> None:
    """Store uploads' headers in their manifests, to repair others' quarantined rows."""
    going = {(info.key, info.version_id) for info in removed}
    for key in manifests:
        body, etag = ports.store.read_tagged(key)
        manifest = Manifest.from_json(body)
        upload = manifest.source.key, manifest.source.version_id
        if upload in going and manifest.quarantine and manifest.header is None:
            header = header_of(ports.inbox.open(*upload), manifest.source.key, manifest.encoding)
            if not subject.people.named_in(header):
                ports.store.replace(key, manifest.model_copy(update={"header": header}).to_json(), etag=etag)


def _versions(model: str, ports: Ports) -> Iterator[ObjectInfo]:
    for kind in (layout.BATCHES, layout.LABELS, layout.TRAINING):
        yield from (version.info for version in ports.inbox.versions(f"{kind}/{model}/"))


def _awaited_until(info: ObjectInfo, committed: dict[str, str], ports: Ports) -> datetime:
    """Return until when an upload may hold rows that are not stored elsewhere yet."""
    if info.key.startswith(f"{layout.BATCHES}/"):
        manifest = committed.get(layout.batch_id(ports.inbox.bucket, info.key, info.version_id))
        return Manifests(ports.store).read(manifest).may_resume_until if manifest else WORKED_OFF
    return info.last_modified + _LABELS_BY if info.key.startswith(f"{layout.LABELS}/") else datetime.min.replace(tzinfo=UTC)


def _shows(source: Readable, key: str, subject: Subject) -> bool:
    """Return whether an upload shows one of the people.

    Their ids are sought in the id column and in unreadable rows. A file that is no table is searched as text.
    """
    try:
        with closing(
            table_blocks(source, key=key, columns={subject.spec.id_column: ColumnKind.ID}, formats=subject.spec.formats)
        ) as blocks:
            return any(_shows_in(block, subject) for block in blocks)
    except BatchRejectedError:
        return subject.people.named_in(_text(source, subject.spec.formats.encoding))


def _shows_in(block: Block, subject: Subject) -> bool:
    theirs = subject.people.rows(block.rows[subject.spec.id_column])
    return bool(theirs.true_count) or any(subject.people.named_in(row.raw) for row in block.rejected)


def _text(source: Readable, encoding: str | None) -> str:
    try:
        body = b"".join(utf8_chunks(decompressed_chunks(source, _CHUNK_BYTES), encoding))
    except BatchRejectedError:
        body = source.read_at(0, source.size)
    return body.decode(errors="replace")
