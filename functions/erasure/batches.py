"""Scored and quarantined rows: new files are written, then the manifest names them; the old ones are `earlier`'s.

So a batch is whole at any moment, and what a crash leaves is a file that no manifest names.
"""

import hashlib
from collections.abc import Mapping

from functions.erasure.files import Lighter, lighter
from functions.erasure.people import Subject
from functions.erasure.ports import Ports
from functions.shared.domain import layout
from functions.shared.domain.manifest import Manifest, StoredFile
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.swap import swap


def erase_from_batches(subject: Subject, ports: Ports) -> dict[str, int]:
    """Take people's rows out of all batches of a model, those that were superseded too.

    Returns:
        How many rows went, by key of the file that held them.
    """
    manifests = Manifests(ports.store).keys(subject.model).values()
    return {name: light.removed for key in manifests for name, light in _erase_from_batch(key, subject, ports).items()}


def _erase_from_batch(key: str, subject: Subject, ports: Ports) -> Mapping[str, Lighter]:
    """Take people's rows out of one batch, whose manifest may change meanwhile.

    Raises:
        ConflictError: if it always does. The new files are nobody's then; metric_emission sweeps such.
    """

    def lightened(body: bytes | None) -> tuple[bytes | None, Mapping[str, Lighter]]:
        assert body is not None, "no manifest is ever deleted"
        manifest = Manifest.from_json(body)
        found = {file.key: lighter(file.key, ports.store.read(file.key), subject.spec, subject.people) for file in _files(manifest)}
        replaced = {name: light for name, light in found.items() if light is not None}
        return _rewritten(manifest, replaced, ports).to_json() if replaced else None, replaced

    return swap(ports.store, key, lightened)


def _files(manifest: Manifest) -> tuple[StoredFile, ...]:
    return (*manifest.outputs, *manifest.quarantine)


def _rewritten(manifest: Manifest, replaced: Mapping[str, Lighter], ports: Ports) -> Manifest:
    """The manifest of what is left, whose new files are written."""
    outputs, quarantine = (
        tuple(left for file in files if (left := _left(file, replaced.get(file.key), ports)) is not None)
        for files in (manifest.outputs, manifest.quarantine)
    )
    scored, quarantined = (sum(file.rows for file in files) for files in (outputs, quarantine))
    reasons = dict(manifest.quarantined_by_reason)
    for light in replaced.values():
        for reason, rows in light.reasons.items():
            reasons[reason] -= rows
    return manifest.model_copy(
        update={
            "outputs": outputs,
            "quarantine": quarantine,
            "rows_scored": scored,
            "rows_quarantined": quarantined,
            "rows_erased": manifest.rows_in - scored - quarantined,
            "quarantined_by_reason": {reason: rows for reason, rows in reasons.items() if rows},
        }
    )


def _left(file: StoredFile, light: Lighter | None, ports: Ports) -> StoredFile | None:
    """A file as it stands from now on; None if no row is left.

    Each gets a name of its own, for files of one batch that was cut twice may have the same number in two attempts.
    """
    if light is None:
        return file
    if not light.rows:
        return None
    key = layout.of_attempt(file.key, ports.new_name())
    ports.store.write(key, light.body)
    return StoredFile(key=key, rows=light.rows, bytes=len(light.body), sha256=hashlib.sha256(light.body).hexdigest())
