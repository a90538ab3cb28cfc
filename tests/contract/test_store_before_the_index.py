"""A store of a version that had no index of batches goes on being listed, measured and tallied.

`golden/store-before-the-index.zip` holds what such a version wrote, but for bundles: batches of five days, one that failed and one that
was scored again, labels, and a rollout. What is right is worked out here from its manifests as plain JSON.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from functions.metric_emission.upkeep import sweep, tick
from functions.release.batches import tally
from functions.shared.domain import layout
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.metrics import LAST_BATCH_AGE
from functions.shared.domain.release import Role
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.releases import Releases
from tests.component.metric_emission.test_batches import like_training
from tests.component.metric_emission.world import World
from tests.fakes.counting_store import CountingStore
from tests.fakes.versions import MODEL

GOLDEN = Path(__file__).parent / "golden" / "store-before-the-index.zip"
ROLLOUT = 2
"""The release with which the rollout began."""


@cache
def objects() -> Mapping[str, bytes]:
    with zipfile.ZipFile(GOLDEN) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@cache
def standing() -> Sequence[Mapping[str, Any]]:
    """Manifests that nothing supersedes, the newest day of arrival first, in a day the one that was committed last."""
    manifests = [json.loads(body) for key, body in objects().items() if key.startswith("manifests/")]
    superseded = {manifest["supersedes"] for manifest in manifests}
    left = [manifest for manifest in manifests if manifest["batch_id"] not in superseded]
    return sorted(left, key=lambda manifest: (manifest["source"]["last_modified"][:10], manifest["created_at"]), reverse=True)


@pytest.fixture
def world() -> World:
    """The store in new hands: the champion serves on, from a bundle of today."""
    store = CountingStore()
    for key, body in objects().items():
        store.write(key, body)
    return World(store=store, seconds=count(1000))


def listed(world: World) -> list[str]:
    return [manifest.batch_id for manifest in Manifests(world.store).newest(MODEL)]


def of_day(world: World, day: str) -> list[str]:
    return [manifest.batch_id for manifest in Manifests(world.store).of_days(MODEL, {date.fromisoformat(day)})]


def test_the_golden_store_has_no_index_but_all_that_may_go_wrong() -> None:
    kinds = {key.split("/", 1)[0] for key in objects()}
    assert kinds == {"alerts", "decisions", "emitted", "labelled", "manifests", "performance", "releases", "scored", "totals"}
    assert {manifest["status"] for manifest in standing()} == {"scored", "failed"}
    assert any(manifest["supersedes"] for manifest in standing())


def test_its_batches_are_listed_in_the_same_order_before_and_after_they_are_indexed(world: World) -> None:
    for _ in range(2):
        assert listed(world) == [manifest["batch_id"] for manifest in standing()]
        for day in {day for manifest in standing() for day in manifest["event_days"]}:
            assert of_day(world, day) == [manifest["batch_id"] for manifest in standing() if day in manifest["event_days"]]
        tick(world.ports())


def test_a_tick_indexes_it_once_and_asks_for_little_from_then_on(world: World) -> None:
    store = world.store
    assert isinstance(store, CountingStore)
    asked = []
    for _ in range(3):
        before = store.requests
        tick(world.ports())
        asked.append(store.requests - before)
    assert asked[0] > 2 * asked[1] == 2 * asked[2]
    assert len(set(world.values(LAST_BATCH_AGE))) == 1


def test_a_new_batch_is_pooled_with_the_old_ones_that_its_champion_scored(world: World) -> None:
    profile = like_training(world.baseline)
    world.set_policy(drift={"pooled_batches": 4})
    manifest = world.profiled("new.csv", profile, day=next(Manifests(world.store).arrivals(MODEL)).day)
    world.record(manifest)
    judgement = read_document(world.store, BatchJudgement, layout.emitted_key(MODEL, manifest.batch_id))
    pooled = [found["profiles"][Role.CHAMPION]["rows"] for found in standing() if found["rows_scored"] and found["release"]][:3]
    assert judgement is not None
    assert judgement.drift is not None
    assert judgement.drift.rows == profile.rows + sum(pooled)


def test_labels_find_the_rows_of_old_batches_and_old_labels_stay(world: World) -> None:
    world.moment = Manifest.from_json(json.dumps(standing()[0])).created_at
    before = {key: json.loads(body) for key, body in objects().items() if key.startswith("performance/")}
    day = max(day for manifest in standing() for day in manifest["event_days"])
    world.label(f"id,at,bought\nb4-0,{day}T10:00:00Z,yes\nc2-1,{day}T10:00:00Z,no\n")
    assert day not in {document["day"] for document in before.values()}
    stated = world.performance(date.fromisoformat(day))
    assert stated.rows_labelled == 2
    assert stated.rows_predicted == sum(manifest["event_days"].get(day, 0) for manifest in standing())
    assert {key: json.loads(world.store.read(key)) for key in before} == before


def has_met_rollout(manifest: Mapping[str, Any]) -> bool:
    """A batch that failed was scored by nothing, so its time counts."""
    began = json.loads(objects()[layout.release_history_key(MODEL, ROLLOUT)])["decided_at"]
    release = manifest["release"]
    return bool(release["seq"] >= ROLLOUT if release else datetime.fromisoformat(manifest["created_at"]) >= datetime.fromisoformat(began))


def test_a_rollout_adds_up_to_what_its_manifests_say(world: World) -> None:
    releases = Releases(world.store)
    rollout = releases.rollout(releases.at(MODEL, ROLLOUT))
    met = [manifest for manifest in standing() if has_met_rollout(manifest)]
    for _ in range(2):
        sums = tally(rollout, world.store).since(ROLLOUT)
        assert (sums.batches, sums.rows_in) == (len(met), sum(manifest["rows_in"] for manifest in met))
        assert sums.compared_rows == sum(manifest["agreement"]["rows"] for manifest in met if manifest["agreement"])
        tick(world.ports())


def test_a_batch_that_an_earlier_version_committed_later_is_indexed_by_the_daily_sweep(world: World) -> None:
    tick(world.ports())
    late = Manifest.from_json(json.dumps(standing()[0])).model_copy(update={"batch_id": "e" * 32, "event_days": {}})
    late = late.model_copy(update={"source": late.source.model_copy(update={"key": f"batches/{MODEL}/late.csv"})})
    world.store.write(layout.manifest_key(MODEL, late.source.last_modified.date(), late.batch_id), late.to_json())
    assert late.batch_id not in listed(world)
    sweep(world.ports())
    assert late.batch_id in listed(world)
