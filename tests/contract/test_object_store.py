"""What every object store keeps to: the fake that unit tests trust, and S3."""

import hashlib
from base64 import b64decode
from binascii import crc32
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from functions.shared.adapters.s3 import PART_BYTES, S3ObjectStore, s3_client
from functions.shared.domain.errors import ConflictError, NotDeletedError, NotForgottenError, NotFoundError
from functions.shared.ports import ObjectStore, VersionedStore
from infra.cli.local_folder import LocalFolder
from tests.fakes.memory_store import MemoryStore

BUCKET = "everscore-store"
AWKWARD_KEYS = (
    "batches/m/a b+c%2F.csv",
    "batches/m/ünïcode 東.csv",
    "batches/m/../x",
    "batches/m/a&b=c?d#e",
    "batches/m/.csv",
    "batches/m//x",
)


@pytest.fixture
def _aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


def s3_store(name: str = BUCKET) -> S3ObjectStore:
    client = s3_client()
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return S3ObjectStore(client, name)


def make_store(kind: str, request: pytest.FixtureRequest) -> ObjectStore:
    match kind:
        case "memory":
            return MemoryStore(BUCKET)
        case "folder":
            return LocalFolder(request.getfixturevalue("tmp_path"))
        case _:
            request.getfixturevalue("_aws")
            return s3_store()


@pytest.fixture(params=["memory", "s3", "folder"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    return make_store(request.param, request)


@pytest.fixture(params=["memory", "s3"])
def bucket(request: pytest.FixtureRequest) -> ObjectStore:
    """A store that keeps what was overwritten and takes any text as a key, which a folder on a disk does not."""
    return make_store(request.param, request)


@pytest.fixture(params=["memory", "s3"])
def versioned(request: pytest.FixtureRequest) -> VersionedStore:
    """A bucket whose past can be taken away."""
    return cast("VersionedStore", make_store(request.param, request))


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [info.key for info in store.list(prefix)]


def break_off_an_upload(store: ObjectStore, size: int) -> None:
    """Write `size` bytes of an upload, then meet an error."""
    with pytest.raises(ZeroDivisionError), store.upload("big") as upload:
        assert upload.write(bytes(size)) // 0


def test_what_was_written_is_read_and_described(store: ObjectStore) -> None:
    written = store.write("a/b", b"hello")
    assert store.read("a/b") == b"hello"
    assert store.info("a/b") == written
    assert (written.key, written.bytes) == ("a/b", 5)
    assert written.etag
    assert written.last_modified.utcoffset() is not None
    assert store.bucket


@pytest.mark.parametrize("key", AWKWARD_KEYS)
def test_any_key_is_taken_literally(bucket: ObjectStore, key: str) -> None:
    written = bucket.write(key, b"here")
    assert (written.key, bucket.read(key, written.version_id), keys(bucket)) == (key, b"here", [key])
    bucket.delete([key])
    assert keys(bucket) == []


def test_each_version_stays_readable_when_the_object_is_overwritten_or_deleted(bucket: ObjectStore) -> None:
    first, second = bucket.write("k", b"one"), bucket.write("k", b"second")
    bucket.delete(["k"])
    assert first.version_id != second.version_id
    assert bucket.read("k", first.version_id) == b"one"
    assert bucket.read("k", second.version_id) == b"second"
    assert (bucket.info("k", first.version_id), bucket.info("k", second.version_id)) == (first, second)
    assert bucket.open("k", first.version_id).read_at(0, 10) == b"one"


def test_all_versions_are_listed_with_the_newest_marked_and_deletions_left_out(versioned: VersionedStore) -> None:
    first, second = versioned.write("a/k", b"one"), versioned.write("a/k", b"second")
    other = versioned.write("a/l", b"other")
    versioned.delete(["a/l"])
    versioned.write("b/k", b"elsewhere")
    found = sorted(versioned.versions("a/"), key=lambda version: (version.info.key, version.info.last_modified, version.newest))
    assert [(version.info.key, version.info.version_id, version.newest) for version in found] == [
        ("a/k", first.version_id, False),
        ("a/k", second.version_id, True),
        ("a/l", other.version_id, False),
    ]
    assert [version.info.bytes for version in found] == [3, 6, 5]


def test_what_is_forgotten_is_gone_for_good_and_brings_back_what_stood_before(versioned: VersionedStore) -> None:
    first, second = versioned.write("k", b"one"), versioned.write("k", b"second")
    versioned.forget([second, second])
    assert versioned.read("k") == b"one"
    with pytest.raises(NotFoundError):
        versioned.read("k", second.version_id)
    versioned.forget([first])
    assert (keys(versioned), [*versioned.versions("")]) == ([], [])


def test_what_was_deleted_before_does_not_come_back(versioned: VersionedStore) -> None:
    versioned.write("k", b"one")
    versioned.delete(["k"])
    versioned.forget([versioned.write("k", b"second")])
    assert keys(versioned) == []


def test_more_versions_are_forgotten_than_one_request_takes(versioned: VersionedStore) -> None:
    versioned.forget([versioned.write(f"k{number}", b"x") for number in range(1001)])
    assert [*versioned.versions("")] == []


@pytest.mark.usefixtures("_aws")
def test_a_refusal_to_forget_is_reported() -> None:
    client = s3_client()
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    store = S3ObjectStore(client, "locked")
    kept = store.write("k", b"one")
    client.put_object_legal_hold(Bucket="locked", Key="k", LegalHold={"Status": "ON"})
    with pytest.raises(NotForgottenError, match="locked/k"):
        store.forget([kept])


@pytest.mark.usefixtures("_aws")
def test_an_object_that_s3_keeps_in_an_answer_of_200_is_reported() -> None:
    client = s3_client()
    kept = {"Key": "k", "Code": "AccessDenied", "Message": "Access Denied"}
    with Stubber(client) as answers:
        answers.add_response("delete_objects", {"Errors": [kept]})
        with pytest.raises(NotDeletedError, match=r"denied/k cannot be deleted: Access Denied"):
            S3ObjectStore(client, "denied").delete(["k", "l"])


def test_without_a_version_the_newest_is_meant(store: ObjectStore) -> None:
    store.write("k", b"one")
    newest = store.write("k", b"second")
    assert (store.read("k"), store.info("k"), store.read_tagged("k")) == (b"second", newest, (b"second", newest.etag))


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.info("k"),
        lambda store: store.read("k"),
        lambda store: store.read_tagged("k"),
        lambda store: store.open("k"),
    ],
    ids=["info", "read", "read_tagged", "open"],
)
@pytest.mark.parametrize("deleted", [False, True])
def test_what_is_not_there_is_not_found(store: ObjectStore, ask: Callable[[ObjectStore], object], *, deleted: bool) -> None:
    if deleted:
        store.write("k", b"one")
        store.delete(["k"])
    with pytest.raises(NotFoundError, match="k does not exist"):
        ask(store)


@pytest.mark.parametrize("ask", ["info", "read", "open"])
def test_a_version_of_another_object_is_not_found(bucket: ObjectStore, ask: str) -> None:
    other = bucket.write("other", b"one")
    bucket.write("k", b"two")
    with pytest.raises(NotFoundError):
        getattr(bucket, ask)("k", other.version_id)


def test_a_file_is_read_by_ranges_that_may_reach_beyond_its_end(store: ObjectStore) -> None:
    written = store.write("k", b"0123456789")
    source = store.open("k", written.version_id)
    assert source.size == 10
    assert [source.read_at(0, 4), source.read_at(4, 3), source.read_at(8, 99)] == [b"0123", b"456", b"89"]
    assert [source.read_at(10, 1), source.read_at(99, 5), source.read_at(3, 0)] == [b"", b"", b""]


def test_an_empty_file_has_no_bytes(store: ObjectStore) -> None:
    written = store.write("k", b"")
    assert (written.bytes, store.read("k"), store.open("k").read_at(0, 5)) == (0, b"", b"")


def test_an_open_file_stays_the_version_it_was_when_it_was_opened(bucket: ObjectStore) -> None:
    bucket.write("k", b"first version")
    source = bucket.open("k")
    bucket.write("k", b"another")
    assert (source.size, source.read_at(0, 99)) == (13, b"first version")


def test_create_writes_only_where_nothing_stands(store: ObjectStore) -> None:
    assert store.create("k", b"mine") is True
    assert store.create("k", b"theirs") is False
    assert store.read("k") == b"mine"
    store.delete(["k"])
    assert store.create("k", b"later") is True
    assert store.read("k") == b"later"


def test_replace_writes_only_over_the_version_that_was_read(store: ObjectStore) -> None:
    etag = store.write("k", b"one").etag
    store.replace("k", b"two", etag=etag)
    with pytest.raises(ConflictError, match="another writer"):
        store.replace("k", b"three", etag=etag)
    assert store.read("k") == b"two"


def test_replacing_what_is_gone_is_a_conflict(store: ObjectStore) -> None:
    etag = store.write("k", b"one").etag
    store.delete(["k"])
    with pytest.raises(ConflictError):
        store.replace("k", b"two", etag=etag)
    assert keys(store) == []


@pytest.mark.parametrize("size", [0, 100, PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES + 5])
def test_an_upload_is_invisible_until_it_is_finished_and_then_described(store: ObjectStore, size: int) -> None:
    piece = 3 * 2**20 + 1
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    with store.upload("big") as upload:
        for start in range(0, size, piece):
            part = body[start : start + piece]
            assert upload.write(part) == len(part)
        assert keys(store) == []
        stored = upload.finish(rows=7)
    assert (stored.key, stored.rows, stored.bytes, stored.sha256) == ("big", 7, size, hashlib.sha256(body).hexdigest())
    assert store.read("big") == body


@pytest.mark.parametrize("size", [100, 2 * PART_BYTES + 5])
def test_an_upload_that_an_error_ends_leaves_nothing(store: ObjectStore, size: int) -> None:
    break_off_an_upload(store, size)
    assert keys(store) == []


def test_an_upload_replaces_what_stood_there(store: ObjectStore) -> None:
    store.write("k", b"old")
    with store.upload("k") as upload:
        upload.write(b"new")
        assert store.read("k") == b"old"
        upload.finish(rows=1)
    assert store.read("k") == b"new"


def test_a_listing_is_in_order_of_the_keys_bytes_and_knows_newest_versions_only(bucket: ObjectStore) -> None:
    for key in ("p/b", "p/a/z", "p/a", "p/ü", "p/東", "p/Z", "q/c", "p/~", "p/\U0001f600"):
        bucket.write(key, b"old")
    newest = bucket.write("p/b", b"newest")
    bucket.delete(["p/a/z"])
    assert keys(bucket, "p/") == ["p/Z", "p/a", "p/b", "p/~", "p/ü", "p/東", "p/\U0001f600"]
    [listed] = bucket.list("p/b")
    assert (listed.key, listed.bytes, listed.etag, listed.version_id) == ("p/b", 6, newest.etag, "")
    assert keys(bucket, "nothing/") == []


def test_a_listing_may_begin_behind_a_key_and_end_after_a_number_of_keys(bucket: ObjectStore) -> None:
    everything = ["o/z", "p/Z", "p/a", "p/a-", "p/b", "p/ü", "p/東", "q/c"]
    for key in everything:
        bucket.write(key, b"")
    for prefix in ("", "p/", "p/a", "none/"):
        for after in ("", "o", "p/", "p/Z", "p/a", "p/a,", "p/ü", "q"):
            below = [key for key in everything if key.startswith(prefix) and key.encode() > after.encode()]
            for most in (1, 2, 7, 8, None):
                assert [info.key for info in bucket.list(prefix, after=after, most=most)] == below[:most]


def test_folders_are_the_names_one_level_below_a_prefix(store: ObjectStore) -> None:
    for key in ("p/b/1", "p/b/2", "p/a/deep/er", "p/file", "pq/c/1"):
        store.write(key, b"")
    assert list(store.folders("p/")) == ["a", "b"]
    assert list(store.folders("p/a/")) == ["deep"]
    assert list(store.folders("none/")) == []


def test_deleting_what_is_absent_or_nothing_at_all_is_no_error(store: ObjectStore) -> None:
    store.write("k", b"one")
    store.delete(["absent", "k"])
    store.delete([])
    assert keys(store) == []


def test_of_many_creators_in_memory_at_once_one_wins() -> None:
    store = MemoryStore()
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda number: store.create("k", b"%d" % number), range(8))) == 1


NUMBERS = count()
OPERATIONS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from("abc"), st.binary(max_size=3)),
    st.tuples(st.just("create"), st.sampled_from("abc"), st.binary(max_size=3)),
    st.tuples(st.just("delete"), st.sampled_from("abc"), st.just(b"")),
    st.tuples(st.just("upload"), st.sampled_from("abc"), st.binary(max_size=3)),
    st.tuples(st.just("replace"), st.sampled_from("abc"), st.binary(max_size=3)),
    st.tuples(st.just("delete unchanged"), st.sampled_from("abc"), st.just(b"")),
)


def outcome(store: ObjectStore, seen: dict[str, str], operation: tuple[str, str, bytes]) -> Any:
    """What one operation answers; `seen` holds the ETag each key had when it was last looked at."""
    action, key, body = operation
    match action:
        case "write":
            return store.write(key, body).etag
        case "create":
            return store.create(key, body)
        case "delete":
            return store.delete([key])
        case "upload":
            with store.upload(key) as upload:
                upload.write(body)
                return upload.finish(rows=0)
        case _:
            return conditional_outcome(store, seen, operation)


def conditional_outcome(store: ObjectStore, seen: dict[str, str], operation: tuple[str, str, bytes]) -> Any:
    """What a replacement or a deletion answers that minds the ETag which its key had when it was last looked at."""
    action, key, body = operation
    try:
        if action == "delete unchanged":
            return store.delete_unchanged(key, etag=seen.get(key, "none"))
        return store.replace(key, body, etag=seen.get(key, "none"))
    except ConflictError:
        return "conflict"
    finally:
        seen.update({info.key: info.etag for info in store.list("")})


@pytest.mark.usefixtures("_aws")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(OPERATIONS, max_size=12))
def test_the_fake_answers_as_s3_does(operations: list[tuple[str, str, bytes]]) -> None:
    answers = []
    for store in (MemoryStore(), s3_store(f"twin-{next(NUMBERS)}")):
        seen: dict[str, str] = {}
        said = [outcome(store, seen, operation) for operation in operations]
        answers.append((said, [(info.key, info.etag, store.read(info.key)) for info in store.list("")]))
    assert answers[0] == answers[1]


def test_only_what_was_not_changed_is_deleted(store: ObjectStore) -> None:
    before = store.write("a", b"first").etag
    after = store.write("a", b"second").etag
    assert not store.delete_unchanged("a", etag=before)
    assert store.read("a") == b"second"
    assert store.delete_unchanged("a", etag=after)
    assert keys(store) == []
    assert not store.delete_unchanged("a", etag=after), "it is gone already"


# What only a network does


class AnsweringClient:
    """The S3 client's `put_object`, answering with S3's error codes in turn; None lets the write happen."""

    def __init__(self, *codes: str | None) -> None:
        self._codes = list(codes)
        self.puts = 0

    def put_object(self, **_: Any) -> dict[str, Any]:
        self.puts += 1
        code = self._codes.pop(0)
        if code is not None:
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "PutObject")
        return {}


def answering(*codes: str | None) -> tuple[S3ObjectStore, AnsweringClient]:
    client = AnsweringClient(*codes)
    return S3ObjectStore(cast("Any", client), BUCKET), client


def test_a_write_that_meets_another_conditional_write_is_tried_again() -> None:
    store, client = answering("ConditionalRequestConflict", "ConditionalRequestConflict", None)
    assert store.create("k", b"") is True
    assert client.puts == 3


def test_a_write_that_loses_after_a_conflict_says_so() -> None:
    store, _ = answering("ConditionalRequestConflict", "PreconditionFailed")
    assert store.create("k", b"") is False


def test_a_key_that_is_always_being_written_is_a_conflict_in_the_end() -> None:
    store, _ = answering(*["ConditionalRequestConflict"] * 99)
    with pytest.raises(ConflictError, match="conditional requests"):
        store.create("k", b"")


@pytest.mark.parametrize("code", ["AccessDenied", "SlowDown", "NoSuchBucket"])
def test_any_other_refusal_passes_untouched(code: str) -> None:
    store, _ = answering(code)
    with pytest.raises(ClientError, match=code):
        store.create("k", b"")


@pytest.mark.usefixtures("_aws")
def test_an_upload_in_parts_declares_the_checksum_of_each_part_and_the_size_of_all() -> None:
    store, asked = s3_store("declared"), dict[str, dict[str, Any]]()
    store._client.meta.events.register("provide-client-params.s3", lambda params, model, **_: asked.update({model.name: dict(params)}))
    body = b"0123456789" * (2 * PART_BYTES // 10 + 99)
    with store.upload("k") as upload:
        for start in range(0, len(body), 1_000_003):
            upload.write(body[start : start + 1_000_003])
        upload.finish(rows=1)
    begun, ended = asked["CreateMultipartUpload"], asked["CompleteMultipartUpload"]
    assert begun["ChecksumAlgorithm"] == "CRC32"
    assert ended["MpuObjectSize"] == len(body)
    parts = ended["MultipartUpload"]["Parts"]
    assert len(parts) > 1
    ends = [*range(9_000_027, len(body), 9_000_027), len(body)]  # nine pieces are the first to exceed a part's size
    sent = [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    # S3 refuses to end an upload that was begun with a checksum and lacks that of a part.
    assert [b64decode(part["ChecksumCRC32"]) for part in parts] == [crc32(part).to_bytes(4, "big") for part in sent]


@pytest.mark.usefixtures("_aws")
def test_an_abandoned_multipart_upload_leaves_no_parts_to_pay_for() -> None:
    store = s3_store("parts")
    break_off_an_upload(store, 2 * PART_BYTES)
    assert "Uploads" not in boto3.client("s3").list_multipart_uploads(Bucket="parts")


@pytest.mark.usefixtures("_aws")
def test_a_listing_and_a_deletion_go_beyond_what_one_request_holds() -> None:
    store = s3_store()
    names = [f"p/{number}/x" for number in range(5)]
    for name in names:
        store.write(name, b"")
    deletions: list[int] = []
    events = store._client.meta.events
    events.register("provide-client-params.s3.ListObjectsV2", lambda params, **_: {**params, "MaxKeys": 2})
    events.register("provide-client-params.s3.DeleteObjects", lambda params, **_: deletions.append(len(params["Delete"]["Objects"])))
    assert keys(store, "p/") == names
    assert list(store.folders("p/")) == ["0", "1", "2", "3", "4"]
    store.delete([*(f"absent/{number}" for number in range(1500)), *names])
    assert deletions == [1000, 505]
    assert keys(store) == []


@pytest.mark.usefixtures("_aws")
def test_a_file_below_one_part_is_one_request() -> None:
    store, calls = s3_store("small"), []
    store._client.meta.events.register("before-call.s3", lambda model, **_: calls.append(model.name))
    with store.upload("k") as upload:
        upload.write(b"small")
        upload.finish(rows=1)
    assert calls == ["PutObject"]


@pytest.mark.usefixtures("_aws")
def test_a_bucket_that_does_not_exist_is_not_mistaken_for_an_absent_object() -> None:
    store = S3ObjectStore(s3_client(), "no-such-bucket")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        store.read("k")
