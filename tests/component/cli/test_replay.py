"""Quarantined rows as a file to mend, and its way back."""

import codecs
import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain import layout
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.errors import InputError
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.domain.policy import RowContract
from functions.shared.ports import ObjectInfo, ObjectStore
from functions.shared.repositories.manifests import Manifests
from infra.cli.replay import _in_one_order, quarantined_file, refuse_other_format, replayed
from tests.component.scoring.world import HEADER, Row, World, as_csv, as_jsonl, as_parquet, as_parquet_with_bytes, good_rows
from tests.fakes.documents import serve
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL, make_version
from tests.fakes.watched_store import Crash, CrashAt, Moment, WatchedStore

NAMES = ",".join(HEADER)
ROWS = as_csv(good_rows(4)).split(b"\n", 1)[1].decode()


@pytest.mark.parametrize("header", [f"{NAMES},1", f'{NAMES},"in ""€"", a;b|c;d|e;f|g;h|i;j|k"', f"{NAMES},"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_file_is_what_came_without_the_rows_that_were_good(header: str, encoding: str) -> None:
    bad = ['=1+1,2013-04-01,x,north,true,1,"a ""note""",+1', "r9,2013-04-01"]
    good = [f"{row}," for row in ROWS.splitlines()]
    world = World()
    serve(world.store, make_version())
    text = "\r\n".join([header, *good[:1], *bad, *good[1:]])
    manifest = world.score(world.upload(text.encode(encoding)))
    ending, body = quarantined_file(manifest, inbox=world.inbox, store=world.store)
    assert body.startswith(codecs.BOM_UTF8), "so that no model's own encoding is taken for it"
    lines = body.decode("utf-8-sig").split("\n")
    assert (ending, lines) == (".csv", [header, *bad, ""])


def test_a_row_of_parquet_that_is_not_utf8_keeps_its_other_texts() -> None:
    world = World()
    serve(world.store, make_version())
    row = dict(good_rows(1)[0]) | {"id": "上海-7"}
    manifest = world.score(world.upload(as_parquet_with_bytes(row, note=b"\xff")))
    ending, body = quarantined_file(manifest, inbox=world.inbox, store=world.store)
    mended = json.loads(body)
    assert (ending, mended["id"], mended["note"]) == (".jsonl", "上海-7", "ÿ")


@pytest.mark.parametrize(
    ("body", "name", "header"),
    [(as_csv(good_rows(3)), "a.csv", NAMES), (as_jsonl(good_rows(3)), "a.jsonl", ""), (as_parquet(good_rows(3)), "a.parquet", "")],
)
def test_rows_can_be_mended_when_their_upload_has_expired(body: bytes, name: str, header: str) -> None:
    world = World()
    serve(world.store, make_version(), contract=RowContract(ranges={"price": (0.0, 0.0)}))
    manifest = world.score(world.upload(body, f"batches/{MODEL}/{name}"))
    assert (manifest.rows_quarantined, manifest.header) == (3, header)
    kept = quarantined_file(manifest, inbox=world.inbox, store=world.store)
    assert quarantined_file(manifest, inbox=MemoryStore("inbox"), store=world.store) == kept


def test_a_batch_without_a_quarantined_row_keeps_no_header() -> None:
    world = World()
    serve(world.store, make_version())
    assert world.score(world.upload(as_csv(good_rows(3)))).header is None


def test_the_gone_upload_of_an_earlier_batch_is_said_with_where_its_rows_are() -> None:
    replays = Replays()
    earlier = replays.batch.model_copy(update={"header": None})
    assert b"distance" in quarantined_file(earlier, inbox=replays.world.inbox, store=replays.world.store)[1]
    with pytest.raises(InputError, match="is gone, and with it the names of its columns") as refused:
        quarantined_file(earlier, inbox=MemoryStore("inbox"), store=replays.world.store)
    assert earlier.quarantine[0].key in refused.value.remedy


def test_rows_that_have_expired_are_refused_with_how_to_have_them_set_aside_again() -> None:
    replays = Replays()
    replays.world.store.delete([file.key for file in replays.batch.quarantine])
    with pytest.raises(InputError, match="have expired") as refused:
        quarantined_file(replays.batch, inbox=replays.world.inbox, store=replays.world.store)
    assert (refused.value.code, f"`everscore rescore {MODEL} {replays.batch.batch_id[:8]}`" in refused.value.remedy) == (
        "rows_expired",
        True,
    )


@pytest.mark.parametrize(
    ("ending", "name"), [(".csv", "mended.xlsx"), (".csv", "mended.JSON"), (".jsonl", "mended.csv"), (".jsonl", "mended.parquet")]
)
def test_a_file_to_mend_that_is_named_as_another_format_is_refused(ending: str, name: str) -> None:
    with pytest.raises(InputError, match=rf"{name} cannot hold the rows to mend.*\nremedy: name it mended{ending}$"):
        refuse_other_format(Path(name), ending)


@pytest.mark.parametrize(
    ("ending", "name"), [(".csv", "mended.tsv"), (".csv", "mended.txt"), (".csv", "mended"), (".jsonl", "mended.ndjson")]
)
def test_a_file_to_mend_may_have_any_name_that_is_not_another_formats(ending: str, name: str) -> None:
    refuse_other_format(Path(name), ending)


def mended(folder: Path, name: str = "mended.csv", body: bytes = as_csv(good_rows(3))) -> Path:
    file = folder / name
    file.write_bytes(body)
    return file


@dataclass
class Replays:
    """A batch some of whose rows were set aside, and a person who sends them again."""

    world: World = field(default_factory=World)
    attempts: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        serve(self.world.store, make_version())
        self.batch = self.world.score(self.world.upload(as_csv(good_rows(3)).replace(b"r1", b"")))

    def score(self, upload: ObjectInfo) -> Manifest:
        """One delivery; there may be more."""
        created = StoredObject(bucket="inbox", key=upload.key, version_id=upload.version_id, etag=upload.etag, size_bytes=upload.bytes)
        return self.world.score(created, attempt=f"a{next(self.attempts)}")

    def send(self, file: Path, *, again: bool = False, inbox: ObjectStore | None = None) -> tuple[Manifest, bool]:
        return replayed(self.batch, file, inbox=inbox or self.world.inbox, manifest_of=self.score, again=again)

    def rows_scored(self) -> int:
        """Rows that all replays of the batch brought."""
        manifests = (Manifests(self.world.store).read(key) for key in Manifests(self.world.store).keys(MODEL).values())
        return sum(manifest.rows_scored for manifest in manifests if manifest.replays == self.batch.batch_id)


def test_the_same_mended_rows_are_scored_once_whatever_their_file_is_called(tmp_path: Path) -> None:
    replays = Replays()
    first, known = replays.send(mended(tmp_path))
    assert (first.replays, first.rows_scored, known) == (replays.batch.batch_id, 3, False)
    assert replays.send(mended(tmp_path)) == (first, True)
    assert replays.send(mended(tmp_path, "the same.txt")) == (first, True)
    assert replays.rows_scored() == 3


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_the_same_rows_in_another_order_or_with_other_line_ends_are_the_same_replay(ending: str, tmp_path: Path) -> None:
    replays, rows = Replays(), good_rows(3)
    for number, (order, line_end) in enumerate([((0, 1, 2), b"\n"), ((2, 0, 1), b"\n"), ((0, 1, 2), b"\r\n"), ((1, 2, 0), b"\r\n")]):
        written = as_csv if ending == "csv" else as_jsonl
        lines = written([{**rows[place], "note": "plain"} for place in order]).rstrip(b"\n").split(b"\n")
        file = mended(tmp_path, f"{number}.{ending}", body=line_end.join(lines))
        assert replays.send(file)[1] is (number > 0)
    assert replays.rows_scored() == 3


def test_the_same_rows_in_the_batchs_own_encoding_or_in_utf8_are_the_same_replay(tmp_path: Path) -> None:
    replays, rows = Replays(), [{**row, "note": "已修改"} for row in good_rows(3)]
    replays.batch = replays.batch.model_copy(update={"encoding": "gb18030"})
    for number, encoding in enumerate(("gb18030", "utf-8", "utf-8-sig")):
        file = mended(tmp_path, f"{encoding}.csv", body=as_csv(rows).decode().encode(encoding))
        assert replays.send(file)[1] is (number > 0)
    assert replays.rows_scored() == 3


@pytest.mark.parametrize(
    ("of_batch", "of_model", "saved_as"),
    [
        (None, None, "utf-8"),
        (None, "cp1252", "utf-8"),
        (None, "cp1252", "cp1252"),
        ("cp1252", "cp1252", "utf-8"),
        ("cp1252", None, "cp1252"),
        ("utf-16-le", "cp1252", "cp1252"),
        (None, None, "utf-16"),
    ],
)
@pytest.mark.parametrize("written", [as_csv, as_jsonl])
def test_mended_text_is_sent_in_utf8_with_its_mark_however_an_editor_saved_it(
    of_batch: str | None, of_model: str | None, saved_as: str, written: Callable[[list[Row]], bytes], tmp_path: Path
) -> None:
    replays, rows = Replays(), [{**row, "note": "Müller"} for row in good_rows(3)]
    replays.batch = replays.batch.model_copy(update={"encoding": of_batch})
    text = written(rows).decode().replace("\\u00fc", "ü")
    file = mended(tmp_path, "mended.csv" if written is as_csv else "mended.jsonl", text.encode(saved_as))
    manifest, _ = replayed(replays.batch, file, inbox=replays.world.inbox, manifest_of=replays.score, encoding=of_model)
    assert replays.world.inbox.read(manifest.source.key) == codecs.BOM_UTF8 + text.encode()
    assert set(replays.world.table(manifest)["note"].to_pylist()) == {"Müller"}


@pytest.mark.parametrize("fails_first", [False, True])
@pytest.mark.parametrize("encoding", ["gb18030", "utf-8-sig"])
def test_rows_that_an_earlier_everscore_sent_by_the_digest_of_their_bytes_are_not_scored_again(
    encoding: str,
    fails_first: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    replays = Replays()
    replays.batch = replays.batch.model_copy(update={"encoding": "gb18030"})
    body = as_csv([{**row, "note": "已修改"} for row in good_rows(3)]).decode().encode(encoding)
    digest = hashlib.sha256(body.rstrip(b"\n") if encoding == "utf-8-sig" else body).hexdigest()[:32]

    def sent_before(name: str) -> Manifest:
        return replays.score(replays.world.inbox.write(layout.replay_key(MODEL, replays.batch.batch_id, f"{name}.csv"), body))

    if fails_first:
        release = replays.world.store.read(layout.release_key(MODEL))
        replays.world.store.delete([layout.release_key(MODEL)])
        assert sent_before(digest).status is Status.FAILED
        replays.world.store.write(layout.release_key(MODEL), release)
    first = sent_before(f"{digest}-2" if fails_first else digest)
    assert replays.send(mended(tmp_path, body=body)) == (first, True)
    assert replays.rows_scored() == 3
    assert not replays.send(mended(tmp_path, body=body), again=True)[1]
    assert replays.rows_scored() == 6


@given(st.lists(st.lists(st.sampled_from('ab\n\r"'), min_size=2, max_size=2), min_size=2, max_size=3))
def test_files_that_pythons_reader_reads_otherwise_are_other_replays(rows: list[list[str]]) -> None:
    def body(table: list[list[str]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows([["id", "note"], *table])
        return text.getvalue().encode()

    one = _in_one_order(body(rows), has_header=True)
    for other in ([["a", "x"], *rows[1:]], [[first, rows[-1][1]] for first, _ in rows]):
        if sorted(other) != sorted(rows):
            assert _in_one_order(body(other), has_header=True) != one


def test_other_mended_rows_of_the_batch_and_the_same_ones_of_another_are_scored(tmp_path: Path) -> None:
    replays = Replays()
    replays.send(mended(tmp_path))
    assert not replays.send(mended(tmp_path, body=as_csv(good_rows(2))))[1]
    assert replays.rows_scored() == 5
    replays.batch = replays.world.score(replays.world.upload(as_csv(good_rows(3)).replace(b"r1", b"")))
    assert not replays.send(mended(tmp_path))[1]


def test_whoever_really_wants_it_has_the_same_rows_scored_again(tmp_path: Path) -> None:
    replays = Replays()
    replays.send(mended(tmp_path))
    for _ in range(2):
        assert replays.send(mended(tmp_path), again=True)[0].rows_scored == 3
    assert replays.rows_scored() == 9


def test_a_replay_that_failed_is_tried_again(tmp_path: Path) -> None:
    replays = Replays()
    release = replays.world.store.read(layout.release_key(MODEL))
    replays.world.store.delete([layout.release_key(MODEL)])
    for _ in range(2):
        failed, known = replays.send(mended(tmp_path))
        assert (failed.status, known) == (Status.FAILED, False)
    replays.world.store.write(layout.release_key(MODEL), release)
    first, known = replays.send(mended(tmp_path))
    assert (first.rows_scored, known) == (3, False)
    assert replays.send(mended(tmp_path)) == (first, True)


def test_a_replay_whose_sender_died_at_any_moment_is_taken_up(tmp_path: Path) -> None:
    moments: list[Moment] = []
    undisturbed = Replays()
    undisturbed.send(mended(tmp_path), inbox=WatchedStore(undisturbed.world.inbox, moments.append))
    assert len(moments) == 4
    for moment in moments:
        replays = Replays()
        with pytest.raises(Crash):
            replays.send(mended(tmp_path), inbox=WatchedStore(replays.world.inbox, CrashAt(moment)))
        assert replays.send(mended(tmp_path))[0].rows_scored == 3
        assert replays.rows_scored() == 3


@pytest.mark.parametrize("first_fails", [False, True])
def test_of_two_that_send_the_same_rows_at_once_one_has_them_scored(tmp_path: Path, first_fails: bool) -> None:  # noqa: FBT001
    replays = Replays()
    if first_fails:
        release = replays.world.store.read(layout.release_key(MODEL))
        replays.world.store.delete([layout.release_key(MODEL)])
        replays.send(mended(tmp_path))
        replays.world.store.write(layout.release_key(MODEL), release)
    answers: list[tuple[Manifest, bool]] = []

    def send_along(moment: Moment) -> None:
        if moment.side == "before" and moment.call.startswith("create") and not answers:
            answers.append(replays.send(mended(tmp_path)))

    answers.append(replays.send(mended(tmp_path), inbox=WatchedStore(replays.world.inbox, send_along)))
    assert [known for _, known in answers] == [False, True]
    assert answers[0][0] == answers[1][0]
    assert replays.rows_scored() == 3


@pytest.mark.parametrize(
    ("body", "ending"),
    [
        (as_csv(good_rows(2)), ".csv"),
        (gzip.compress(as_csv(good_rows(2))), ".csv.gz"),
        (as_jsonl(good_rows(2)), ".jsonl"),
        (as_parquet(good_rows(2)), ".parquet"),
    ],
)
def test_mended_rows_may_come_in_any_format(tmp_path: Path, body: bytes, ending: str) -> None:
    manifest, _ = Replays().send(mended(tmp_path, "mended", body))
    assert manifest.source.key.endswith(ending)
    assert manifest.rows_scored == 2
