"""A batch is scored again: by what is served now, or by the release that scored it, to compare."""

from collections.abc import Callable

import numpy as np
import pytest

from functions.scoring.again import rescore_batch, verify_batch
from functions.scoring.ports import Ports
from functions.shared.domain import layout
from functions.shared.domain.errors import BatchRejectedError, InputError, NotFoundError
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.policy import DecisionPolicy, RowContract
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.releases import Releases
from infra.cli.replay import quarantined_file
from tests.component.scoring.world import World, as_csv, by_scikit_learn, good_rows, scores
from tests.fakes.documents import NOW, make_release, serve
from tests.fakes.versions import DISTANCE, FEATURES, MODEL, Version, make_version
from tests.fakes.watched_store import Moment, WatchedStore


def serving(version: str = "1", seed: int = 1, seq: int = 1) -> World:
    world = World()
    release(world, version, seed, seq)
    return world


def release(world: World, version: str, seed: int, seq: int) -> None:
    """Publish through the history, as `release` does."""
    served = make_version(version, seed=seed).put(world.store)
    releases = Releases(world.store)
    releases.publish(make_release(champion=served, newest=version, seq=seq), over=releases.standing(MODEL))


def ports(world: World, attempt: str) -> Ports:
    return Ports(world.inbox, world.store, Bundles(world.store), lambda: attempt, lambda: NOW)


def rescore(world: World, batch: Manifest, attempt: str = "again") -> Manifest:
    return rescore_batch(MODEL, batch.batch_id, ports(world, attempt))


def verify(world: World, batch: Manifest) -> tuple[str, ...]:
    found = verify_batch(MODEL, batch.batch_id, ports(world, "check"))
    assert found.identical is not bool(found.different)
    return found.different


def test_a_batch_is_scored_again_by_what_serves_now_and_the_old_manifest_counts_no_more() -> None:
    world = serving()
    first = world.score(world.upload(as_csv(good_rows())))
    release(world, "2", seed=2, seq=2)
    second = rescore(world, first)
    assert (second.supersedes, second.purpose, second.rows_scored) == (first.batch_id, "rescore:2", first.rows_scored)
    assert second.batch_id != first.batch_id
    assert [manifest.batch_id for manifest in Manifests(world.store).newest(MODEL)] == [second.batch_id]
    np.testing.assert_allclose(
        scores(world.table(second), "score"), by_scikit_learn(make_version("2", seed=2), good_rows()), rtol=0, atol=1e-9
    )
    assert world.table(first).num_rows == 40, "the first answers can still be read"


def test_asked_twice_a_batch_is_rescored_once() -> None:
    world = serving()
    first = world.score(world.upload(as_csv(good_rows())))
    release(world, "2", seed=2, seq=2)
    assert rescore(world, first, "one") == rescore(world, first, "two")


def test_a_batch_that_cannot_be_scored_now_keeps_what_it_has() -> None:
    world = serving()
    first = world.score(world.upload(as_csv(good_rows()).replace(b"distance", b"way")))
    serve(world.store, make_version("2", features=(*FEATURES, DISTANCE)))
    with pytest.raises(BatchRejectedError, match="distance"):
        rescore(world, first)
    assert [manifest.batch_id for manifest in Manifests(world.store).newest(MODEL)] == [first.batch_id]


def test_a_batch_comes_out_again_byte_by_byte_and_nothing_is_kept() -> None:
    world = serving()
    batch = world.score(world.upload(as_csv(good_rows()).replace(b"\n", b"\nnot a row\n", 2)))
    release(world, "2", seed=2, seq=2)
    before = world.store.keys()
    assert verify(world, batch) == ()
    assert world.store.keys() == before


def test_a_batch_comes_out_again_by_the_threshold_that_was_in_force() -> None:
    world = World()
    serve(world.store, make_version(), decision=DecisionPolicy(threshold=0.12))
    batch = world.score(world.upload(as_csv(good_rows())))
    serve(world.store, make_version(), decision=DecisionPolicy(threshold=0.9))
    assert verify(world, batch) == ()
    by_then, by_now = world.table(batch), world.table(rescore(world, batch))
    for table, threshold in ((by_then, 0.12), (by_now, 0.9)):
        assert table["prediction"].to_pylist() == ["yes" if score >= threshold else "no" for score in table["score"].to_pylist()]
    assert by_then["prediction"] != by_now["prediction"]


def test_a_file_that_does_not_come_out_again_is_named() -> None:
    world = serving()
    batch = world.score(world.upload(as_csv(good_rows())))
    changed = batch.outputs[0].model_copy(update={"sha256": "0" * 64})
    key = Manifests(world.store).keys(MODEL)[batch.batch_id]
    world.store.write(key, batch.model_copy(update={"outputs": (changed,)}).to_json())
    assert verify(world, batch) == (batch.outputs[0].key,)


def test_a_batch_that_never_was_is_not_found() -> None:
    world = serving()
    first = world.score(world.upload(as_csv(good_rows())))
    with pytest.raises(NotFoundError, match="no batch"):
        verify(world, first.model_copy(update={"batch_id": "0" * 32}))


@pytest.mark.parametrize("again", [rescore, verify])
def test_a_batch_whose_upload_went_with_erased_rows_stays_as_it_is(again: Callable[[World, Manifest], object]) -> None:
    world = serving()
    batch = world.score(world.upload(as_csv(good_rows())))
    key = Manifests(world.store).keys(MODEL)[batch.batch_id]
    world.store.write(key, batch.model_copy(update={"rows_erased": 2}).to_json())
    with pytest.raises(InputError, match=r"an erasure took 2 rows of batch .*, and its upload with them"):
        again(world, batch)


@pytest.mark.parametrize("again", [rescore, verify])
def test_a_batch_that_one_function_could_not_score_is_not_scored_again_by_one(again: Callable[[World, Manifest], object]) -> None:
    world = serving()
    batch = world.score(world.upload(as_csv(good_rows())))
    key = Manifests(world.store).keys(MODEL)[batch.batch_id]
    world.store.write(key, batch.model_copy(update={"partitions": 300}).to_json())
    with pytest.raises(InputError, match=r"scored in 300 partitions; .* upload the file again"):
        again(world, batch)


def reading_the_distance() -> Version:
    return make_version("1", features=(*FEATURES, DISTANCE))


def setting_far_rows_aside() -> tuple[World, Manifest]:
    """A world with a batch whose rows beyond a distance are in quarantine."""
    world = World()
    serve(world.store, reading_the_distance(), contract=RowContract(ranges={"distance": (0.0, 15.0)}))
    batch = world.score(world.upload(as_csv(good_rows())))
    assert batch.rows_quarantined == sum(row["distance"] > 15 for row in good_rows()) > 0
    return world, batch


def replay(world: World, batch: Manifest) -> Manifest:
    """The rows that a batch set aside come back as they are."""
    ending, body = quarantined_file(batch, inbox=world.inbox, store=world.store)
    return world.score(world.upload(body, layout.replay_key(MODEL, batch.batch_id, f"mended{ending}")), "replay")


def standing_ids(world: World) -> list[str]:
    """The ids in all tables of scored rows."""
    return sorted(id_ for manifest in Manifests(world.store).newest(MODEL) for id_ in world.table(manifest)["id"].to_pylist())


def test_rows_that_a_replay_brought_under_a_wider_range_do_not_come_twice_when_the_batch_is_scored_again() -> None:
    world, batch = setting_far_rows_aside()
    serve(world.store, reading_the_distance(), contract=RowContract(ranges={"distance": (0.0, 500.0)}))
    assert replay(world, batch).rows_scored == batch.rows_quarantined
    again = rescore(world, batch)
    assert (again.release and again.release.seq, again.ranges_seq) == (2, 1)
    assert world.quarantined(again) == world.quarantined(batch)
    assert standing_ids(world) == sorted(str(row["id"]) for row in good_rows())
    assert verify(world, again) == (), "the same ranges set the same rows aside"
    serve(world.store, reading_the_distance(), contract=RowContract(ranges={"distance": (0.0, 600.0)}))
    assert world.quarantined(rescore(world, again, "third")) == world.quarantined(batch)


@pytest.mark.parametrize("is_replayed", [False, True])
def test_a_version_that_reads_other_columns_does_not_score_rows_again_that_a_replay_brought(is_replayed: bool) -> None:  # noqa: FBT001
    world, rows = World(), [{**row, "distance": "far" if number == 7 else row["distance"]} for number, row in enumerate(good_rows())]
    serve(world.store, reading_the_distance())
    batch = world.score(world.upload(as_csv(rows)))
    assert batch.quarantined_by_reason == {"unparseable_number": 1}
    serve(world.store, make_version("2", features=FEATURES))
    if is_replayed:
        assert replay(world, batch).rows_scored == 1
        before = world.store.keys()
        with pytest.raises(InputError, match="were replayed, and version 2 would set other rows aside"):
            rescore(world, batch)
        assert world.store.keys() == before, "nothing is left of the try"
    else:
        assert rescore(world, batch).rows_quarantined == 0
    assert standing_ids(world) == sorted(str(row["id"]) for row in good_rows())


def test_rows_that_are_erased_while_their_batch_is_scored_again_do_not_come_back() -> None:
    world = serving()
    batch = world.score(world.upload(as_csv(good_rows())))
    release(world, "2", seed=2, seq=2)
    key = Manifests(world.store).keys(MODEL)[batch.batch_id]
    erased = batch.model_copy(update={"rows_erased": 1, "rows_scored": batch.rows_scored - 1}).to_json()

    def erase(moment: Moment) -> None:
        if moment.side == "after" and "scored/" in moment.call and not moment.call.startswith(("read", "list")):
            world.store.write(key, erased)

    watched = Ports(world.inbox, WatchedStore(world.store, erase), Bundles(world.store), lambda: "again", lambda: NOW)
    with pytest.raises(InputError, match=r"an erasure took 1 row of batch"):
        rescore_batch(MODEL, batch.batch_id, watched)
    assert world.store.read(key) == erased
    assert [manifest.batch_id for manifest in Manifests(world.store).newest(MODEL)] == [batch.batch_id]
    assert not [found for found in world.store.keys() if "/again/" in found]  # noqa: SIM118 - a method of the store
