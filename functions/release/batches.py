"""The batches of a rollout, added up in a document of its own; each is read once."""

from collections.abc import Iterator, Sequence
from itertools import islice

from functions.shared.domain import layout
from functions.shared.domain.arrival import Arrival, standing
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.release import Release
from functions.shared.domain.rollout.tally import Sums, Tally
from functions.shared.ports import ObjectStore
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.swap import swap

_BEFORE = 20
_LOOKED_BACK = 1000


def tally(rollout: Sequence[Release], store: ObjectStore) -> Tally:
    """Return what the batches of a rollout add up to now.

    Only batches that are new since the last time are read.

    One that stopped half-way may yet end otherwise, so it is read each time and not kept.

    Args:
        rollout: its releases, oldest first.
        store: where batches are, and the rollout's tally.
    """
    first = rollout[0]
    entries = list(_entries(first, store))
    manifests = Manifests(store)
    reached = max((arrival.reached for arrival in entries if arrival.reached), default=None)

    def with_new(body: bytes | None) -> tuple[bytes | None, Tally]:
        known = Tally.from_json(body) if body is not None else _before(first, entries, store)
        kept, unfinished = known.model_copy(update={"reached": reached}), list[Manifest]()
        for arrival in _changes(known, first, entries):
            manifest = manifests.at(first.model, arrival)
            if manifest.resumable:
                unfinished.append(manifest)
            else:
                kept = kept.plus(manifest, _scored_by(manifest, rollout), -1 if arrival.batch in known.counted else 1)
        now = kept
        for manifest in unfinished:
            now = now.plus(manifest, _scored_by(manifest, rollout))
        return (kept.to_json() if kept != known or body is None else None), now

    return swap(store, layout.rollout_key(first.model, first.seq), with_new)


def _changes(known: Tally, first: Release, entries: Sequence[Arrival]) -> Iterator[Arrival]:
    """Yield batches that are not counted yet, and counted ones now superseded."""
    stand, counted = {arrival.batch for arrival in standing(entries)}, set(known.counted)
    for arrival in {entry.batch: entry for entry in entries}.values():
        stands = arrival.batch in stand
        if (stands and arrival.batch not in counted and has_met(first, arrival)) or (not stands and arrival.batch in counted):
            yield arrival


def newest_met(first: Release, store: ObjectStore, *, most: int) -> tuple[list[Manifest], bool]:
    """Return at most `most` newest batches of a rollout.

    It also says whether these are all.

    `first` is the release that it began with.
    """
    met = [arrival for arrival in standing(_entries(first, store)) if has_met(first, arrival)]
    newest = sorted(met, key=lambda arrival: arrival.created_at, reverse=True)[:most]
    return [Manifests(store).at(first.model, arrival) for arrival in newest], len(met) <= most


def has_met(release: Release, arrival: Arrival) -> bool:
    """Return whether a batch met a release or a later one.

    A batch that failed may name none; then its time decides.
    """
    return arrival.seq >= release.seq if arrival.seq else arrival.created_at >= release.decided_at


def _entries(first: Release, store: ObjectStore) -> Iterator[Arrival]:
    """Yield all batches that may have met a rollout.

    These are those since it began, and some before it, which may have been scored again.
    """
    began, before = first.decided_at.date(), 0
    for arrival in Manifests(store).entries(first.model):
        before += arrival.day < began
        if before > _LOOKED_BACK:
            return
        yield arrival


def _before(first: Release, entries: Sequence[Arrival], store: ObjectStore) -> Tally:
    """Return the last batches that a champion scored alone before the rollout."""
    others = (arrival for arrival in standing(entries) if not has_met(first, arrival))
    manifests = (Manifests(store).at(first.model, arrival) for arrival in islice(others, _LOOKED_BACK))
    sums = Sums()
    for manifest in islice(filter(_was_alone, manifests), _BEFORE):
        sums = sums.plus(Sums.of(manifest))
    return Tally(before=sums)


def _was_alone(manifest: Manifest) -> bool:
    """Return whether no challenger scored along."""
    return manifest.release is None or manifest.release.challenger is None


def _scored_by(manifest: Manifest, rollout: Sequence[Release]) -> int:
    """Return the release that scored a batch; if none did, that of its time."""
    if manifest.release:
        return manifest.release.seq
    return max((release.seq for release in rollout if release.decided_at <= manifest.created_at), default=rollout[0].seq)
