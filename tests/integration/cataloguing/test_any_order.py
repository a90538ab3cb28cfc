"""Whatever happens in whatever order, tables show the standing manifests: a plain dictionary says which these are."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.cataloguing.compaction import compact
from functions.cataloguing.service import catalogue, rebuild
from functions.cataloguing.upkeep import bring_and_count
from functions.shared.repositories.manifests import Manifests
from tests.fakes.versions import make_version
from tests.integration.cataloguing.world import ARRIVED, World, days_of, rows

if TYPE_CHECKING:
    from functions.shared.domain.manifest import Manifest

SPEC = make_version().spec

UPKEEP: tuple[Callable[[str, World], object], ...] = (
    lambda model, world: bring_and_count(model, {ARRIVED.date()}, world.ports),
    lambda model, world: bring_and_count(model, Manifests(world.store).days(model), world.ports, look=True),
    lambda model, world: rebuild(model, world.ports),
    lambda model, world: [compact(model, day, SPEC, world.ports) for day in Manifests(world.store).days(model)],
)
"""The hourly comparison, the nightly one, a rebuilding, and files put together."""

UPLOADS = st.integers(0, 3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("score"), UPLOADS),
        st.tuples(st.just("rescore"), UPLOADS),
        st.tuples(st.just("erase"), UPLOADS),
        st.tuples(st.just("deliver"), st.integers(0, 9)),
        st.tuples(st.just("upkeep"), st.integers(0, len(UPKEEP) - 1)),
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as world:
        yield world


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_tables_show_the_standing_manifests(world: World, steps: list[tuple[str, int]]) -> None:
    model = world.new_model()
    reported: list[Manifest] = []
    newest: dict[int, Manifest] = {}
    erased: dict[int, int] = {}

    def committed(upload: int, purpose: str, hours: int) -> None:
        arrived = ARRIVED + timedelta(days=upload % 2)
        again = newest.get(upload)
        table = rows(10 * upload + erased.get(upload, 0), 3 - erased.get(upload, 0))
        batch = world.scored(f"{upload}.csv", table, model=model, purpose=purpose, arrived=arrived, created=timedelta(hours=hours))
        if again is None or again.batch_id != batch.batch_id:
            newest[upload] = batch
        reported.append(batch)

    for hour, (what, number) in enumerate(steps):
        match what:
            case "score" if number not in newest:
                committed(number, "score", hour)
            case "rescore" if number in newest:
                committed(number, f"rescore:{hour}", hour)
            case "erase" if number in newest and erased.get(number, 0) < 2:
                erased[number] = erased.get(number, 0) + 1
                left = rows(10 * number + erased[number], 3 - erased[number])
                world.erased(newest[number], left, f"e{hour}")
                reported.append(newest[number])
            case "deliver" | "upkeep":
                bring(world, model, what, number, reported)
    for batch in reversed(reported):
        catalogue(model, days_of(batch), world.ports)

    if reported:
        check(world, model, newest, erased)


def bring(world: World, model: str, what: str, number: int, reported: list["Manifest"]) -> None:
    """Deliver a manifest, or do what the clock or a person asks for."""
    if what == "upkeep":
        UPKEEP[number](model, world)
    elif reported:
        catalogue(model, days_of(reported[number % len(reported)]), world.ports)


def check(world: World, model: str, newest: dict[int, "Manifest"], erased: dict[int, int]) -> None:
    """What DuckDB reads is what the newest manifests say."""
    expected = sorted(
        (batch.batch_id, str(10 * upload + place)) for upload, batch in newest.items() for place in range(erased.get(upload, 0), 3)
    )
    shown: list[tuple[Any, ...]] = world.query(f"SELECT batch_id, id FROM {model}_scored", f"{model}_scored")
    assert sorted(shown) == expected
    stand = world.query(f"SELECT batch_id FROM {model}_batches WHERE standing", f"{model}_batches")
    assert {batch for (batch,) in stand} == {batch.batch_id for batch in newest.values()}
    counts = world.query(f"SELECT sum(rows_scored) FROM {model}_batches WHERE standing", f"{model}_batches")
    assert counts == [(len(expected),)]
