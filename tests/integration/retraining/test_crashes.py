"""Retraining may end at any write: nothing half made is served, and the next one makes a whole version."""

from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from functions.retraining.ports import Ports
from functions.shared.domain import layout
from functions.shared.domain.decision import Decision
from functions.shared.domain.release import ServedModel
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.leases import LONGEST
from functions.shared.repositories.releases import Releases
from functions.shared.repositories.snapshots import Snapshots
from tests.fakes.versions import MODEL
from tests.fakes.watched_registry import WatchedRegistry
from tests.fakes.watched_store import Crash, CrashAt, Moment, WatchedStore, Watcher
from tests.integration.retraining.world import NOW, World, labelled

WRITES = ("create ", "write ", "replace ", "delete ", "register", "attach")


def watched(world: World, watcher: Watcher) -> Ports:
    return world.ports(store=WatchedStore(world.store, watcher), registry=WatchedRegistry(world.registry, watcher))


@cache
def undisturbed() -> tuple[Decision, list[Moment]]:
    """The decision, and the moments before each write and after the last."""
    world = labelled()
    seen: list[Moment] = []
    decision = world.challenger(ports=watched(world, seen.append))
    writes = [moment for moment in seen if moment.call.startswith(WRITES)]
    return decision, [*(moment for moment in writes if moment.side == "before"), writes[-1]]


def figures(decision: Decision) -> dict[str, Any]:
    """What the rows and the seed decide; a later version has another number, and a later try must be surer."""
    names = {"champion", "challenger", "difference", "snapshot", "trained_rows", "rows", "engine", "agreement"}
    return decision.model_dump(include=names)


def is_whole(world: World, decision: Decision) -> bool:
    """Whether a version that was decided on can be served, and rebuilt from its snapshot."""
    prefix = layout.version_prefix(MODEL, decision.challenger_version)
    served = ServedModel(version=decision.challenger_version, digest=decision.digest, prefix=prefix)
    loaded = Bundles(world.store).load(served)
    rows = Snapshots(world.store).read(decision.snapshot.md5).num_rows
    return loaded.baseline.version == decision.challenger_version and rows == decision.snapshot.rows


def test_every_kind_of_write_is_among_the_moments_tried() -> None:
    calls = [moment.call for moment in undisturbed()[1]]
    for written in (" leases/", " snapshots/", " releases/", " decisions/"):
        assert any(written in call for call in calls), written
    assert {"register", "attach"} <= set(calls)
    assert calls[0].startswith("create leases/")
    assert calls[-1].startswith("delete leases/")


def test_the_decision_is_the_last_thing_written_of_a_version() -> None:
    calls = [moment.call for moment in undisturbed()[1]]
    kept = [call for call in calls if " leases/" not in call]
    assert kept[-1] == f"write {layout.decision_key(MODEL, '2')}"
    assert kept.index("register") > max(number for number, call in enumerate(kept) if "/versions/2/" in call), "the number is taken first"


def test_a_crash_at_any_write_leaves_no_half_version_and_the_next_retraining_succeeds() -> None:
    expected, moments = undisturbed()
    for moment in moments:
        world = labelled()
        served = Releases(world.store).current(MODEL)
        with pytest.raises(Crash):
            world.retrain(ports=watched(world, CrashAt(moment)))
        assert Releases(world.store).current(MODEL) == served
        assert all(is_whole(world, decision) for decision in Decisions(world.store).all(MODEL)), moment
        world.moment = NOW + LONGEST + timedelta(seconds=1)
        decision = world.challenger()
        assert figures(decision) == figures(expected), moment
        assert is_whole(world, decision), moment
        assert not list(world.store.list("leases/")), moment


def test_two_retrainings_at_the_same_time_make_one_version() -> None:
    _, moments = undisturbed()
    for moment in moments[1:5]:
        world = labelled()
        others: list[str | None] = []

        def begin(now: Moment, world: World = world, others: list[str | None] = others, at: Moment = moment) -> None:
            if now == at:
                others.append(world.retrain().skipped)

        first = world.retrain(ports=watched(world, begin)).skipped
        assert [first, *others].count(None) == 1, moment
        assert [decision.challenger_version for decision in Decisions(world.store).all(MODEL)] == ["1", "2"]
