"""Remove old versions and unreferenced files that show people."""

from collections.abc import Iterator
from itertools import groupby

from functions.erasure.files import shows
from functions.erasure.people import Subject
from functions.erasure.ports import Ports
from functions.shared.domain import layout
from functions.shared.ports import ObjectInfo
from functions.shared.repositories.manifests import Manifests


def clear_earlier(subject: Subject, ports: Ports) -> int:
    """Delete permanently a model's unreferenced file versions that show people.

    Returns:
        How many versions were deleted.
    """
    idle = (*_idle_files(subject.model, ports), *_idle_labels(subject.model, ports))
    showing = [info for info in idle if shows(info.key, ports.store.read(info.key, info.version_id), subject.spec, subject.people)]
    ports.store.forget(showing)
    return len(showing)


def _idle_files(model: str, ports: Ports) -> Iterator[ObjectInfo]:
    """Yield scored and quarantined files that no manifest names.

    Files of a batch that is in work, or may be continued, are left out.
    """
    manifests = Manifests(ports.store)
    committed = manifests.keys(model)
    for prefix in layout.batches_prefixes(model):
        for batch, versions in groupby(ports.store.versions(prefix), key=lambda version: version.info.key.split("/")[2]):
            manifest = manifests.read(committed[batch]) if batch in committed else None
            ended = manifest is not None and not manifest.may_resume(ports.now())
            named = {file.key for file in (*manifest.outputs, *manifest.quarantine)} if manifest else set()
            for version in versions:
                if not version.newest or (ended and version.info.key not in named):
                    yield version.info


def _idle_labels(model: str, ports: Ports) -> Iterator[ObjectInfo]:
    """Yield labelled rows, waiting labels and rows of days that were replaced."""
    for prefix in layout.replaced_prefixes(model):
        yield from (version.info for version in ports.store.versions(prefix) if not version.newest)
