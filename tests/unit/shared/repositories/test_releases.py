import pytest

from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError, NewerSchemaError
from functions.shared.domain.release import Release
from functions.shared.repositories.releases import Releases
from tests.fakes.documents import make_release
from tests.fakes.memory_store import MemoryStore
from tests.fakes.repeating_store import RepeatingStore
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Crash, CrashAt, Moment, WatchedStore


def next_release(releases: Releases, reason: str) -> Release:
    standing = releases.standing(MODEL)
    assert standing is not None
    return releases.publish(make_release(seq=standing.release.seq + 1, reason=reason), over=standing)


def test_a_published_release_is_served_and_kept() -> None:
    releases = Releases(MemoryStore())
    assert releases.current(MODEL) is None
    first = releases.publish(make_release(), over=None)
    second = next_release(releases, "second")
    assert releases.current(MODEL) == second
    assert releases.history(MODEL) == [first, second]
    assert list(releases.models()) == [MODEL]


def test_the_history_is_in_order_beyond_nine() -> None:
    releases = Releases(MemoryStore())
    releases.publish(make_release(), over=None)
    for number in range(2, 13):
        next_release(releases, f"release {number}")
    assert [release.seq for release in releases.history(MODEL)] == list(range(1, 13))


def moments_of_publishing() -> list[Moment]:
    seen: list[Moment] = []
    store = MemoryStore()
    Releases(store).publish(make_release(), over=None)
    next_release(Releases(WatchedStore(store, seen.append)), "second")
    return seen


@pytest.mark.parametrize("moment", moments_of_publishing(), ids=lambda moment: f"{moment.side}-{moment.call}")
def test_a_publication_that_crashed_is_finished_by_whoever_comes_next(moment: Moment) -> None:
    store = MemoryStore()
    Releases(store).publish(make_release(), over=None)
    with pytest.raises(Crash):
        next_release(Releases(WatchedStore(store, CrashAt(moment))), "crashed")
    decided = [release.reason for release in Releases(store).history(MODEL)]
    served = Releases(store).current(MODEL)
    assert served is not None
    published = served if served.seq == 2 else next_release(Releases(store), "another")
    # Once the history holds a second release, that is the second release, whoever serves it.
    assert published.reason == ("crashed" if "crashed" in decided else "another")
    assert Releases(store).current(MODEL) == published
    assert [release.seq for release in Releases(store).history(MODEL)] == [1, 2]


def test_a_first_publication_that_crashed_is_finished_too() -> None:
    store = MemoryStore()
    store.create(layout.release_history_key(MODEL, 1), make_release(reason="crashed").to_json())
    published = Releases(store).publish(make_release(reason="another"), over=None)
    assert published.reason == "crashed"
    assert Releases(store).current(MODEL) == published


def test_of_two_deciders_one_decides_and_the_other_learns_it() -> None:
    store = MemoryStore()
    releases = Releases(store)
    releases.publish(make_release(), over=None)
    standing = releases.standing(MODEL)
    mine = releases.publish(make_release(seq=2, reason="mine"), over=standing)
    assert releases.publish(make_release(seq=2, reason="theirs"), over=standing) == mine
    assert releases.current(MODEL) == mine
    assert [release.reason for release in releases.history(MODEL)] == ["first", "mine"]


def test_a_publication_whose_first_answer_was_lost_is_done_and_no_conflict() -> None:
    releases = Releases(RepeatingStore())
    releases.publish(make_release(), over=None)
    assert next_release(releases, "second") == releases.current(MODEL) == make_release(seq=2, reason="second")


def test_a_late_decider_never_brings_an_older_release_back() -> None:
    releases = Releases(MemoryStore())
    releases.publish(make_release(), over=None)
    late = releases.standing(MODEL)
    next_release(releases, "second")
    third = next_release(releases, "third")
    with pytest.raises(ConflictError):
        releases.publish(make_release(seq=2, reason="late"), over=late)
    assert releases.current(MODEL) == third


def test_a_release_of_a_later_everscore_is_not_half_understood() -> None:
    store = MemoryStore()
    later = make_release().to_json().replace(b'"schema_version": 1', b'"schema_version": 2')
    store.write(layout.release_key(MODEL), later)
    with pytest.raises(NewerSchemaError, match="update Everscore"):
        Releases(store).current(MODEL)


def test_what_was_decided_and_not_served_is_finished_by_looking() -> None:
    store = MemoryStore()
    releases = Releases(store)
    assert releases.finished(MODEL) is None
    store.create(layout.release_history_key(MODEL, 1), make_release(reason="first").to_json())
    assert releases.finished(MODEL) == releases.standing(MODEL)
    assert releases.current(MODEL) == make_release(reason="first")
    store.create(layout.release_history_key(MODEL, 2), make_release(seq=2, reason="second").to_json())
    assert releases.finished(MODEL) == releases.standing(MODEL)
    assert releases.current(MODEL) == make_release(seq=2, reason="second")
