"""Remove whole uploads that show people.

Their other rows were scored, labelled or trained on, and the store keeps them and the upload's header.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import groupby

from functions.erasure.people import Subject
from functions.erasure.ports import Ports
from functions.erasure.units import Found, WorkUnit
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

type _Upload = tuple[str, str]
"""Key and version."""


def uploads(subject: Subject, ports: Ports) -> Iterator[WorkUnit]:
    """Yield a model's uploads.

    Their versions are deleted permanently if they show people.

    An upload is left if its other rows would be lost.
    """
    committed = Manifests(ports.store).keys(subject.model)
    by_upload = cache(partial(_manifests_by_upload, committed.values(), ports))
    for kind in (layout.BATCHES, layout.LABELS, layout.TRAINING):
        every = (version.info for version in ports.inbox.versions(f"{kind}/{subject.model}/"))
        for key, versions in groupby(every, key=lambda info: info.key):
            yield WorkUnit(key, partial(_remove, key, [*versions], committed, by_upload, subject, ports))


def _remove(
    key: str,
    versions: Sequence[ObjectInfo],
    committed: Mapping[str, str],
    by_upload: Callable[[], Mapping[_Upload, Sequence[str]]],
    subject: Subject,
    ports: Ports,
) -> Found:
    """Remove those of an upload's versions that show people and are needed no more.

    What is left of an import may show anybody, and no import is at work while an erasure is.
    """
    sealed = layout.is_import(key)
    showing = [info for info in versions if sealed or _shows(ports.inbox.open(key, info.version_id), key, subject)]
    until = {info: _awaited_until(info, committed, ports) for info in showing}
    removed = [info for info in showing if until[info] <= ports.now()]
    for info in removed:
        for manifest in by_upload().get((key, info.version_id), ()):
            _keep_header(manifest, subject, ports)
    ports.inbox.forget(removed)
    left = {info.key: moment for info, moment in until.items() if info not in removed}
    return Found(uploads=(key,) if removed else (), objects=len(removed), left=left)


def _manifests_by_upload(keys: Iterable[str], ports: Ports) -> Mapping[_Upload, Sequence[str]]:
    """Return the manifests by version of an upload; scoring again adds some."""
    found = defaultdict(list)
    for key in keys:
        source = Manifests(ports.store).read(key).source
        found[source.key, source.version_id].append(key)
    return found


def _keep_header(key: str, subject: Subject, ports: Ports) -> None:
    """Store an upload's header in its manifest, to repair others' quarantined rows."""
    body, etag = ports.store.read_tagged(key)
    manifest = Manifest.from_json(body)
    if manifest.quarantine and manifest.header is None:
        source = manifest.source
        header = header_of(ports.inbox.open(source.key, source.version_id), source.key, manifest.encoding)
        if not subject.people.named_in(header):
            ports.store.replace(key, manifest.model_copy(update={"header": header}).to_json(), etag=etag)


def _awaited_until(info: ObjectInfo, committed: Mapping[str, str], ports: Ports) -> datetime:
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
