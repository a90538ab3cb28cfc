"""The same upload is scored once."""

from functions.shared.domain import layout
from functions.shared.domain.manifest import Manifest
from functions.shared.repositories.manifests import Manifests
from tests.component.scoring.world import World, as_csv, good_rows
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Moment, WatchedStore


def test_a_second_delivery_gives_the_first_ones_manifest_and_writes_nothing(world: World) -> None:
    created = world.upload(as_csv(good_rows()))
    first = world.score(created, "a1")
    calls: list[str] = []
    store = WatchedStore(world.store, lambda moment: calls.append(moment.call.split()[0]))
    assert world.score(created, "a2", store=store) == first
    assert set(calls) == {"read"}


def test_a_file_that_takes_anothers_place_just_after_the_commit_is_not_cleared_with_lost_attempts(world: World) -> None:
    created = world.upload(as_csv(good_rows()))

    def erase_at_once(moment: Moment) -> None:
        if moment.side == "after" and moment.call.startswith("create manifests/"):
            key = moment.call.split(" ", 1)[1]
            manifest = Manifest.from_json(world.store.read(key))
            [file] = manifest.outputs
            lighter = file.model_copy(update={"key": layout.of_attempt(file.key, "erasure")})
            world.store.write(lighter.key, world.store.read(file.key))
            world.store.write(key, manifest.model_copy(update={"outputs": (lighter,)}).to_json())

    batch = world.score(created, store=WatchedStore(world.store, erase_at_once)).batch_id
    standing = Manifests(world.store).named(MODEL, batch)
    assert world.table(standing).num_rows == standing.rows_scored


def test_an_object_overwritten_under_the_same_key_is_a_new_batch(world: World) -> None:
    old, new = world.upload(as_csv(good_rows()[:10])), world.upload(as_csv(good_rows()[:20]))
    late, early = world.score(new, "a1"), world.score(old, "a2")
    assert late.batch_id != early.batch_id
    assert (early.rows_scored, late.rows_scored) == (10, 20)
    assert world.table(early)["id"].to_pylist() == [row["id"] for row in good_rows()[:10]]


def test_the_same_bytes_under_another_key_are_another_batch(world: World) -> None:
    manifests: list[Manifest] = [world.score(world.upload(as_csv(good_rows()), f"batches/{MODEL}/{name}.csv")) for name in ("a", "b")]
    assert len({manifest.batch_id for manifest in manifests}) == 2
