"""Erase scored and quarantined rows: write new files, then update the manifest.

`earlier` removes the old files. So a batch is complete at any moment, and a crash leaves only files that no manifest names.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial

from functions.erasure.files import Lighter, lighter
from functions.erasure.people import Subject
from functions.erasure.ports import Ports
from functions.erasure.units import Found, WorkUnit
from functions.shared.domain import layout
from functions.shared.domain.manifest import Manifest, StoredFile
from functions.shared.repositories.manifests import Manifests, file_of
from functions.shared.repositories.swap import swap


def batches(subject: Subject, ports: Ports) -> Iterator[WorkUnit]:
    """Yield all batches of a model, including superseded ones, by manifest."""
    for key in Manifests(ports.store).keys(subject.model).values():
        yield WorkUnit(key, partial(_found_in, key, subject, ports))


def _found_in(key: str, subject: Subject, ports: Ports) -> Found:
    rows, by_batch = Counter[str](), Counter[str]()
    for name, light in _erase_from_batch(key, subject, ports).items():
        kind, _, batch, *_ = name.split("/")
        rows[kind] += light.removed
        by_batch[batch] += light.removed
    return Found(rows=rows, batches=by_batch)


def _erase_from_batch(key: str, subject: Subject, ports: Ports) -> Mapping[str, Lighter]:
    """Erase people's rows from one batch, whose manifest may change meanwhile.

    Raises:
        ConflictError: if it changed at every try. No manifest names the new files then; metric_emission sweeps them.
    """

    def lightened(body: bytes | None) -> tuple[bytes | None, Mapping[str, Lighter]]:
        assert body is not None, "no manifest is ever deleted"
        manifest = Manifest.from_json(body)
        bodies = ((file.key, file_of(manifest, file.key, ports.store)) for file in _files(manifest))
        found = {name: lighter(name, body, subject.spec, subject.people) for name, body in bodies if body is not None}
        replaced = {name: light for name, light in found.items() if light is not None}
        without = _without_header(manifest, subject)
        rewritten = _rewritten(without, replaced, ports) if replaced else without
        return None if rewritten == manifest else rewritten.to_json(), replaced

    return swap(ports.store, key, lightened)


def _without_header(manifest: Manifest, subject: Subject) -> Manifest:
    """Return the manifest without a header that names one of the people."""
    named = manifest.header is not None and subject.people.named_in(manifest.header)
    return manifest.model_copy(update={"header": None}) if named else manifest


def _files(manifest: Manifest) -> tuple[StoredFile, ...]:
    return (*manifest.outputs, *manifest.quarantine)


def _rewritten(manifest: Manifest, replaced: Mapping[str, Lighter], ports: Ports) -> Manifest:
    """Write the new files, and return the manifest that names them."""
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
    """Write a file without erased rows; None if no row is left.

    Each gets a unique name: if a batch was cut twice, files of two attempts may have the same number.
    """
    if light is None:
        return file
    if not light.rows:
        return None
    key = layout.of_attempt(file.key, ports.new_name())
    ports.store.write(key, light.body)
    return StoredFile(key=key, rows=light.rows, bytes=len(light.body), sha256=hashlib.sha256(light.body).hexdigest())
