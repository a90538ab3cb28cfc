"""Whoever is erased is found nowhere, and everybody else is where they were."""

import hashlib
import io
import json
import uuid
import zipfile
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from functions.erasure.event import EraseRequest, Place
from functions.erasure.service import erase
from functions.retraining.event import ReproduceRequest
from functions.retraining.reproduction import reproduce
from functions.shared.domain import layout
from functions.shared.domain.erasure import Erasure
from functions.shared.domain.errors import InputError, RetrainingBusyError
from functions.shared.domain.manifest import BatchError, Manifest
from functions.shared.domain.partition import PartitionResult, Portion
from functions.shared.domain.rejections import FileCode
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.leases import Leases
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.snapshots import Snapshots
from infra.cli.replay import quarantined_file
from tests.fakes.documents import make_decision
from tests.fakes.remembered import HEADER, NOW, PEOPLE, Life, lived, shown
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Moment


def rows_of(life: Life, manifest: Manifest) -> list[dict[str, Any]]:
    """A batch's scored rows."""
    tables = [pq.read_table(io.BytesIO(life.store.read(file.key))) for file in manifest.outputs]
    return [row for table in tables for row in table.to_pylist()]


def everything(life: Life, prefix: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of each Parquet file below a prefix."""
    return {info.key: pq.read_table(io.BytesIO(life.store.read(info.key))).to_pylist() for info in life.store.list(prefix)}


def test_people_left_traces_everywhere_before() -> None:
    kinds = {key.split("/", 1)[0] for key in shown(lived())}
    assert kinds == {
        "batches",
        "labels",
        "training",
        "scored",
        "quarantine",
        "labelled",
        "waiting",
        "identities",
        "snapshots",
        "manifests",
        "alerts",
        "answers",
    }


def test_nobody_who_was_erased_is_found_in_any_version_of_any_object() -> None:
    life = lived()
    erasure = life.erase()
    assert shown(life) == set()
    assert (erasure.ended_at, erasure.left, erasure.people) == (NOW, (), 2)


def test_one_person_is_erased_and_another_stays() -> None:
    life = lived()
    life.erase("ada-7")
    assert shown(life, ("ada-7",)) == set()
    kinds = {key.split("/", 1)[0] for key in shown(life, ("bob-7",))}
    assert kinds == {"scored", "quarantine", "labelled", "waiting", "identities", "snapshots"}, "only uploads go whole"


NUMBERS = (19999007021, 19999007028)
LATER = NOW + timedelta(days=30)
NAMES = [uuid.UUID(int=number) for number in NUMBERS]


@pytest.mark.parametrize(
    ("ids", "person"),
    [
        (pa.array(NUMBERS), str(NUMBERS[0])),
        (pa.array(list(map(float, NUMBERS))), str(NUMBERS[0])),
        (pa.array(NUMBERS, pa.uint64()), str(NUMBERS[0])),
        (pa.array([Decimal(number) for number in NUMBERS], pa.decimal128(38, 4)), str(NUMBERS[0])),
        (pa.ExtensionArray.from_storage(pa.uuid(), pa.array([name.bytes for name in NAMES], pa.binary(16))), str(NAMES[0])),
    ],
    ids=["int64", "float64", "uint64", "decimal", "uuid"],
)
def test_somebody_is_erased_whatever_type_their_id_is_kept_in(ids: pa.Array, person: str) -> None:
    life, body = lived(), io.BytesIO()
    rows = {"id": ids, "at": [LATER] * 2, "price": [1.5, 2.5], "shop": ["north"] * 2, "member": [True] * 2}
    pq.write_table(pa.table(rows), body)
    manifest = life.score(life.upload(f"batches/{MODEL}/numbers.parquet", body.getvalue()))
    life.label("numbers.csv", f"id,at,bought\n{person},{LATER.isoformat()},yes\n")
    labelled = everything(life, f"labelled/{MODEL}/dt={LATER.date()}/")
    assert [row["price"] for rows in labelled.values() for row in rows] == [1.5]
    life.erase(person)
    assert [row["price"] for row in rows_of(life, life.manifests()["numbers.parquet score"])] == [2.5]
    assert life.manifests()["numbers.parquet score"].rows_erased == 1
    assert everything(life, f"labelled/{MODEL}/dt={LATER.date()}/") == {}
    assert not any(version.info.key == manifest.source.key for version in life.inbox.versions("batches/"))


def test_scored_rows_of_others_are_as_they_were_and_in_order() -> None:
    life = lived()
    before = {name: rows_of(life, manifest) for name, manifest in life.manifests().items()}
    life.erase()
    after = {name: rows_of(life, manifest) for name, manifest in life.manifests().items()}
    assert after == {name: [row for row in rows if row["id"] not in PEOPLE] for name, rows in before.items()}
    assert [row["id"] for row in after["april.csv score"]] == ["eve-7", "eve-7"]


def test_manifests_count_and_seal_what_is_left() -> None:
    life = lived()
    before = life.manifests()
    life.erase()
    for name, manifest in life.manifests().items():
        assert manifest.rows_in == manifest.rows_scored + manifest.rows_quarantined + manifest.rows_erased == before[name].rows_in
        assert sum(manifest.quarantined_by_reason.values()) == manifest.rows_quarantined == sum(file.rows for file in manifest.quarantine)
        assert manifest.rows_scored == sum(file.rows for file in manifest.outputs)
        for file in (*manifest.outputs, *manifest.quarantine):
            body = life.store.read(file.key)
            assert (file.bytes, file.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    april, only = life.manifests()["april.csv score"], life.manifests()["only.csv score"]
    assert (april.rows_scored, april.rows_quarantined, april.rows_erased) == (2, 2, 6)
    assert april.quarantined_by_reason == {"unparseable_number": 1, "wrong_field_count": 1}
    assert (only.outputs, only.rows_scored, only.rows_erased) == ((), 0, 2)
    assert life.manifests()["others.csv score"] == before["others.csv score"]


def test_quarantined_rows_of_others_can_still_be_mended_when_their_upload_is_gone() -> None:
    life = lived()
    ending, before = quarantined_file(life.manifests()["april.csv score"], inbox=life.inbox, store=life.store)
    life.erase("ada-7")
    april = life.manifests()["april.csv score"]
    assert not [version for version in life.inbox.versions(april.source.key) if version.info.version_id == april.source.version_id]
    others = [line for line in before.splitlines(keepends=True) if b"ada-7" not in line]
    assert len(others) > 1, "the header and rows of others"
    assert quarantined_file(april, inbox=life.inbox, store=life.store) == (ending, b"".join(others))


def test_labelled_and_waiting_rows_of_others_stay() -> None:
    life = lived()
    before = {prefix: everything(life, f"{prefix}/") for prefix in ("labelled", "waiting")}
    life.erase()
    for prefix, files in before.items():
        kept = {key: [row for row in rows if row["id"] not in PEOPLE] for key, rows in files.items()}
        assert everything(life, f"{prefix}/") == {key: rows for key, rows in kept.items() if rows}
        assert any(kept.values())


def test_training_sets_are_lighter_under_another_name_and_their_versions_say_so() -> None:
    life = lived()
    old = {decision.challenger_version: decision.snapshot for decision in Decisions(life.store).all(MODEL)}
    life.erase()
    for decision in Decisions(life.store).all(MODEL):
        before, after = old[decision.challenger_version], decision.snapshot
        assert (decision.erased_rows, after.rows, before.rows - after.rows) == (4, 2, 4)
        assert after.md5 != before.md5
        assert after.first_day == before.first_day
        table = Snapshots(life.store).read(after.md5)
        assert table["id"].to_pylist() == ["eve-7", "eve-7"]
        assert after.bytes == sum(len(body) for _, body in Snapshots(life.store).files(after.md5))


def test_a_version_trained_on_erased_rows_is_not_reproduced_and_the_reason_is_given() -> None:
    life = lived()
    life.erase()
    found = reproduce(ReproduceRequest(model=MODEL, version="1"), life.retraining())
    assert not found.identical
    assert found.difference == "an erasure took 4 rows of its training set, so it cannot be rebuilt exactly"


def test_the_record_says_what_went_and_names_nobody() -> None:
    life = lived()
    erasure = life.erase()
    key = layout.erasure_key(MODEL, erasure.erasure)
    assert Erasure.from_json(life.store.read(key)) == erasure
    assert (erasure.who, erasure.reason) == ("ada", "their wish")
    assert erasure.rows == {"scored": 10, "quarantine": 4, "labelled": 5, "waiting": 2, "identities": 6 + 5}
    assert sorted(erasure.batches.values()) == [2, 6, 6]
    assert erasure.versions == {"1": 4, "2": 4}
    assert set(erasure.uploads) == {
        f"batches/{MODEL}/april.csv",
        f"batches/{MODEL}/only.csv",
        f"batches/{MODEL}/headless.csv",
        f"labels/{MODEL}/april.csv",
        f"labels/{MODEL}/only.csv",
        f"training/{MODEL}/first.csv",
    }


def test_a_dry_run_says_what_would_go_and_changes_nothing() -> None:
    life = lived()
    before = {version.info for bucket in (life.inbox, life.store) for version in bucket.versions("")}
    request = EraseRequest(model=MODEL, ids=PEOPLE, who="ada", reason="their wish", dry_run=True)
    said = erase(request, life.ports())
    assert {version.info for bucket in (life.inbox, life.store) for version in bucket.versions("")} == before
    done = life.erase()
    assert (said.rows, said.batches, said.versions, said.uploads) == (done.rows, done.batches, done.versions, done.uploads)
    assert (said.objects, said.ended_at) == (0, None)


def test_a_dry_run_in_many_calls_says_what_one_call_says_and_reads_nothing_twice() -> None:
    life = lived()
    request = EraseRequest(model=MODEL, ids=PEOPLE, who="ada", dry_run=True)
    whole = erase(request, life.ports(), lambda: True)
    assert whole.reached is None, "who did not ask for a part gets all of it"
    asked = request.model_copy(update={"after": Place()})
    parts = [erase(asked, life.ports(), lambda: True)]
    while reached := parts[-1].reached:
        asked = request.model_copy(update={"after": Place(step=reached.step, place=reached.place)})
        parts.append(erase(asked, life.ports(), lambda: True))
    assert len(parts) > 20
    for counted in ("rows", "batches", "versions"):
        assert sum((Counter(getattr(part, counted)) for part in parts), Counter()) == Counter(getattr(whole, counted))
    assert sorted(key for part in parts for key in part.uploads) == sorted(whole.uploads)
    assert [*life.store.list(f"erasures/{MODEL}/")] == []


def test_asked_again_there_is_nothing_to_do() -> None:
    life = lived()
    life.erase()
    objects = {version.info for bucket in (life.inbox, life.store) for version in bucket.versions("")}
    again = life.erase()
    assert (again.rows, again.versions, again.uploads, again.objects) == ({}, {}, (), 0)
    after = {version.info for bucket in (life.inbox, life.store) for version in bucket.versions("")}
    assert all(info.key.startswith(("erasures/", "leases/")) for info in after - objects)
    assert objects <= after


def test_an_upload_that_is_not_scored_yet_is_left_and_named_until_it_is() -> None:
    life = lived()
    created = life.upload(f"batches/{MODEL}/late.csv", f"{HEADER}\nada-7,2013-04-05T10:00:00Z,3.5,north,true,x\n")
    erasure = life.erase()
    assert erasure.left == (created.key,)
    assert shown(life) == {created.key}
    life.score(created)
    assert life.erase().left == ()
    assert shown(life) == set()


def test_what_is_left_of_an_import_goes_since_nobody_can_look_into_it() -> None:
    life = lived()
    sealed = io.BytesIO()
    with zipfile.ZipFile(sealed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/2013-04.csv", f"{HEADER}\nada-7,2013-04-05T10:00:00Z,3.5,north,true,x\n")
    leftover = life.upload(layout.import_key(MODEL, "flights-1.everscore"), sealed.getvalue())
    other = life.upload(layout.import_key("another", "another-1.everscore"), sealed.getvalue())
    erasure = life.erase()
    assert leftover.key in erasure.uploads
    assert [version.info.key for version in life.inbox.versions("") if "/import/" in version.info.key] == [other.key]


def stopped_half_way(life: Life) -> Manifest:
    """The batch that failed, as if work on it in partitions had stopped just now."""
    [key] = [key for key in Manifests(life.store).keys(MODEL).values() if Manifests(life.store).read(key).error]
    error = BatchError(code=FileCode.PARTITIONS_FAILED, message="a partition timed out", remedy="redrive it")
    stopped = Manifests(life.store).read(key).model_copy(update={"error": error, "created_at": life.now})
    life.store.write(key, stopped.to_json())
    return stopped


def test_an_upload_is_read_in_portions_and_only_until_somebody_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.shared.reading.files.DEFAULT_BLOCK_BYTES", 1000)
    life = lived()
    rows = [f"{person},2013-04-05T10:00:00Z,3.5,north,true,x" for person in ("ada-7", *("eve-7" for _ in range(5000)))]
    created = life.upload(f"batches/{MODEL}/large.csv", "\n".join([HEADER, *rows, ""]))
    offsets: list[int] = []

    def note(moment: Moment) -> None:
        if moment.bucket == "inbox" and moment.call.startswith("read at "):
            offsets.append(int(moment.call.removeprefix("read at ")))

    assert life.erase("ada-7", watcher=note).left == (created.key,)
    assert max(offsets) < created.size_bytes / 2


def test_an_upload_whose_work_in_partitions_stopped_half_way_is_left_too() -> None:
    life = lived()
    stopped = stopped_half_way(life)
    assert life.erase().left == (stopped.source.key,)


def test_what_was_scored_of_a_batch_that_stopped_half_way_is_left_for_its_manifest_will_name_it() -> None:
    life = lived()
    done = layout.scored_key(MODEL, stopped_half_way(life).batch_id, "part", 0)
    body = life.store.read(life.manifests()["april.csv score"].outputs[0].key)
    life.store.write(done, body)
    life.erase()
    assert life.store.read(done) == body


def test_a_batch_that_stopped_half_way_and_cannot_be_taken_up_again_is_erased() -> None:
    life = lived()
    done = layout.scored_key(MODEL, stopped_half_way(life).batch_id, "part", 0)
    life.store.write(done, life.store.read(life.manifests()["april.csv score"].outputs[0].key))
    life.now += timedelta(days=16)
    assert life.erase().left == ()
    assert shown(life) == set()


def reported(life: Life, batch: Manifest) -> tuple[str, str]:
    """What is stored of two partitions of a batch: one was refused with a message that quotes the file, and one broke with another."""
    error = life.manifests()["headless.csv score"].error
    refused = layout.partition_result_key(MODEL, batch.batch_id, 0, 100)
    portion = Portion(kind="csv", start=0, stop=100)
    life.store.write(refused, PartitionResult(portion=portion, attempt="a1", error=error).to_json())
    broken = f"{layout.partitions_prefix(MODEL, batch.batch_id)}run-1/FAILED_0.json"
    cause = json.dumps({"errorType": "ValueError", "errorMessage": "cannot convert 'bob-7'"})
    life.store.write(broken, json.dumps([{"Input": "{}", "Error": "ValueError", "Cause": cause}]).encode())
    return refused, broken


def test_what_partitions_of_an_ended_batch_said_of_people_is_forgotten_and_the_rest_stays() -> None:
    life = lived()
    april = life.manifests()["april.csv score"]
    named = reported(life, april)
    assert {*named} <= shown(life)
    other = layout.partition_result_key(MODEL, april.batch_id, 100, 200)
    life.store.write(other, PartitionResult(portion=Portion(kind="csv", start=100, stop=200), attempt="a7", lines=7).to_json())
    life.erase()
    assert shown(life) == set()
    assert life.store.read(other)


def test_what_partitions_said_of_people_is_kept_while_their_batch_may_be_taken_up_again() -> None:
    life = lived()
    error = life.manifests()["headless.csv score"].error
    stopped = stopped_half_way(life)
    refused = layout.partition_result_key(MODEL, stopped.batch_id, 0, 100)
    body = PartitionResult(portion=Portion(kind="csv", start=0, stop=100), attempt="a1", error=error).to_json()
    life.store.write(refused, body)
    assert life.erase().left == (stopped.source.key,)
    assert life.store.read(refused) == body
    life.now += timedelta(days=16)
    life.erase()
    assert shown(life) == set()


def test_files_of_two_turns_that_have_one_number_stay_two_files() -> None:
    life = lived()
    april = life.manifests()["april.csv score"]
    [first] = april.outputs
    again = first.model_copy(update={"key": layout.scored_key(MODEL, april.batch_id, "turn-2", 0)})
    life.store.write(again.key, life.store.read(first.key))
    doubled = april.model_copy(update={"outputs": (first, again), "rows_in": april.rows_in + first.rows, "rows_scored": 2 * first.rows})
    life.store.write(Manifests(life.store).keys(MODEL)[april.batch_id], doubled.to_json())
    life.erase()
    after = life.manifests()["april.csv score"]
    assert len({file.key for file in after.outputs}) == 2
    assert [row["id"] for row in rows_of(life, after)] == ["eve-7"] * 4


def test_labels_that_came_just_now_are_left_for_an_hour() -> None:
    life = lived()
    created = life.upload(f"labels/{MODEL}/late.csv", "id,at,bought\nada-7,2013-04-05T10:00:00Z,yes\n")
    life.now = life.inbox.info(created.key).last_modified + timedelta(minutes=59)
    erasure = life.erase()
    assert created.key in erasure.left
    assert erasure.left_until[created.key] == life.now + timedelta(minutes=1)
    life.now += timedelta(minutes=1)
    assert life.erase().left == ()
    assert shown(life) == set()


def test_files_of_another_model_are_not_touched() -> None:
    life = lived()
    for kind in ("scored", "labelled"):
        life.store.write(f"{kind}/other/b/a/part-00000.parquet", b"ada-7")
    life.inbox.write("batches/other/april.csv", b"id\nada-7\n")
    life.erase()
    assert shown(life) == {"scored/other/b/a/part-00000.parquet", "labelled/other/b/a/part-00000.parquet", "batches/other/april.csv"}


def test_a_training_file_that_another_models_version_learnt_from_stays_for_that_one() -> None:
    life = lived()
    shared = Decisions(life.store).all(MODEL)[0].snapshot
    Decisions(life.store).write(make_decision("1", snapshot=shared).model_copy(update={"model": "other"}))
    life.erase()
    assert Snapshots(life.store).read(shared.md5).num_rows == 6
    assert Decisions(life.store).all(MODEL)[0].snapshot.rows == 2


def test_training_files_of_another_model_that_is_being_trained_are_left_for_a_while() -> None:
    life = lived()
    snapshot = life.learn("9", date(2013, 1, 5))
    life.store.delete([layout.decision_key(MODEL, "9")])
    life.now = life.store.info(layout.snapshot_key(snapshot.md5)).last_modified + timedelta(minutes=19)
    with Leases(life.store).held("other", holder="trainer", now=lambda: life.now):
        left = life.erase().left
    assert any(key.startswith("snapshots/") for key in left)
    assert Snapshots(life.store).read(snapshot.md5).num_rows == 3
    life.now += timedelta(hours=1)
    life.erase()
    assert shown(life) == set()


def test_training_files_of_another_model_whose_training_ends_while_files_are_looked_for_stay() -> None:
    life = lived()
    snapshot = life.learn("9", date(2013, 1, 5))
    life.store.delete([layout.decision_key(MODEL, "9")])
    named = make_decision("1", snapshot=snapshot).model_copy(update={"model": "other"})
    ended: list[Any] = []

    def end(moment: Any) -> None:
        if moment.call.startswith("versions snapshots") and not ended:
            ended.append(moment)
            Decisions(life.store).write(named)

    life.erase(watcher=end)
    assert ended
    assert Snapshots(life.store).read(snapshot.md5).num_rows == 3


def test_while_the_model_is_trained_or_others_are_erased_nobody_is() -> None:
    life = lived()
    with (
        Leases(life.store).held(MODEL, holder="somebody", now=lambda: life.now),
        pytest.raises(RetrainingBusyError, match="a retraining or an erasure of 'sales' is running"),
    ):
        life.erase()
    life.erase()
    assert shown(life) == set()


def test_a_model_that_never_served_has_no_column_to_look_at() -> None:
    with pytest.raises(InputError, match="never served"):
        Life().erase()


def test_a_batch_whose_manifest_changes_meanwhile_is_looked_at_again() -> None:
    life = lived()
    key = Manifests(life.store).keys(MODEL)[life.manifests()["only.csv score"].batch_id]
    raced = []

    def race(moment: Any) -> None:
        if moment.call == f"replace {key}" and moment.side == "before" and not raced:
            raced.append(moment)
            life.store.write(key, life.store.read(key) + b" ")

    life.erase(watcher=race)
    assert raced
    assert life.manifests()["only.csv score"].rows_erased == 2
    assert shown(life) == set()


def test_rows_that_were_labelled_while_it_looked_are_found_by_the_second_look() -> None:
    life = lived()
    rows = {info.key: life.store.read(info.key) for info in life.store.list("labelled/")}
    came = []

    def come(moment: Any) -> None:
        if moment.call.startswith("versions snapshots") and not came:
            came.append(moment)
            for number, body in enumerate(rows.values()):
                life.store.write(f"labelled/{MODEL}/dt=2013-04-01/late-{number}.parquet", body)

    assert life.erase(watcher=come).rows["labelled"] == 10
    assert shown(life) == set()


@pytest.mark.parametrize("prefix", ["quarantine", "scored"])
def test_rows_that_have_expired_hold_up_no_erasure(prefix: str) -> None:
    life = lived()
    expired = [info.key for info in life.store.list(f"{prefix}/{MODEL}/")]
    assert expired
    life.store.delete(expired)  # as a bucket's rule does: the version before is kept for a day
    erasure = life.erase()
    assert erasure.ended_at is not None
    assert shown(life) == set()
