"""The batches that tell of a rollout, found without reading all that a model ever had."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from functions.shared.domain import layout
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.release import Release
from functions.shared.ports import ObjectInfo, ObjectStore
from functions.shared.repositories.manifests import Manifests

_BEFORE = 20
_LOOKED_BACK = 1000


@dataclass(frozen=True, slots=True)
class RolloutBatches:
    """What a rollout is judged on, newest first.

    `met` are its own batches, `before` the last that a champion scored alone before it began. `seen` are all that were read,
    which tell how far event time has come.
    """

    met: Sequence[Manifest]
    before: Sequence[Manifest]
    seen: Sequence[Manifest]


def rollout_batches(first: Release, store: ObjectStore) -> RolloutBatches:
    """Read the batches of a rollout that began with the release `first`, and a few before it."""
    since, earlier = _written(first, store)
    own = _read(since, store)
    seen = [*own]
    met = [manifest for manifest in _standing(own) if has_met(first, manifest)]
    others = _standing(chain(own, _looking_back(earlier, store, seen)))
    alone = (manifest for manifest in others if not has_met(first, manifest) and _was_alone(manifest))
    return RolloutBatches(met, list(islice(alone, _BEFORE)), seen)


def newest_met(first: Release, store: ObjectStore, *, most: int) -> tuple[list[Manifest], bool]:
    """The newest batches of a rollout, of so many that were written since it began, and whether these are all."""
    since, _ = _written(first, store)
    return [manifest for manifest in _standing(_read(since[:most], store)) if has_met(first, manifest)], len(since) <= most


def has_met(release: Release, manifest: Manifest) -> bool:
    """Whether a batch met a release or a later one. One that failed may name none, so its time tells."""
    return manifest.release.seq >= release.seq if manifest.release else manifest.created_at >= release.decided_at


def _written(first: Release, store: ObjectStore) -> tuple[list[str], list[str]]:
    """Keys of the manifests written since a release and before it, each from the last written on; by the store's own clock."""
    began = store.info(layout.release_history_key(first.model, first.seq)).last_modified
    found: list[ObjectInfo] = sorted(
        store.list(layout.manifest_prefix(first.model)), key=lambda manifest: manifest.last_modified, reverse=True
    )
    since = [manifest.key for manifest in found if manifest.last_modified >= began]
    return since, [manifest.key for manifest in found[len(since) :]]


def _read(keys: Iterable[str], store: ObjectStore) -> list[Manifest]:
    """Manifests, newest first: an erasure writes old ones again."""
    return sorted(map(Manifests(store).read, keys), key=lambda manifest: manifest.created_at, reverse=True)


def _looking_back(keys: Iterable[str], store: ObjectStore, seen: list[Manifest]) -> Iterator[Manifest]:
    """Read manifests one by one, as they are asked for, and add them to those seen."""
    for key in islice(keys, _LOOKED_BACK):
        seen.append(Manifests(store).read(key))
        yield seen[-1]


def _standing(newest_first: Iterable[Manifest]) -> Iterator[Manifest]:
    """Manifests that nothing newer supersedes."""
    superseded: set[str] = set()
    for manifest in newest_first:
        if manifest.supersedes:
            superseded.add(manifest.supersedes)
        if manifest.batch_id not in superseded:
            yield manifest


def _was_alone(manifest: Manifest) -> bool:
    """Whether no challenger scored along."""
    return manifest.release is None or manifest.release.challenger is None
