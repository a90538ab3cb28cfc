"""The join of labels with scored rows, against one in plain Python."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import example, given
from hypothesis import strategies as st

from functions.metric_emission.day_performance import day_performance
from functions.metric_emission.join import Labels, join_labels, write_labelled
from functions.shared.domain import layout
from functions.shared.domain.labelled_columns import CHALLENGER, LABEL
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.spec import ModelSpec
from functions.shared.repositories.manifests import Manifests
from tests.component.metric_emission.world import DAY, Scored, World
from tests.fakes.versions import MODEL, make_version

START = datetime(2013, 4, 1, tzinfo=UTC)
LATER = "2013-05-01T00:00:00+00:00"
IDENTITIES = st.tuples(st.integers(0, 3), st.integers(0, 3))
"""An id, and how many half days after `START`."""

type Identity = tuple[int, int]


def at(half_days: int) -> datetime:
    return START + timedelta(hours=12 * half_days)


def labels_of(labels: list[tuple[Identity, str]], *, has_time: bool) -> Labels:
    columns: dict[str, Any] = {"id": [f"r{number}" for (number, _), _ in labels], "label": [label for _, label in labels]}
    if has_time:
        columns["time"] = pa.array([at(when) for (_, when), _ in labels], pa.timestamp("us", "UTC"))
    return Labels(pa.table(columns), has_time)


def batches(world: World, scored: list[list[Identity]]) -> list[Manifest]:
    """A batch a list, newest first; each row's score shows its batch and its place there."""
    for number, rows in enumerate(scored):
        world.scored(f"{number}.csv", [Scored(f"r{row}", number + place / 100, at(when)) for place, (row, when) in enumerate(rows)])
    return list(Manifests(world.store).newest(MODEL))


def joined(world: World, labels: Labels, manifests: list[Manifest], spec: ModelSpec) -> set[tuple[Any, ...]]:
    return {
        (day, row["id"], row["at"], row["score"], row[LABEL])
        for day, rows in join_labels(labels, manifests, spec, store=world.store, arrived=LATER).by_day.items()
        for row in rows.to_pylist()
    }


@given(
    scored=st.lists(st.lists(IDENTITIES, min_size=1, max_size=5), max_size=4),
    labels=st.lists(st.tuples(IDENTITIES, st.sampled_from(["yes", "no"])), min_size=1, max_size=8),
    has_time=st.booleans(),
)
def test_each_label_meets_the_latest_prediction_of_its_identity(
    scored: list[list[Identity]],
    labels: list[tuple[Identity, str]],
    has_time: bool,  # noqa: FBT001
) -> None:
    world = World()
    manifests = batches(world, scored)
    latest: dict[Any, tuple[Any, ...]] = {}
    for number, rows in enumerate(scored):
        for place, (row, when) in sorted(enumerate(rows), key=lambda numbered: (numbered[1][1], numbered[0])):
            latest[(row, when) if has_time else row] = (at(when).date(), f"r{row}", at(when), number + place / 100)
    said = {identity if has_time else identity[0]: label for identity, label in labels}
    expected = {(*latest[identity], label) for identity, label in said.items() if identity in latest}
    assert joined(world, labels_of(labels, has_time=has_time), manifests, make_version().spec) == expected


def in_files(world: World, manifest: Manifest, *starts: int) -> Manifest:
    """The same batch, as if it had been scored in partitions that begin with these rows."""
    [output] = manifest.outputs
    rows = pq.read_table(pa.BufferReader(world.store.read(output.key)))
    files = []
    for number, (start, stop) in enumerate(pairwise([*starts, rows.num_rows])):
        body, key = pa.BufferOutputStream(), f"{output.key}-{number}"
        pq.write_table(rows.slice(start, stop - start), body)
        world.store.write(key, bytes(body.getvalue()))
        files.append(output.model_copy(update={"key": key, "rows": stop - start}))
    return manifest.model_copy(update={"outputs": tuple(files)})


@given(
    scored=st.lists(IDENTITIES, min_size=2, max_size=6),
    labels=st.lists(st.tuples(IDENTITIES, st.sampled_from(["yes", "no"])), min_size=1, max_size=8),
    cut=st.integers(1, 5),
    has_time=st.booleans(),
)
@example(scored=[(0, 3), (0, 0)], labels=[((0, 0), "yes")], cut=1, has_time=False)
def test_labels_meet_the_same_rows_whether_a_batch_is_one_file_or_several(
    scored: list[Identity],
    labels: list[tuple[Identity, str]],
    cut: int,
    has_time: bool,  # noqa: FBT001
) -> None:
    world, spec = World(), make_version().spec
    [whole] = batches(world, [scored])
    parted = in_files(world, whole, 0, min(cut, len(scored)))
    given_labels = labels_of(labels, has_time=has_time)
    assert joined(world, given_labels, [parted], spec) == joined(world, given_labels, [whole], spec)


def test_of_a_batch_whose_challenger_was_suspended_for_a_part_the_others_rows_are_still_the_challengers() -> None:
    world, spec = World(), make_version().spec
    world.serve(make_version(), make_version("2", seed=2))
    both = world.scored("a.csv", [Scored("r0", 0.9, START, challenger=0.2), Scored("r1", 0.8, START, challenger=0.3)])
    release = both.release
    assert release is not None
    suspended = both.model_copy(update={"release": release.model_copy(update={"challenger_suspended": "damaged in one function"})})
    parted = in_files(world, suspended, 0, 1)
    rows = pq.read_table(pa.BufferReader(world.store.read(parted.outputs[0].key)))
    body = pa.BufferOutputStream()
    pq.write_table(rows.drop_columns(["champion_score", "challenger_score"]), body)
    world.store.write(parted.outputs[0].key, bytes(body.getvalue()))
    labels = labels_of([((0, 0), "yes"), ((1, 0), "yes")], has_time=False)
    found = join_labels(labels, [parted], spec, store=world.store, arrived=LATER).by_day[DAY]
    assert dict(zip(found["id"].to_pylist(), found[CHALLENGER].to_pylist(), strict=True)) == {"r0": None, "r1": "2"}


def test_a_batch_without_a_scored_row_is_passed_over() -> None:
    world = World()
    manifests = batches(world, [[(0, 0)]])
    failed = manifests[0].model_copy(update={"outputs": ()})
    assert len(joined(world, labels_of([((0, 0), "yes")], has_time=False), [failed, *manifests], make_version().spec)) == 1


def test_a_model_without_times_has_the_days_on_which_its_batches_arrived() -> None:
    world, spec = World(), make_version().spec.model_copy(update={"time_column": None})
    old, new = ([Scored("r0", score), Scored(f"{name}", score)] for name, score in (("a", 0.2), ("b", 0.9)))
    world.scored("old.csv", old, day=DAY)
    world.scored("new.csv", new, day=DAY + timedelta(days=1))
    labels = Labels(pa.table({"id": ["r0", "a", "b"], "label": ["yes", "no", "yes"]}), has_time=False)
    found = join_labels(labels, list(Manifests(world.store).newest(MODEL)), spec, store=world.store, arrived=LATER).by_day
    assert {day: rows["score"].to_pylist() for day, rows in found.items()} == {DAY: [0.2], DAY + timedelta(days=1): [0.9, 0.9]}
    for day, rows in found.items():
        write_labelled(world.store, layout.labelled_key(MODEL, day, "labels"), rows)
    performance = day_performance(DAY + timedelta(days=1), spec, store=world.store, predicted=2)
    assert (performance.rows_labelled, performance.groups[0].metrics["accuracy"]) == (2, 1.0)


def test_a_file_that_no_label_waits_for_any_more_is_not_read() -> None:
    world = World()
    manifests = batches(world, [[(0, 0)], [(0, 0)]])
    world.store.delete(file.key for file in manifests[-1].outputs)
    assert len(joined(world, labels_of([((0, 0), "yes")], has_time=True), manifests, make_version().spec)) == 1


def test_ids_meet_by_their_text_whatever_type_a_file_has() -> None:
    world, spec = World(), make_version().spec
    manifest = world.scored("a.csv", [Scored("7", 0.9, START), Scored("8", 0.2, START)])
    [output] = manifest.outputs
    rows = pq.read_table(pa.BufferReader(world.store.read(output.key)))
    body = pa.BufferOutputStream()
    pq.write_table(rows.set_column(0, "id", pa.array([7, 8])), body)
    world.store.write(output.key, bytes(body.getvalue()))
    world.scored("b.csv", [Scored("9", 0.4, START)])
    labels = Labels(pa.table({"id": ["7", "9", "007"], "label": ["yes", "no", "no"]}), has_time=False)
    found = join_labels(labels, list(Manifests(world.store).newest(MODEL)), spec, store=world.store, arrived=LATER)
    assert found.by_day[DAY].select(["id", LABEL]).to_pylist() == [{"id": "9", LABEL: "no"}, {"id": "7", LABEL: "yes"}]
    assert found.unmatched.table["id"].to_pylist() == ["007"]
    write_labelled(world.store, layout.labelled_key(MODEL, DAY, "labels"), found.by_day[DAY])
    assert day_performance(DAY, spec, store=world.store, predicted=3).rows_labelled == 2
