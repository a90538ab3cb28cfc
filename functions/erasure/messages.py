"""Erase names from messages about unreadable files, which may quote them.

Such messages are in the manifests of failed batches, and in the alerts about them.
"""

from functions.erasure.people import Subject
from functions.erasure.ports import Ports
from functions.shared.domain import layout
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.manifest import Manifest
from functions.shared.repositories.manifests import Manifests

_ERASED = "(what was said here named somebody who was erased)"


def erase_from_messages(subject: Subject, ports: Ports) -> int:
    """Erase messages that name people from failed batches' manifests and from alerts.

    Returns:
        How many versions of documents were deleted permanently.
    """
    for key in Manifests(ports.store).keys(subject.model).values():
        body, etag = ports.store.read_tagged(key)
        manifest = Manifest.from_json(body)
        if manifest.error is not None and subject.people.named_in(manifest.error.message):
            error = manifest.error.model_copy(update={"message": _ERASED})
            ports.store.replace(key, manifest.model_copy(update={"error": error}).to_json(), etag=etag)
    documents = [
        version.info
        for prefix in (layout.manifest_prefix(subject.model), layout.alert_prefix(subject.model))
        for version in ports.store.versions(prefix)
    ]
    quoting = [info for info in documents if subject.people.named_in(_quoted(info.key, ports.store.read(info.key, info.version_id)))]
    ports.store.forget(quoting)
    return len(quoting)


def _quoted(key: str, body: bytes) -> str:
    """Return the part of a document that may quote a file."""
    if key.startswith(layout.MANIFESTS):
        error = Manifest.from_json(body).error
        return error.message if error else ""
    alert = Alert.from_json(body)
    return alert.message if alert.kind is AlertKind.FAILED else ""
