"""Erase names from messages about unreadable files, which may quote them.

Such messages are in the manifests of failed batches, and in the alerts about them.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

from functions.erasure.people import Subject
from functions.erasure.ports import Ports
from functions.erasure.units import Found, WorkUnit
from functions.shared.domain import layout
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.manifest import Manifest
from functions.shared.ports import ObjectInfo

_ERASED = "(what was said here named somebody who was erased)"


def messages(subject: Subject, ports: Ports) -> Iterator[WorkUnit]:
    """Yield manifests and alerts.

    Their versions are deleted permanently if they name people.
    """
    for prefix in (layout.manifest_prefix(subject.model), layout.alert_prefix(subject.model)):
        every = (version.info for version in ports.store.versions(prefix))
        for key, versions in groupby(every, key=lambda info: info.key):
            yield WorkUnit(key, partial(_erase_from_document, key, [*versions], subject, ports))


def _erase_from_document(key: str, versions: Sequence[ObjectInfo], subject: Subject, ports: Ports) -> Found:
    quoting = [info for info in versions if subject.people.named_in(_quoted(key, ports.store.read(key, info.version_id)))]
    if quoting and key.startswith(layout.manifest_prefix(subject.model)):
        _reword(key, subject, ports)
    ports.store.forget(quoting)
    return Found(objects=len(quoting))


def _reword(key: str, subject: Subject, ports: Ports) -> None:
    """Replace a failed batch's message if it names people."""
    body, etag = ports.store.read_tagged(key)
    manifest = Manifest.from_json(body)
    if manifest.error is not None and subject.people.named_in(manifest.error.message):
        error = manifest.error.model_copy(update={"message": _ERASED})
        ports.store.replace(key, manifest.model_copy(update={"error": error}).to_json(), etag=etag)


def _quoted(key: str, body: bytes) -> str:
    """Return the part of a document that may quote a file."""
    if key.startswith(layout.MANIFESTS):
        error = Manifest.from_json(body).error
        return error.message if error else ""
    alert = Alert.from_json(body)
    return alert.message if alert.kind is AlertKind.FAILED else ""
