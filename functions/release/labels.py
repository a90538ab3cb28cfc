"""The labels that may tell of a challenger, found without reading all that a model ever had."""

from bisect import bisect_left
from collections.abc import Iterator

from functions.shared.domain import layout
from functions.shared.domain.performance import DayPerformance
from functions.shared.domain.release import Release
from functions.shared.ports import ObjectStore
from functions.shared.repositories.releases import Releases


def days_since_tried(release: Release, store: ObjectStore) -> Iterator[DayPerformance]:
    """Performance that was written since the challenger of `release` may first have scored; by the store's own clock."""
    tried = store.info(layout.release_history_key(release.model, _first_tried(release, store))).last_modified
    for found in store.list(layout.performance_prefix(release.model)):
        if found.last_modified >= tried:
            yield DayPerformance.from_json(store.read(found.key))


def _first_tried(release: Release, store: ObjectStore) -> int:
    """The `seq` before which the challenger of `release` was never on its way: `newest`, which only rises, was below it."""
    assert release.challenger is not None, "only a rollout has labels to wait for"
    past, version = Releases(store), int(release.challenger.version)
    return 1 + bisect_left(range(1, release.seq), version, key=lambda seq: int(past.at(release.model, seq).newest))
