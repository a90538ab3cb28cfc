from dataclasses import replace

import pytest

from functions.shared.domain.errors import DigestMismatchError, NotFoundError
from functions.shared.repositories.bundles import Bundles
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import Version, make_version
from tests.fakes.watched_store import Moment, WatchedStore


def another(number: int) -> Version:
    """A version that differs in the reason for its engine only, so in its digest."""
    version = make_version()
    index = version.files["bundle.json"].replace(b'"reason": "', b'"reason": "%d ' % number)
    return replace(version, number=str(number), files={**version.files, "bundle.json": index})


def test_a_loaded_version_is_kept_and_not_read_again() -> None:
    reads: list[Moment] = []
    store = MemoryStore()
    served = make_version().put(store)
    bundles = Bundles(WatchedStore(store, reads.append))
    first = bundles.load(served)
    reads.clear()
    assert bundles.load(served) is first
    assert reads == []


def test_the_least_recently_used_beyond_eight_are_dropped() -> None:
    store = MemoryStore()
    served = [another(number).put(store) for number in range(1, 10)]
    bundles = Bundles(store)
    first, second, *others = [bundles.load(version) for version in served[:8]]
    assert bundles.load(served[0]) is first
    bundles.load(served[8])
    assert bundles.load(served[0]) is first
    assert all(bundles.load(version) is model for version, model in zip(served[2:8], others, strict=True))
    assert bundles.load(served[1]) is not second


def test_a_version_whose_files_are_gone_or_changed_is_not_loaded() -> None:
    store = MemoryStore()
    served = make_version().put(store)
    store.write(f"{served.prefix}spec.json", b"{}")
    with pytest.raises(DigestMismatchError):
        Bundles(store).load(served)
    store.delete([f"{served.prefix}spec.json"])
    with pytest.raises(NotFoundError):
        Bundles(store).load(served)
