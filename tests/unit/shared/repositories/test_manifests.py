from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError, NotFoundError
from functions.shared.domain.manifest import Manifest, StoredFile
from functions.shared.repositories.manifests import Manifests, file_of, source_of
from tests.fakes.documents import make_manifest, make_source
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import WatchedStore


def test_the_first_commit_of_a_batch_stands_and_later_ones_learn_of_it() -> None:
    manifests = Manifests(MemoryStore())
    first, second = make_manifest(attempt="a1"), make_manifest(attempt="a2")
    assert manifests.commit(first) == first
    assert manifests.commit(second) == first
    assert manifests.find(MODEL, first.batch_id, first.source) == first


def test_a_retry_after_midnight_meets_the_commit_of_the_day_before() -> None:
    store = MemoryStore()
    source = make_source(day=date(2013, 4, 1))
    Manifests(store).commit(make_manifest(source=source, created_at=datetime(2013, 4, 1, 23, 59, tzinfo=UTC)))
    late = make_manifest(source=source, attempt="a2", created_at=datetime(2013, 4, 2, 0, 1, tzinfo=UTC))
    assert Manifests(store).commit(late).attempt == "a1"


def test_the_day_of_a_manifest_is_the_utc_day_the_upload_arrived() -> None:
    store = MemoryStore()
    arrived = datetime.fromisoformat("2013-04-02T00:30:00+02:00")
    manifest = make_manifest(source=make_source().model_copy(update={"last_modified": arrived}))
    Manifests(store).commit(manifest)
    assert list(store.folders(layout.manifest_prefix(MODEL))) == ["dt=2013-04-01"]
    assert [arrival.day for arrival in Manifests(store).arrivals(MODEL)] == [date(2013, 4, 1)]


def test_a_batch_without_manifest_is_not_found() -> None:
    manifests = Manifests(MemoryStore())
    assert manifests.find(MODEL, "nothing", make_source()) is None
    with pytest.raises(NotFoundError):
        manifests.read(layout.manifest_key(MODEL, date(2013, 4, 1), "nothing"))


def test_a_manifest_that_vanishes_between_refusal_and_reading_is_a_conflict() -> None:
    class Forgetful(MemoryStore):
        def create(self, key: str, body: bytes) -> bool:
            return False

    with pytest.raises(ConflictError, match="then not found"):
        Manifests(Forgetful()).commit(make_manifest())


def test_a_source_says_which_version_of_which_object_was_uploaded() -> None:
    info = MemoryStore("inbox").write("batches/sales/a.csv", b"12345")
    source = source_of("inbox", info)
    assert (source.bucket, source.key, source.version_id, source.etag) == ("inbox", info.key, info.version_id, info.etag)
    assert (source.bytes, source.last_modified) == (5, info.last_modified)


def test_keys_of_manifests_are_found_by_batch() -> None:
    store = MemoryStore()
    made = [make_manifest("a.csv"), make_manifest("b.csv", day=date(2013, 5, 1))]
    for manifest in made:
        Manifests(store).commit(manifest)
    keys = Manifests(store).keys(MODEL)
    assert {batch: Manifests(store).read(key) for batch, key in keys.items()} == {manifest.batch_id: manifest for manifest in made}


def again(batch: Manifest, letter: str, seq: int) -> Manifest:
    """A batch scored again by a later release."""
    created_at = batch.created_at + timedelta(hours=seq)
    changed = {"batch_id": letter * 32, "purpose": f"rescore:{seq}", "supersedes": batch.batch_id, "created_at": created_at}
    return batch.model_copy(update=changed)


def test_newest_leaves_out_what_was_superseded_however_often() -> None:
    store = MemoryStore()
    first = make_manifest("a.csv")
    second = again(first, "b", 2)
    third = again(first, "c", 3).model_copy(update={"supersedes": second.batch_id})
    other = make_manifest("b.csv")
    for manifest in (third, first, other, second):
        Manifests(store).commit(manifest)
    assert {manifest.batch_id for manifest in Manifests(store).newest(MODEL)} == {third.batch_id, other.batch_id}


BATCHES = st.lists(
    st.tuples(st.dates(date(2013, 3, 29), date(2013, 4, 3)), st.integers(0, 86_399)), max_size=12, unique_by=lambda batch: batch[1]
)


@given(batches=BATCHES, since=st.none() | st.dates(date(2013, 3, 29), date(2013, 4, 3)))
def test_newest_comes_day_by_day_from_the_last_on_and_stops_where_it_is_asked_to(
    batches: list[tuple[date, int]], since: date | None
) -> None:
    store, made = MemoryStore(), list[tuple[date, datetime, Manifest]]()
    for day, second in batches:
        created = datetime.fromtimestamp(1_364_774_400 + second, UTC)
        manifest = make_manifest(f"{second}.csv", day=day, created_at=created)
        Manifests(store).commit(manifest)
        made.append((day, created, manifest))
    expected = [manifest for day, _, manifest in sorted(made, key=lambda one: one[:2], reverse=True) if since is None or day >= since]
    assert list(Manifests(store).newest(MODEL, since=since)) == expected


def test_what_was_written_since_is_found_by_the_stores_clock_whenever_its_file_came() -> None:
    store = MemoryStore()
    before, old = make_manifest("before.csv"), make_manifest("old.csv")
    again = old.model_copy(update={"batch_id": "b" * 32, "supersedes": old.batch_id, "created_at": old.created_at + timedelta(days=1)})
    later = make_manifest("later.csv", day=date(2013, 5, 1))
    for manifest in (before, old, again, later):
        Manifests(store).commit(manifest)
    written = store.info(Manifests(store).keys(MODEL)[old.batch_id]).last_modified
    assert Manifests(store).written_since(MODEL, written) == [again, later]


def test_a_file_that_its_manifest_still_names_has_expired_and_one_that_was_replaced_is_not_found() -> None:
    store, output = MemoryStore(), StoredFile(key="scored/m/b/a1/part-00000.parquet", rows=1, bytes=4, sha256="0" * 64)
    manifest = make_manifest(outputs=(output,))
    store.write(output.key, b"rows")
    Manifests(store).commit(manifest)
    assert file_of(manifest, output.key, store) == b"rows"
    store.delete([output.key])
    calls: list[str] = []
    assert file_of(manifest, output.key, WatchedStore(store, lambda moment: calls.append(moment.call))) is None
    kept_at = layout.manifest_key(MODEL, manifest.source.last_modified.date(), manifest.batch_id)
    assert {call for call in calls if "manifests/" in call} == {f"read {kept_at}"}, "and no list"
    replaced = manifest.model_copy(update={"outputs": (output.model_copy(update={"key": "scored/m/b/a2/part-00000.parquet"}),)})
    store.write(kept_at, replaced.to_json())
    with pytest.raises(NotFoundError):
        file_of(manifest, output.key, store)
    store.delete([kept_at])
    with pytest.raises(NotFoundError):
        file_of(manifest, output.key, store)
