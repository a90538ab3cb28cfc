"""Whatever is killed, done twice or taken up again: one batch, as it is when nothing happens."""

import json
import random
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from functions.partitioning.event import Failure
from functions.partitioning.service import commit_batch, give_up, plan_batch
from functions.partitioning.splitting import MAX_PORTIONS
from functions.scoring.partition import score_partition
from functions.scoring.ports import Ports
from functions.shared.domain import layout
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.errors import NotFoundError, PartitionsFailedError
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.domain.partition import Partition, Portion
from functions.shared.ports import ObjectStore
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.partitions import Partitions
from tests.component.scoring.world import as_csv, good_rows
from tests.fakes.documents import NOW, serve
from tests.fakes.versions import MODEL, make_version
from tests.fakes.watched_store import Crash, CrashAt, Moment, WatchedStore
from tests.integration.partitioning.world import PartitionedWorld, as_comparable

ROWS = [{**row, "price": "x"} if number % 9 == 4 else {**row, "note": "a, b"} for number, row in enumerate(good_rows(24))]
BODY = as_csv(ROWS)
SIZE = len(BODY) // 4


@pytest.fixture
def world() -> PartitionedWorld:
    made = PartitionedWorld()
    serve(made.store, make_version())
    return made


@pytest.fixture
def created(world: PartitionedWorld) -> StoredObject:
    return world.upload(BODY)


@pytest.fixture
def whole() -> tuple[PartitionedWorld, Manifest]:
    """The same rows, scored whole elsewhere."""
    other = PartitionedWorld()
    serve(other.store, make_version())
    return other, other.score(other.upload(BODY))


def planned(world: PartitionedWorld, created: StoredObject) -> tuple[Partition, ...]:
    assert plan_batch(created.key, created.version_id, world.ports(SIZE)) == 1
    return world.plan_of(created)


def assert_one_batch(world: PartitionedWorld, created: StoredObject, whole: tuple[PartitionedWorld, Manifest]) -> None:
    """The batch is the one that scoring it whole gives, and nothing of it lies about but what its manifest names."""
    parted = world.standing(created)
    assert as_comparable(parted) == as_comparable(whole[1])
    assert world.table(parted).to_pylist() == whole[0].table(whole[1]).to_pylist()
    assert world.quarantined(parted) == whole[0].quarantined(whole[1])
    named = {file.key for file in (*parted.outputs, *parted.quarantine)}
    assert {key for key in world.written() if key.startswith(("scored/", "quarantine/"))} == named


def moments(step: Callable[[ObjectStore], object], store: ObjectStore) -> list[Moment]:
    """All moments of an undisturbed step."""
    seen: list[Moment] = []
    step(WatchedStore(store, seen.append))
    return seen


def killed_at(moment: Moment, step: Callable[[ObjectStore], object], store: ObjectStore) -> None:
    with pytest.raises(Crash):
        step(WatchedStore(store, CrashAt(moment)))


def worker_on(world: PartitionedWorld, partition: Partition, names: Callable[[], str]) -> Callable[[ObjectStore], object]:
    bundles = world.bundles
    return lambda store: score_partition(partition, Ports(world.inbox, store, bundles, names, lambda: NOW))


def test_a_worker_killed_at_any_call_is_made_good_by_the_next(
    world: PartitionedWorld, created: StoredObject, whole: tuple[PartitionedWorld, Manifest]
) -> None:
    plan = planned(world, created)
    names = (f"k{number}" for number in count())
    probe = PartitionedWorld(world.inbox, world.store.copy())
    for moment in moments(worker_on(world, plan[0], lambda: next(names)), probe.store):
        killed_at(moment, worker_on(world, plan[0], lambda: next(names)), world.store.copy())
    # What a killed one leaves is there in the end, too: each partition's worker dies once somewhere.
    rng = random.Random(5)
    for partition in plan:
        step = worker_on(world, partition, lambda: next(names))
        killed_at(rng.choice(moments(step, world.store.copy())), step, world.store)
    world.run(created, world.ports(SIZE))
    assert_one_batch(world, created, whole)


def test_a_worker_that_another_one_overtakes_leaves_nothing(
    world: PartitionedWorld, created: StoredObject, whole: tuple[PartitionedWorld, Manifest]
) -> None:
    plan = planned(world, created)

    def overtaken() -> str:
        world.work(plan[1])
        return "late"

    worker_on(world, plan[1], overtaken)(world.store)
    assert not [key for key in world.written() if "/late/" in key and key.startswith("scored/")]
    world.run(created, world.ports(SIZE))
    assert_one_batch(world, created, whole)


def test_a_commit_killed_at_any_call_is_made_good_by_the_next(
    world: PartitionedWorld, created: StoredObject, whole: tuple[PartitionedWorld, Manifest]
) -> None:
    for partition in planned(world, created):
        world.work(partition)
    world.store.write(layout.scored_key(MODEL, world.plan_of(created)[0].batch_id, "crashed", 0), b"")

    def commit(store: ObjectStore) -> object:
        return commit_batch(created.key, created.version_id, 1, world.ports(SIZE, store=store))

    for moment in moments(commit, world.store.copy()):
        other = PartitionedWorld(world.inbox, world.store.copy())
        killed_at(moment, commit, other.store)
        assert commit_batch(created.key, created.version_id, 1, other.ports(SIZE)) is None
        parted = other.standing(created)
        assert as_comparable(parted) == as_comparable(whole[1])
        assert other.quarantined(parted) == whole[0].quarantined(whole[1])


def test_two_commits_at_once_leave_one_batch(
    world: PartitionedWorld, created: StoredObject, whole: tuple[PartitionedWorld, Manifest]
) -> None:
    for partition in planned(world, created):
        world.work(partition)
    second: list[object] = []

    def interleaved(moment: Moment) -> None:
        if not second and moment.call.startswith("create manifests/"):
            second.append(commit_batch(created.key, created.version_id, 1, world.ports(SIZE)))

    commit_batch(created.key, created.version_id, 1, world.ports(SIZE, store=WatchedStore(world.store, interleaved)))
    assert second == [None]
    assert_one_batch(world, created, whole)


def test_a_plan_that_is_made_again_is_the_plan_that_was_made(world: PartitionedWorld, created: StoredObject) -> None:
    plan = planned(world, created)
    assert plan_batch(created.key, created.version_id, world.ports(SIZE // 3)) == 1
    assert world.plan_of(created) == plan


def test_a_batch_that_has_ended_is_neither_planned_nor_committed_again(world: PartitionedWorld, created: StoredObject) -> None:
    manifest = world.score(created)
    assert plan_batch(created.key, created.version_id, world.ports(SIZE)) is None
    assert commit_batch(created.key, created.version_id, 1, world.ports(SIZE)) is None
    assert world.standing(created) == manifest


def test_nothing_is_committed_while_a_partition_is_missing(world: PartitionedWorld, created: StoredObject) -> None:
    plan = planned(world, created)
    for partition in plan[:-1]:
        world.work(partition)
    with pytest.raises(NotFoundError, match=f"partition {plan[-1].number}"):
        commit_batch(created.key, created.version_id, 1, world.ports(SIZE))
    with pytest.raises(NotFoundError, match="turn 2"):
        commit_batch(created.key, created.version_id, 2, world.ports(SIZE))


LOST = Failure(Error="MemoryError", Cause='{"errorMessage": "lost"}')
SOME_LOST = Failure(Error="States.ExceedToleratedFailureThreshold", Cause="The specified tolerated failure threshold was exceeded")


def gave_up(world: PartitionedWorld, created: StoredObject, redrives: int = 0, failure: Failure = LOST, *, asked_at: str = "noon") -> None:
    reported: dict[str, Any] = {"execution": "arn:e", "redrives": redrives, "asked_at": asked_at}
    give_up(created.key, created.version_id, failure, **reported, ports=world.ports(SIZE))


def test_giving_up_commits_a_failed_batch_that_names_the_redrive_and_fails_itself(world: PartitionedWorld, created: StoredObject) -> None:
    planned(world, created)
    with pytest.raises(PartitionsFailedError, match="MemoryError: lost"):
        gave_up(world, created)
    failed = world.standing(created)
    assert failed.status is Status.FAILED
    assert failed.error is not None
    assert (failed.error.code, failed.error.message) == ("partitions_failed", "scoring in partitions failed: MemoryError: lost")
    assert "redrive-execution --execution-arn arn:e" in failed.error.remedy


def test_as_many_partitions_as_a_batch_may_have_are_committed_as_one(world: PartitionedWorld, created: StoredObject) -> None:
    first = planned(world, created)[0]
    result = world.work(first)
    partitions = Partitions(world.store)
    plan = [
        first.model_copy(update={"number": number, "portion": Portion(kind="csv", start=number, stop=number + 1)})
        for number in range(MAX_PORTIONS)
    ]
    for partition in plan:
        partitions.commit(partition, result.model_copy(update={"portion": partition.portion}))
    partitions.keep_plan(plan, 2)
    assert commit_batch(created.key, created.version_id, 2, world.ports(SIZE)) is None
    manifest = world.standing(created)
    assert manifest.partitions == len(manifest.outputs) == len(manifest.quarantine) == MAX_PORTIONS
    assert manifest.rows_in == MAX_PORTIONS * result.counts.rows_in
    last = json.loads(world.store.read(manifest.quarantine[-1].key))
    assert last["row"] > (MAX_PORTIONS - 1) * result.counts.rows_in


def failed_item(number: int, error: str) -> dict[str, str]:
    """As the ResultWriter of a Distributed Map notes it."""
    given, cause = json.dumps({"partition": {"number": number}}), json.dumps({"errorType": error, "errorMessage": f"of {number}"})
    return {"ExecutionArn": "arn:i", "Input": given, "Status": "FAILED", "Error": error, "Cause": cause}


@pytest.mark.parametrize(
    ("numbers", "reported"),
    [
        ([2], "partition 2: MemoryError: of 2"),
        ([0, 1, 2, 3, 4], "partition 0: MemoryError: of 0; partition 1: MemoryError: of 1; partition 2: MemoryError: of 2; and 2 more"),
        ([], "States.ExceedToleratedFailureThreshold: The specified tolerated failure threshold was exceeded"),
    ],
)
def test_a_batch_of_which_partitions_failed_says_which_did_and_why(
    world: PartitionedWorld, created: StoredObject, numbers: list[int], reported: str
) -> None:
    folder = f"{planned(world, created)[0].model}/{planned(world, created)[0].batch_id}"
    world.store.write(f"partitions/{folder}/run-1/FAILED_0.json", json.dumps([failed_item(9, "OSError")] if numbers else []).encode())
    world.store.write(f"partitions/{folder}/run-2/FAILED_0.json", json.dumps([failed_item(n, "MemoryError") for n in numbers]).encode())
    with pytest.raises(PartitionsFailedError):
        gave_up(world, created, failure=SOME_LOST)
    error = world.standing(created).error
    assert error is not None
    assert error.message == f"scoring in partitions failed: {reported}"


def test_a_redriven_batch_scores_what_is_missing_and_takes_the_place_of_the_failed_one(
    world: PartitionedWorld, created: StoredObject, whole: tuple[PartitionedWorld, Manifest]
) -> None:
    plan = planned(world, created)
    done = [world.work(partition).attempt for partition in plan[:2]]
    with pytest.raises(PartitionsFailedError):
        gave_up(world, created)
    gave_up(world, created, redrives=1)
    world.run(created, world.ports(SIZE))
    assert {attempt for attempt in done if any(f"/{attempt}/" in file.key for file in world.standing(created).outputs)} == set(done)
    assert_one_batch(world, created, whole)


def test_a_redriven_batch_that_fails_again_fails_again(world: PartitionedWorld, created: StoredObject) -> None:
    planned(world, created)
    with pytest.raises(PartitionsFailedError):
        gave_up(world, created)
    gave_up(world, created, redrives=1)
    with pytest.raises(PartitionsFailedError):
        gave_up(world, created, redrives=1, asked_at="one o'clock")
    gave_up(world, created, redrives=2)


def test_a_redriven_batch_is_taken_up_again_though_the_answer_was_lost_and_it_is_asked_once_more(
    world: PartitionedWorld, created: StoredObject
) -> None:
    planned(world, created)
    with pytest.raises(PartitionsFailedError):
        gave_up(world, created)
    gave_up(world, created, redrives=1, asked_at="one o'clock")
    gave_up(world, created, redrives=1, asked_at="one o'clock")


def test_giving_up_changes_nothing_about_a_batch_that_was_committed(world: PartitionedWorld, created: StoredObject) -> None:
    manifest = world.score(created)
    gave_up(world, created)
    assert world.standing(created) == manifest


def test_a_failed_manifest_never_takes_the_place_of_another_and_a_final_one_is_never_replaced(
    world: PartitionedWorld, created: StoredObject
) -> None:
    planned(world, created)
    for _ in range(2):
        with pytest.raises(PartitionsFailedError):
            gave_up(world, created)
    key = next(key for key in world.written() if key.startswith("manifests/"))
    assert world.store.writes(key) == 1
    world.run(created, world.ports(SIZE))
    world.run(created, world.ports(SIZE))
    assert world.store.writes(key) == 2


def test_a_version_that_is_gone_fails_a_worker_and_is_found_again(world: PartitionedWorld, created: StoredObject) -> None:
    [partition, *_] = planned(world, created)
    lost = make_version().served.prefix + "baseline.json"
    body = world.store.read(lost)
    world.store.delete([lost])
    with pytest.raises(NotFoundError):
        score_partition(partition, Ports(world.inbox, world.store, Bundles(world.store), lambda: "a", lambda: NOW))
    world.store.write(lost, body)
    assert world.work(partition).counts.rows_in > 0
