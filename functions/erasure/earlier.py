"""Remove old versions and unreferenced files that show people."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

from functions.erasure.files import shows
from functions.erasure.people import Subject
from functions.erasure.ports import Ports
from functions.erasure.units import Found, WorkUnit
from functions.shared.domain import layout
from functions.shared.domain.manifest import Manifest
from functions.shared.ports import ObjectInfo, StoredVersion
from functions.shared.repositories.manifests import Manifests


def earlier(subject: Subject, ports: Ports) -> Iterator[WorkUnit]:
    """Yield a model's unreferenced file versions.

    They are deleted permanently if they show people.
    """
    yield from _of_batches(subject, ports)
    yield from _of_labels(subject, ports)
    yield from _of_tables(subject, ports)


def _of_batches(subject: Subject, ports: Ports) -> Iterator[WorkUnit]:
    """Yield scored and quarantined files, by kind and batch."""
    committed = Manifests(ports.store).keys(subject.model)
    for prefix in layout.batches_prefixes(subject.model):
        for batch, versions in groupby(ports.store.versions(prefix), key=lambda version: version.info.key.split("/")[2]):
            yield WorkUnit(f"{prefix}{batch}", partial(_clear_batch, committed.get(batch), [*versions], subject, ports))


def _clear_batch(committed: str | None, versions: Sequence[StoredVersion], subject: Subject, ports: Ports) -> Found:
    """Delete those of a batch's versions that no manifest names.

    Files of a batch that is in work, or may be continued, are kept.
    """
    manifest = Manifests(ports.store).read(committed) if committed else None
    ended = manifest is not None and not manifest.may_resume(ports.now())
    named = _named(manifest)
    return _clear([version.info for version in versions if not version.newest or (ended and version.info.key not in named)], subject, ports)


def _named(manifest: Manifest | None) -> set[str]:
    return {file.key for file in (*manifest.outputs, *manifest.quarantine)} if manifest else set()


def _of_labels(subject: Subject, ports: Ports) -> Iterator[WorkUnit]:
    """Yield replaced versions of labelled rows, waiting labels and day rows."""
    for prefix in layout.replaced_prefixes(subject.model):
        replaced = (version.info for version in ports.store.versions(prefix) if not version.newest)
        for key, versions in groupby(replaced, key=lambda info: info.key):
            yield WorkUnit(key, partial(_clear, [*versions], subject, ports))


def _of_tables(subject: Subject, ports: Ports) -> Iterator[WorkUnit]:
    """Yield the files that tables have copied rows in, the newest versions too.

    Cataloguing makes them again without these people.
    """
    for prefix in layout.copied_prefixes(subject.model):
        for key, versions in groupby(ports.store.versions(prefix), key=lambda version: version.info.key):
            yield WorkUnit(key, partial(_clear, [version.info for version in versions], subject, ports))


def _clear(idle: Sequence[ObjectInfo], subject: Subject, ports: Ports) -> Found:
    showing = [info for info in idle if shows(info.key, ports.store.read(info.key, info.version_id), subject.spec, subject.people)]
    ports.store.forget(showing)
    return Found(objects=len(showing))
