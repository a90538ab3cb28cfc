"""A rollout's batches are added up once each, in whatever order they come and however often they are looked at."""

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.release.batches import tally
from functions.shared.domain import layout
from functions.shared.domain.manifest import BatchError, Manifest, PinnedRelease, Status, Timings
from functions.shared.domain.rejections import FileCode
from functions.shared.domain.release import Release, ServedChallenger
from functions.shared.domain.rollout.agreement import Agreement
from functions.shared.domain.rollout.tally import Sums, Tally
from functions.shared.repositories.batch_index import BatchIndex
from functions.shared.repositories.manifests import Manifests
from tests.fakes.documents import NOW, make_manifest, make_release
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Crash, CrashAt, Moment, WatchedStore

FLOATS = st.floats(-1e9, 1e9)


def rollout() -> list[Release]:
    challenger = ServedChallenger(version="2", digest="d2", prefix=layout.version_prefix(MODEL, "2"), share=0.05, salt="s", mode="canary")
    return [make_release(seq=seq, challenger=challenger, decided_at=NOW + timedelta(hours=seq)) for seq in (2, 3)]


@st.composite
def batches(draw: st.DrawFn) -> list[Manifest]:
    """Of a rollout and before it, some scored again."""
    made: list[Manifest] = []
    for number in range(draw(st.integers(1, 6))):
        again = draw(st.integers(1, 3))
        for turn in range(again):
            counts = ((draw(st.integers(0, 5)), draw(st.integers(0, 5))), (0, 1))
            agreement = Agreement(
                rows=sum(map(sum, counts)), counts=counts, difference_sum=draw(FLOATS), difference_squares=abs(draw(FLOATS))
            )
            manifest = make_manifest(
                f"{number}.csv",
                release=draw(st.none() | st.builds(PinnedRelease, seq=st.integers(1, 3), champion=st.just("1"))),
                rows_in=draw(st.integers(0, 100)),
                agreement=agreement,
                timings=Timings(predict_s=abs(draw(FLOATS))),
                created_at=NOW + timedelta(hours=2 + turn, seconds=len(made)),
            )
            renamed = {"batch_id": f"{number}{turn}" * 16, "supersedes": manifest.batch_id} if turn else {}
            made.append(manifest.model_copy(update=renamed))
    return made


def expected(made: Sequence[Manifest], seq: int) -> Sums:
    """The last scoring of each upload, added up one by one, where a release or a later one scored it."""
    last = {manifest.source.key: manifest for manifest in sorted(made, key=lambda one: one.created_at)}
    total = Sums()
    for manifest in last.values():
        scored_by = manifest.release.seq if manifest.release else 3 if manifest.created_at >= NOW + timedelta(hours=3) else 2
        total = total.plus(Sums.of(manifest)) if scored_by >= seq else total
    return total


def seen(store: MemoryStore | WatchedStore) -> Tally:
    return tally(rollout(), store)


@given(made=batches(), data=st.data())
def test_a_tally_kept_up_is_the_one_that_is_made_at_once(made: list[Manifest], data: st.DataObject) -> None:
    store = MemoryStore()
    BatchIndex(store).complete(MODEL, also=lambda _: None)
    for manifest in data.draw(st.permutations([*made, *made])):
        Manifests(store).commit(manifest)
        if data.draw(st.booleans()):
            seen(store)
    for _ in range(2):
        found = seen(store)
        for seq in (2, 3):
            assert found.since(seq).traffic == expected(made, seq).traffic
            assert found.since(seq).agreement == expected(made, seq).agreement


def test_a_tick_reads_each_batch_of_a_rollout_once() -> None:
    store = MemoryStore()
    BatchIndex(store).complete(MODEL, also=lambda _: None)
    reads: list[str] = []
    for number in range(5):
        Manifests(store).commit(make_manifest(f"{number}.csv", release=PinnedRelease(seq=2, champion="1")))
        tally(rollout(), WatchedStore(store, lambda moment: reads.append(moment.call) if moment.side == "before" else None))
    manifests = [call for call in reads if call.startswith("read manifests/")]
    assert len(manifests) == len(set(manifests)) == 5


def test_a_batch_that_stopped_half_way_counts_as_it_ends() -> None:
    store = MemoryStore()
    error = BatchError(code=FileCode.PARTITIONS_FAILED, message="stopped", remedy="redrive")
    stopped = make_manifest("a.csv", release=PinnedRelease(seq=2, champion="1"), status=Status.FAILED, error=error)
    Manifests(store).commit(stopped)
    assert [(seen(store).since(2).batches, seen(store).since(2).failed) for _ in range(2)] == [(1, 1), (1, 1)]
    Manifests(store).commit(stopped.model_copy(update={"status": Status.SCORED, "error": None, "rows_in": 7}))
    ended = seen(store).since(2)
    assert (ended.batches, ended.failed, ended.rows_in) == (1, 0, 7)


def moments(store: MemoryStore) -> list[Moment]:
    found: list[Moment] = []
    seen(WatchedStore(store.copy(), found.append))
    return found


def test_a_tally_that_was_broken_off_is_right_the_next_time() -> None:
    store = MemoryStore()
    for number in range(3):
        Manifests(store).commit(make_manifest(f"{number}.csv", release=PinnedRelease(seq=2, champion="1"), rows_in=number))
    for moment in moments(store):
        world = store.copy()
        with pytest.raises(Crash):
            seen(WatchedStore(world, CrashAt(moment)))
        assert seen(world) == seen(store.copy()), moment


def test_sums_of_floats_do_not_depend_on_their_order() -> None:
    parts = [make_manifest(timings=Timings(predict_s=value)) for value in (1e16, 1.0, -1e16 + 2)]
    there, back = Sums(), Sums()
    for one, other in zip(parts, reversed(parts), strict=True):
        there, back = there.plus(Sums.of(one)), back.plus(Sums.of(other))
    assert there == back
    assert there.predict_s == Fraction(3)
