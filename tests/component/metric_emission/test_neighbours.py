"""A batch is judged with those that came before it, however late it is measured and whatever else its delivery is about."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.metric_emission import ports as ports_module
from functions.metric_emission.ports import Delivery
from functions.shared.domain.arrival import Arrival
from functions.shared.domain.manifest import Manifest, PinnedRelease
from functions.shared.repositories import batch_index
from functions.shared.repositories.batch_index import BatchIndex
from tests.component.metric_emission.test_batches import drift_of, like_training
from tests.component.metric_emission.world import DAY, World
from tests.fakes.counting_store import CountingStore
from tests.fakes.versions import MODEL

COMMITS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 5), st.sampled_from(["1", "1", "2"]), st.integers(0, 3)), min_size=1, max_size=14
)
"""Of each commit: on which day its upload arrived, which upload of that day it is, who scored it, and how many rows."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commits=COMMITS, random=st.randoms(use_true_random=False), first=st.sampled_from([1, 2, 5]))
def test_before_a_batch_come_those_that_arrived_earlier_each_upload_once(
    monkeypatch: pytest.MonkeyPatch, commits: list[tuple[int, int, str, int]], random, first: int
) -> None:
    for module in (batch_index, ports_module):
        monkeypatch.setattr(module, "FIRST", first)
    world = World()
    manifests = [scoring(world, number, *commit) for number, commit in enumerate(commits)]
    model = Delivery(world.ports()).model(MODEL)
    for manifest in random.sample(manifests, len(manifests)):
        assert model.is_indexed(Arrival.of(manifest))
        assert [arrival.batch for arrival in model.scored_before(manifest)] == before(manifest, manifests)


def test_what_was_scored_again_since_counts_as_it_stood_when_the_batch_came() -> None:
    world = World()
    first, second, _ = (scoring(world, number, days, 0, "1", 1) for number, days in enumerate((0, 1, 0)))
    model = Delivery(world.ports()).model(MODEL)
    assert [arrival.batch for arrival in model.scored_before(second)] == [first.batch_id]


def scoring(world: World, number: int, days: int, upload: int, version: str, rows: int) -> Manifest:
    """A commit, a second after the one before."""
    named = {"batch_id": f"{number:032x}", "release": PinnedRelease(seq=1, champion=version), "rows_scored": rows}
    return world.commit(f"{days}-{upload}.csv", day=DAY + timedelta(days=days), event_days={DAY: rows} if rows else {}, **named)


def before(manifest: Manifest, manifests: list[Manifest]) -> list[str]:
    """The last scoring until then of each other upload of that day or an earlier one, if the champion scored rows of it."""
    mine = manifest.source
    until = [
        one for one in manifests if one.created_at <= manifest.created_at and one.source.last_modified.date() <= mine.last_modified.date()
    ]
    last = {one.source.key: one for one in sorted(until, key=lambda one: one.created_at)}
    others = [one for key, one in last.items() if key != mine.key]
    in_order = sorted(others, key=lambda one: (one.source.last_modified.date(), one.created_at), reverse=True)
    return [one.batch_id for one in in_order if one.release and one.release.champion == "1" and one.rows_scored]


def test_a_batch_that_is_measured_after_many_others_came_is_pooled_with_those_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports_module, "LOOKED_THROUGH", 20)
    world = World()
    world.set_policy(drift={"pooled_batches": 3, "min_rows": 100})
    usual, moved = like_training(world.baseline), like_training(world.baseline, "price")
    *_, late = [world.profiled(f"early {number}.csv", moved) for number in range(3)]
    for number in range(batch_index.FIRST + 20):
        world.profiled(f"since {number}.csv", usual)
    world.record(late)
    assert drift_of(world, late) == (3 * usual.rows, {"price"})


def test_batches_that_come_together_are_looked_up_in_one_listing() -> None:
    store = CountingStore()
    world = World(store=store)
    profile = like_training(world.baseline)
    manifests = [world.profiled(f"{number}.csv", profile) for number in range(batch_index.FIRST - 1)]
    model = Delivery(world.ports()).model(MODEL)
    asked = store.requests
    for manifest in manifests[-10:]:
        assert len([*model.scored_before(manifest)]) >= len(manifests) - 10
    assert store.requests == asked + 2, "a page of the index, and what is served"


def test_a_batch_that_is_not_in_the_index_is_missed() -> None:
    world = World()
    profile = like_training(world.baseline)
    manifests = [world.profiled(f"{number}.csv", profile) for number in range(3)]
    [name] = [found.key for found in world.store.list("index/") if manifests[1].batch_id in found.key and "arrivals" in found.key]
    world.store.delete([name])
    model = Delivery(world.ports()).model(MODEL)
    assert [model.is_indexed(Arrival.of(manifest)) for manifest in manifests] == [True, False, True]
    world.record(manifests[1])
    assert manifests[1].batch_id in {arrival.batch for arrival in BatchIndex(world.store).entries(MODEL)}
