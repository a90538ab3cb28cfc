"""A label without a time meets the latest batch with its id that came before it, found without reading all batches."""

import io
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.metric_emission.day_rows import gather_arrived
from functions.metric_emission.ports import Delivery
from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError
from functions.shared.domain.labelled_columns import BATCH
from functions.shared.domain.manifest import PinnedRelease
from tests.component.metric_emission.world import DAY, World, rows
from tests.fakes.counting_store import CountingStore
from tests.fakes.documents import NOW, make_manifest, make_source
from tests.fakes.memory_store import EPOCH
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Crash, CrashAt, Moment, WatchedStore

PEOPLE = "abcd"
UPLOADS = st.lists(
    st.tuples(st.integers(-12, 1), st.sets(st.sampled_from(PEOPLE), min_size=1), st.booleans()),
    max_size=8,
    unique_by=lambda upload: upload[0],
)
"""The day of each upload's arrival, from when labels came; which ids have a row in it; and whether it is scored again."""
type Upload = tuple[int, set[str], bool]


def put(world: World, upload: Upload) -> None:
    arrived, people, again = upload
    day, name = DAY + timedelta(days=arrived), f"{arrived}.csv"
    scored = [row for person in sorted(people) for row in rows(0.9, day=DAY - timedelta(days=40), prefix=person)]
    first = world.scored(name, scored, day=day)
    if again:
        release = PinnedRelease(seq=2, champion="1")
        world.scored(name, scored, day=day, batch_id=f"{arrived % 100:032x}", supersedes=first.batch_id, release=release)


def expected(uploads: Sequence[Upload]) -> dict[str, str]:
    """The batch of each person, where an upload came before the labels: the last scoring of the last such upload."""
    found = {}
    for arrived, people, again in sorted(uploads, key=lambda upload: upload[0]):
        if arrived <= 0:
            batch = f"{arrived % 100:032x}" if again else make_manifest(f"{arrived}.csv", day=DAY + timedelta(days=arrived)).batch_id
            found |= {f"{person}0": batch for person in people}
    return found


def labelled(world: World, file: str) -> dict[str, str]:
    """The batch of each person by what one file of labels left."""
    found = {}
    for info in world.store.list(layout.labelled_prefix(MODEL)):
        if info.key.endswith(f"/{file}.parquet"):
            table = pq.read_table(io.BytesIO(world.store.read(info.key)))
            found |= dict(zip(table["id"].to_pylist(), table[BATCH].to_pylist(), strict=True))
    return found


@given(before=UPLOADS, after=UPLOADS)
def test_each_label_meets_the_last_scoring_of_the_last_upload_before_it(before: list[Upload], after: list[Upload]) -> None:
    world = World()
    uploads = list({upload[0]: upload for upload in before}.values())
    for number, came in enumerate((before, [upload for upload in after if upload[0] not in {known[0] for known in before}])):
        for upload in came:
            put(world, upload)
        uploads = [*before, *came] if number else [*before]
        created = world.label("id,bought\n" + "".join(f"{person}0,yes\n" for person in PEOPLE), f"{number}.csv")
        file = layout.batch_id(created.bucket, created.key, created.version_id, "labels")
        assert labelled(world, file) == expected(uploads)


def test_a_crash_at_any_write_or_a_delivery_within_another_leaves_each_label_with_its_batch() -> None:
    world = World()
    known: list[Upload] = [(-9, set("abcd"), False), (-5, {"a"}, True), (-2, {"b", "c"}, False), (0, {"c"}, False)]
    for upload in known:
        put(world, upload)
    world.label("id,bought\na0,no\nnobody,no\n", "first.csv")
    since: list[Upload] = [(-1, {"d"}, True), (-3, set("ab"), False), (-2, {"b", "c"}, True)]
    for upload in since:
        put(world, upload)
    created = world.upload_labels("id,bought\n" + "".join(f"{person}0,yes\n" for person in PEOPLE), "second.csv")
    file = layout.batch_id(created.bucket, created.key, created.version_id, "labels")
    before, seen = world.store.copy(), list[Moment]()
    world.deliver(created, store=WatchedStore(world.store, seen.append))
    right = expected([*known, *since])
    day = DAY - timedelta(days=40)
    performance = world.performance(day)
    assert labelled(world, file) == right
    writes = [moment for moment in seen if moment.call.startswith(("write", "create", "replace"))]
    assert {moment.call.split("/")[0] for moment in writes} >= {f"{act} identities" for act in ("create", "replace")}
    for moment in writes:
        world.store = before.copy()

        def deliver(now: Moment, at: Moment = moment) -> None:
            if now == at:
                world.deliver(created)

        if moment.side == "after":
            with pytest.raises(Crash):
                world.deliver(created, store=WatchedStore(world.store, CrashAt(moment)))
            world.deliver(created)
        else:
            with suppress(ConflictError):
                world.deliver(created, store=WatchedStore(world.store, deliver))
        assert (labelled(world, file), world.performance(day)) == (right, performance), moment


@pytest.mark.parametrize("time", ["", "2013-02-20T10:00:00Z"], ids=["without times", "with times"])
@pytest.mark.parametrize("last_committed", ["first", "second"])
def test_of_two_uploads_of_one_day_the_later_gets_the_label_whichever_was_committed_last(time: str, last_committed: str) -> None:
    """A large file takes longer than a mended one that comes after it; and a file may be scored again at any time."""
    world = World()
    committed = {name: NOW + timedelta(hours=name == last_committed) for name in ("first", "second")}
    scored = rows(0.9, day=date(2013, 2, 20), prefix="a")
    batches = {name: world.scored(f"{name}.csv", scored, created_at=moment).batch_id for name, moment in committed.items()}
    created = world.label(f"id,at,bought\na0,{time},yes\n" if time else "id,bought\na0,yes\n")
    file = layout.batch_id(created.bucket, created.key, created.version_id, "labels")
    assert labelled(world, file) == {"a0": batches["second"]}


def test_where_each_upload_was_committed_before_the_next_came_one_manifest_is_read_of_all_with_an_id() -> None:
    world, asked = World(), list[str]()
    for number in range(20):
        scored = [row for prefix in "ab" for row in rows(0.9, day=DAY - timedelta(days=40), prefix=prefix)]
        uploaded = EPOCH - timedelta(minutes=10 * (20 - number))
        source = make_source(f"{number}.csv").model_copy(update={"last_modified": uploaded})
        world.scored(f"{number}.csv", scored, source=source, created_at=uploaded + timedelta(minutes=1))
    world.label("id,bought\nb0,yes\n", "first.csv")

    def note(moment: Moment) -> None:
        if moment.side == "before" and moment.call.startswith("read manifests/"):
            asked.append(moment.call)

    world.label("id,bought\na0,yes\n", store=WatchedStore(world.store, note))
    assert len(asked) == 1


def crowded(batches: int, days: int) -> tuple[World, CountingStore]:
    """Batches of one row each, as many on each day of arrival."""
    store = CountingStore()
    world = World(store=store)
    for number in range(batches):
        world.scored(f"{number}.csv", rows(0.9, prefix=f"{number}-"), day=DAY - timedelta(days=number % days))
    return world, store


def requests_for(world: World, store: CountingStore, *names: str) -> int:
    created = world.upload_labels("id,bought\n" + "".join(f"{name},yes\n" for name in names), f"{names[0]}.csv")
    before = store.requests
    world.deliver(created)
    return store.requests - before


@pytest.mark.parametrize("name", ["0-0", "nobody"])
def test_what_labels_ask_for_grows_with_days_and_not_with_batches(name: str) -> None:
    asked = []
    for batches in (120, 240):
        world, store = crowded(batches, 20)
        requests_for(world, store, "nobody", "1-0")
        asked.append(requests_for(world, store, name, "2-0"))
    assert asked[0] == asked[1] < 60


@pytest.mark.parametrize(("ids", "days"), [(["0-0"], 1), (["1-0"], 3), (["0-0", "5-0"], 7), (["12-0"], 15), (["20-0"], 23)])
def test_days_before_those_that_have_all_ids_are_not_looked_through(ids: list[str], days: int) -> None:
    world, store = crowded(60, 60)
    world.label(f"id,at,bought\n0-0,{DAY}T10:00:00Z,yes\n", "with times.csv")
    asked = requests_for(world, store, *ids)
    assert len([*store.list(f"{layout.identities_prefix(MODEL)}arrived/")]) == days
    assert asked < 100 + 4 * days


def test_the_ids_of_each_batch_are_those_that_labels_ask_for() -> None:
    world, _ = crowded(6, 2)
    model = Delivery(world.ports()).model(MODEL)
    gathered = gather_arrived(model.manifests.entries(MODEL), model)
    met = gathered.ids_by_batch(pa.array(["0-0", "1-0", "4-0", "nobody"]))
    found = {batch: ids.to_pylist() for batch, ids in met.items()}
    batches = {number: make_manifest(f"{number}.csv", day=DAY - timedelta(days=number % 2)).batch_id for number in (0, 1, 4)}
    assert found == {batch: [f"{number}-0"] for number, batch in batches.items()}


def test_labels_go_on_from_days_whose_rows_are_known() -> None:
    world, store = crowded(60, 2)
    first = requests_for(world, store, "nobody", "0-0")
    again = requests_for(world, store, "nobody", "2-0")
    world.scored("since.csv", rows(0.9, prefix="since-"))
    since = requests_for(world, store, "nobody", "4-0")
    assert first > 2 * 60
    assert again < 40
    assert since - again <= 10, "its manifest and its rows, for the days of arrival and of its rows, which are brought up to date"
