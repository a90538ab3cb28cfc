"""One manifest, complete outputs, one release: whatever crashes, repeats, or happens at the same time."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.shared.domain import layout
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.manifest import Manifest, StoredFile
from functions.shared.domain.policy import RowContract
from functions.shared.engines.engine import EngineKind
from functions.shared.repositories.bundles import Bundles
from tests.component.scoring.world import HEADER, Row, World, as_csv, good_rows, in_small_blocks
from tests.fakes.documents import serve
from tests.fakes.turns import Turns
from tests.fakes.versions import MODEL, Version, make_version
from tests.fakes.watched_store import Crash, CrashAt, Moment, WatchedStore, Watcher

ROWS: Sequence[Row] = [{**row, "price": "x"} if number % 8 == 5 else row for number, row in enumerate(good_rows(16))]


@pytest.fixture(autouse=True, scope="module")
def _several_blocks_a_file() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        in_small_blocks(patch, 600)
        yield


@dataclass(frozen=True, slots=True)
class Scene:
    """A world with one upload that is to be scored, and the versions it knows."""

    world: World
    upload: StoredObject
    bundles: Bundles | None = None

    def score(self, attempt: str, watcher: Watcher) -> Manifest:
        """One delivery, every call of which is watched."""
        inbox, store = WatchedStore(self.world.inbox, watcher), WatchedStore(self.world.store, watcher)
        return self.world.score(self.upload, attempt, inbox=inbox, store=store, bundles=self.bundles)


@cache
def loaded_bundles() -> Bundles:
    """A warm process's: both versions of the rollout are in memory."""
    world = World()
    release = serve(world.store, make_version(), challenger())
    bundles = Bundles(world.store)
    assert release.challenger is not None
    bundles.load(release.champion)
    bundles.load(release.challenger)
    return bundles


def challenger() -> Version:
    return make_version("2", EngineKind.BITVECTOR, seed=2)


def in_a_rollout() -> Scene:
    world = World()
    serve(world.store, make_version(), challenger(), share=0.5, contract=RowContract(carry="id"))
    return Scene(world, world.upload(as_csv(ROWS)), loaded_bundles())


def refused() -> Scene:
    world = World()
    serve(world.store, make_version())
    return Scene(world, world.upload(as_csv(ROWS, [name for name in HEADER if name != "price"])))


def after_a_crash() -> Scene:
    """An attempt `a0` wrote both its files and was gone before it could commit."""
    scene = in_a_rollout()
    with pytest.raises(Crash):
        scene.score("a0", lambda moment: crash_if(moment.side == "before" and moment.call.startswith("create manifests/"), moment))
    assert {key.split("/")[3] for key in scene.world.written()} == {"a0"}
    return scene


def crash_if(it_is_time: bool, moment: Moment) -> None:  # noqa: FBT001 - a condition
    if it_is_time:
        raise Crash(moment)


SCENES: list[Callable[[], Scene]] = [in_a_rollout, refused, after_a_crash]
STEPS = {
    in_a_rollout: ["info", "read", "open", "read at", "upload", "part", "finish", "create", "list"],
    refused: ["info", "read", "open", "read at", "create", "list"],
    after_a_crash: ["create", "list", "delete"],
}


def moments(make: Callable[[], Scene]) -> list[Moment]:
    """Every moment of an undisturbed run; after a crash those from the ending on, since what is before is as without it."""
    seen: list[Moment] = []
    make().score("a1", seen.append)
    ending = next(number for number, moment in enumerate(seen) if moment.call.startswith("list scored/"))
    return seen[ending:] if make is after_a_crash else seen


@cache
def undisturbed(make: Callable[[], Scene]) -> Manifest:
    return make().score("a1", lambda _: None)


def plain(manifest: Manifest) -> dict[str, Any]:
    """A manifest without what may differ between two runs: the attempt's name, and times."""
    fields = manifest.model_dump(exclude={"attempt", "created_at", "timings", "outputs", "quarantine"})
    return fields | {"files": [file.sha256 for file in files(manifest)]}


def files(manifest: Manifest) -> tuple[StoredFile, ...]:
    return (*manifest.outputs, *manifest.quarantine)


def check(scene: Scene, expected: Manifest) -> Manifest:
    """One manifest stands, says what an undisturbed run's says, and its files are there, whole and its own."""
    [key] = [key for key in scene.world.written() if key.startswith("manifests/")]
    standing = Manifest.from_json(scene.world.store.read(key))
    assert plain(standing) == plain(expected)
    assert scene.world.store.writes(key) == 1
    for file in files(standing):
        assert hashlib.sha256(scene.world.store.read(file.key)).hexdigest() == file.sha256
        assert f"/{standing.attempt}/" in file.key
    return standing


def leftovers(scene: Scene, standing: Manifest) -> set[str]:
    """What was written and no manifest names."""
    manifests = {key for key in scene.world.written() if key.startswith("manifests/")}
    return scene.world.written() - manifests - {file.key for file in files(standing)}


@pytest.mark.parametrize("make", SCENES)
def test_every_kind_of_step_is_among_the_moments_tried(make: Callable[[], Scene]) -> None:
    calls = [moment.call for moment in moments(make)]
    for step in STEPS[make]:
        assert sum(call.startswith(f"{step} ") for call in calls) >= 2, step


@pytest.mark.parametrize("make", SCENES)
def test_a_crash_at_any_moment_is_made_good_by_the_next_delivery(make: Callable[[], Scene]) -> None:
    expected = undisturbed(make)
    for moment in moments(make):
        scene = make()
        with pytest.raises(Crash):
            scene.score("a1", CrashAt(moment))
        if any(key.startswith("manifests/") for key in scene.world.written()):
            check(scene, expected)
        again = scene.score("a2", lambda _: None)
        standing = check(scene, expected)
        assert again == standing, moment
        if standing.attempt == "a2":
            assert leftovers(scene, standing) == set(), moment
        else:
            assert {key.split("/")[3] for key in leftovers(scene, standing)} <= {"a0"}, moment


class LostConnectionError(Exception):
    """One call fails, or its answer is lost; the process lives and its next calls succeed."""


def test_an_error_at_any_moment_is_made_good_by_the_next_delivery_to_the_same_process() -> None:
    expected = undisturbed(in_a_rollout)
    threads = threading.active_count()
    for moment in moments(in_a_rollout):
        scene = in_a_rollout()

        def fail(now: Moment, at: Moment = moment) -> None:
            if now == at:
                raise LostConnectionError

        with pytest.raises(LostConnectionError):
            scene.score("a1", fail)
        assert scene.score("a2", lambda _: None) == check(scene, expected), moment
        assert threading.active_count() == threads, moment


@pytest.mark.parametrize("make", SCENES)
def test_a_second_worker_that_runs_wholly_within_any_call_of_the_first_agrees_with_it(make: Callable[[], Scene]) -> None:
    expected = undisturbed(make)
    for moment in moments(make):
        scene = make()
        others: list[Manifest] = []

        def work_along(now: Moment, scene: Scene = scene, others: list[Manifest] = others, at: Moment = moment) -> None:
            if now == at:
                others.append(scene.score("a2", lambda _: None))

        first = scene.score("a1", work_along)
        standing = check(scene, expected)
        assert [first, *others] == [standing, standing], moment
        assert leftovers(scene, standing) == set() or make is after_a_crash, moment


def test_a_release_published_at_any_moment_never_splits_a_batch() -> None:
    seen = set()
    for moment in moments(in_a_rollout):
        scene = in_a_rollout()

        def promote(now: Moment, scene: Scene = scene, at: Moment = moment) -> None:
            if now == at:
                serve(scene.world.store, challenger())

        manifest = scene.score("a1", promote)
        assert manifest.release is not None
        versions = {(row["role"], row["model_version"]) for row in scene.world.table(manifest).to_pylist()}
        expected = {1: {("champion", "1"), ("challenger", "2")}, 2: {("champion", "2")}}
        assert versions == expected[manifest.release.seq], moment
        seen.add(manifest.release.seq)
    assert seen == {1, 2}


@settings(max_examples=12)
@given(order=st.lists(st.sampled_from(["a1", "a2", "a3"]), max_size=60))
def test_workers_whose_calls_mingle_in_any_order_agree(order: list[str]) -> None:
    scene, turns = in_a_rollout(), Turns(order)

    def work(attempt: str) -> Manifest:
        try:
            store = WatchedStore(scene.world.store, turns.watcher(attempt))
            return scene.world.score(scene.upload, attempt, store=store, bundles=scene.bundles)
        finally:
            turns.end(attempt)

    with ThreadPoolExecutor(3) as threads:
        manifests = list(threads.map(work, ["a1", "a2", "a3"]))
    standing = check(scene, undisturbed(in_a_rollout))
    assert manifests == [standing] * 3
    assert leftovers(scene, standing) == set()


def test_a_commit_that_succeeded_but_was_not_heard_of_is_known_as_ones_own() -> None:
    scene = in_a_rollout()

    class DeafStore(WatchedStore):
        """The answer to a create is lost; the client sends it again and hears that something stands there."""

        def create(self, key: str, body: bytes) -> bool:
            super().create(key, body)
            return super().create(key, body)

    manifest = scene.world.score(scene.upload, "a1", store=DeafStore(scene.world.store, lambda _: None))
    assert manifest.attempt == "a1"
    assert leftovers(scene, check(scene, undisturbed(in_a_rollout))) == set()


def test_files_of_other_batches_are_never_cleared() -> None:
    world = World()
    serve(world.store, make_version())
    uploads = [world.upload(as_csv(ROWS), f"batches/{MODEL}/{name}") for name in ("a.csv", "b.csv")]
    first = world.score(uploads[0], "same")
    other = layout.scored_key(MODEL, first.batch_id + "0", "same", 0)
    world.store.write(other, b"")
    world.score(uploads[1], "same")
    assert {file.key for file in files(first)} | {other} <= world.written()
