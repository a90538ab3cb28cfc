"""A version of one stack serves in another: proved there, sealed against changes, and with where it came from."""

import io
import json
import zipfile
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.erasure.people import People, Subject
from functions.erasure.ports import Ports as ErasurePorts
from functions.erasure.snapshots import snapshots, unnamed
from functions.retraining.event import ImportRequest, ReproduceRequest
from functions.retraining.importing import import_version
from functions.retraining.ports import Ports
from functions.retraining.reproduction import reproduce
from functions.shared.domain import layout
from functions.shared.domain.decision import Decision, Verdict
from functions.shared.domain.errors import ImportRefusedError, InputError
from functions.shared.domain.policy import DecisionPolicy
from functions.shared.domain.release import ServedModel
from functions.shared.engines.bundle import ARRAYS, PIPELINE, bundle_digest, described, load_bundle, renamed_bundle
from functions.shared.engines.sealed_version import ANSWERS, BUNDLE, DATA, ROWS, SEAL, SealedVersion, open_sealed, proof_of, read_rows
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.leases import LONGEST
from functions.shared.repositories.snapshots import Snapshots
from infra.cli.exporting import exportable, write_version
from tests.fakes.versions import MODEL
from tests.fakes.watched_registry import WatchedRegistry
from tests.fakes.watched_store import Crash, CrashAt, Moment, WatchedStore
from tests.integration.retraining.world import World, labelled, sold, trained


def exported(world: World, version: str = "1", *, data: bool = False) -> bytes:
    out = io.BytesIO()
    decision = exportable(MODEL, version, world.store)
    write_version(decision, out, world.store, stack="dev", account="111122223333", data=data)
    return out.getvalue()


@cache
def sealed(*, data: bool = False) -> bytes:
    return exported(trained(), data=data)


def arrive(world: World, body: bytes, model: str = MODEL, ports: Ports | None = None) -> Decision:
    key = world.inbox.write(f"training/{model}/import/it.everscore", body).key
    result = import_version(ImportRequest(model=model, key=key), ports or world.ports())
    assert result.decision is not None
    return result.decision


def resealed(body: bytes, change: dict[str, bytes], **origin: str) -> bytes:
    """A file whose seal fits its changed content, as only a forger or another Everscore would write it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w") as new:
        seal = SealedVersion.from_json(old.read(SEAL))
        seal = seal.model_copy(update={"origin": seal.origin.model_copy(update=origin)})
        files = {name: change.get(name, old.read(name)) for name in old.namelist() if name != SEAL}
        for name, content in files.items():
            new.writestr(name, content)
        listed = {name: described(content) for name, content in files.items()}
        new.writestr(SEAL, change.get(SEAL) or seal.model_copy(update={"files": listed}).to_json())
    return out.getvalue()


def swapped(body: bytes, name: str, content: bytes) -> bytes:
    """A sound archive in which a file has other content than the seal lists."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w") as new:
        for each in old.namelist():
            new.writestr(each, content if each == name else old.read(each))
    return out.getvalue()


def parquet(table: pa.Table) -> bytes:
    body = io.BytesIO()
    pq.write_table(table, body)
    return body.getvalue()


def erase(world: World, *people: str) -> None:
    """What an erasure does to training sets."""
    subject = Subject(served(world, world.decisions()[0]).spec, People(people))
    ports = ErasurePorts(world.inbox, world.store, lambda: "e1", lambda: world.moment)
    for units in (snapshots, unnamed):
        for unit in units(subject, ports):
            unit.erase()


def served(world: World, decision: Decision) -> Any:
    prefix = layout.version_prefix(decision.model, decision.challenger_version)
    return Bundles(world.store).load(ServedModel(version=decision.challenger_version, digest=decision.digest, prefix=prefix))


def test_the_first_version_of_a_model_is_byte_for_byte_the_one_that_was_exported() -> None:
    there, here = trained(), World()
    decision = arrive(here, sealed())
    original = there.decisions()[0]
    assert (decision.verdict, decision.champion_version, decision.challenger_version) == (Verdict.PROMOTE, None, "1")
    assert decision.digest == original.digest
    assert decision.challenger == original.challenger, "its figures are those of its decision there"
    prefix = layout.version_prefix(MODEL, "1")
    for name in (ARRAYS, PIPELINE, "spec.json", "baseline.json", "bundle.json"):
        assert here.store.read(prefix + name) == there.store.read(prefix + name), name


def test_the_registry_names_stack_account_version_and_digest_of_the_origin() -> None:
    here = World()
    decision = arrive(here, sealed())
    tags = here.registry.runs[decision.run_id or ""].training.tags
    original = trained().decisions()[0]
    assert tags == {
        "everscore.trigger": "import",
        "everscore.origin.stack": "dev",
        "everscore.origin.account": "111122223333",
        "everscore.origin.model": MODEL,
        "everscore.origin.version": "1",
        "everscore.origin.digest": original.digest,
    }


def test_under_another_name_engine_and_pipeline_keep_their_bytes_and_all_scores() -> None:
    there, here = trained(), World()
    decision = arrive(here, sealed(), "shops-eu")
    model, original = served(here, decision), served(there, there.decisions()[0])
    assert (model.spec.name, model.baseline.model) == ("shops-eu", "shops-eu")
    rows = Snapshots(there.store).read(there.decisions()[0].snapshot.md5).combine_chunks().to_batches()[0]
    assert np.array_equal(model.engine.score(rows), original.engine.score(rows))
    for name in (ARRAYS, PIPELINE):
        assert here.store.read(layout.version_prefix("shops-eu", "1") + name) == there.store.read(layout.version_prefix(MODEL, "1") + name)


def test_a_version_for_a_model_that_serves_meets_its_champion_in_a_canary() -> None:
    here = World()
    here.set_policy()
    here.train(sold(0, 30, noise=1))
    here.serve()
    decision = arrive(here, sealed())
    assert (decision.champion_version, decision.challenger_version, decision.verdict) == ("1", "2", Verdict.PROMOTE)
    assert decision.agreement is not None
    assert decision.agreement.rows == 300, "all rows that came along were scored by both"
    assert decision.reasons[0].code == "imported"


def test_a_model_that_asks_another_question_is_refused_and_may_come_under_another_name() -> None:
    here = World()
    here.set_policy()
    here.train([{**row, "kept": row["bought"]} for row in sold(0, 30)], target="kept", drop=("bought",))
    here.serve()
    with pytest.raises(ImportRefusedError, match="serves another model") as refused:
        arrive(here, sealed())
    assert "--model" in refused.value.remedy
    assert len(here.decisions()) == 1
    assert arrive(here, sealed(), "other").model == "other"


def test_a_version_is_imported_once_and_never_into_the_stack_that_made_it() -> None:
    here = World()
    arrive(here, sealed())
    with pytest.raises(ImportRefusedError, match="here already: version 1"):
        arrive(here, sealed())
    with pytest.raises(ImportRefusedError, match="here already: version 1"):
        arrive(trained(), sealed())


def test_with_its_data_a_version_is_rebuilt_byte_by_byte_and_retrained() -> None:
    here = World()
    here.set_policy()
    arrive(here, sealed(data=True))
    rebuilt = reproduce(ReproduceRequest(model=MODEL, version="1"), here.ports())
    assert rebuilt.identical, rebuilt.difference
    here.serve()
    here.label(sold(30, 15))
    here.batch(60)
    assert here.challenger().champion_version == "1"


def test_a_challenger_that_is_the_first_elsewhere_is_rebuilt_as_it_was_trained() -> None:
    there, here = labelled(), World()
    assert there.challenger().verdict in set(Verdict)
    there.serve("2")
    decision = arrive(here, exported(there, "2", data=True))
    assert decision.champion_version is None
    rebuilt = reproduce(ReproduceRequest(model=MODEL, version=decision.challenger_version), here.ports())
    assert rebuilt.identical, rebuilt.difference


def test_the_decisions_that_led_to_a_version_lie_with_its_bundle() -> None:
    there, here = labelled(), World()
    there.challenger()
    there.serve("2")
    arrive(here, exported(there, "2"))
    kept = SealedVersion.from_json(here.store.read(layout.version_prefix(MODEL, "1") + SEAL))
    assert [decision.challenger_version for decision in kept.history] == ["1"]


def test_without_its_data_retraining_and_rebuilding_say_what_is_missing() -> None:
    here = World()
    here.set_policy()
    arrive(here, sealed())
    here.serve()
    here.label(sold(30, 15))
    here.batch(60)
    read: list[str] = []
    store = WatchedStore(here.store, lambda moment: read.append(moment.call))
    skipped = here.retrain(ports=here.ports(store=store)).skipped or ""
    assert "without the rows that it learnt from" in skipped
    assert "--data" in skipped
    assert not [call for call in read if call.startswith("read labelled/")], "nothing is read that cannot be used"
    rebuilt = reproduce(ReproduceRequest(model=MODEL, version="1"), here.ports())
    assert not rebuilt.identical
    assert "without its training set" in (rebuilt.difference or "")
    with pytest.raises(InputError, match="imported without"):
        exportable(MODEL, "1", here.store)


def test_the_data_may_follow_later() -> None:
    here = World()
    without = arrive(here, sealed())
    completed = arrive(here, sealed(data=True))
    assert (completed.challenger_version, completed.digest) == (without.challenger_version, without.digest)
    assert reproduce(ReproduceRequest(model=MODEL, version="1"), here.ports()).identical


def test_the_data_may_follow_after_an_erasure_took_rows_of_it() -> None:
    there, here = trained(), World()
    here.set_policy()
    arrive(here, exported(there))
    erase(there, "d1-1", "d2-2")
    completed = arrive(here, exported(there, data=True))
    assert completed.erased_rows == 2
    left = Snapshots(here.store).read(completed.snapshot.md5)
    assert {row["id"] for row in sold(0, 30)} - set(left["id"].to_pylist()) == {"d1-1", "d2-2"}
    here.serve()
    here.label(sold(30, 15))
    here.batch(60)
    assert here.challenger().champion_version == "1"
    erase(here, "d3-3")
    assert here.decisions()[0].erased_rows == 3


def test_a_version_that_comes_back_or_by_way_of_a_third_stack_is_here_already() -> None:
    dev, test, prod = trained(), World(), World()
    arrive(test, exported(dev, data=True), "copy")
    key = layout.decision_key("copy", "1")
    renamed = Decision.from_json(test.store.read(key))
    out = io.BytesIO()
    write_version(renamed, out, test.store, stack="test", account=None, data=True)
    arrive(prod, sealed())
    for world in (dev, prod):
        assert renamed.digest not in {decision.digest for decision in world.decisions()}
    with pytest.raises(ImportRefusedError, match="here already: version 1"):
        arrive(dev, out.getvalue())
    assert arrive(prod, out.getvalue()).has_rows, "it brings the data along"
    with pytest.raises(ImportRefusedError, match="here already: version 1"):
        arrive(prod, sealed(data=True))
    assert [len(world.decisions()) for world in (dev, prod)] == [1, 1]


def test_people_are_erased_where_a_version_came_without_its_data() -> None:
    here = World()
    subject = Subject(served(here, arrive(here, sealed())).spec, People(("d1-1",)))
    ports = ErasurePorts(here.inbox, here.store, lambda: "e1", lambda: here.moment)
    assert not list(snapshots(subject, ports))
    assert not list(unnamed(subject, ports))


def test_the_rows_that_travel_have_no_id_and_no_label() -> None:
    with zipfile.ZipFile(io.BytesIO(sealed())) as archive:
        assert read_rows(archive.read(ROWS)).column_names == ["price", "shop"]
        assert not [name for name in archive.namelist() if name.startswith("data/")]


def test_a_version_that_the_gate_rejected_is_not_exported_before_it_served() -> None:
    there = labelled()
    assert there.challenger().verdict is Verdict.KEEP
    with pytest.raises(InputError, match="the gate rejected"):
        exportable(MODEL, "2", there.store)
    there.serve("2")
    assert exportable(MODEL, "2", there.store).challenger_version == "2"


def test_a_version_that_scores_otherwise_here_is_refused_with_the_makers() -> None:
    answers = read_rows(zipfile.ZipFile(io.BytesIO(sealed())).read(ANSWERS))
    shifted = answers.set_column(0, "score", [answers["score"].to_numpy() + 1e-8])
    here = World()
    with pytest.raises(ImportRefusedError, match=r"another score in 300 of 300 rows.*scikit-learn"):
        arrive(here, resealed(sealed(), {ANSWERS: parquet(shifted)}))
    assert not list(here.store.list("releases/"))


def test_a_compiled_form_that_is_not_its_pipelines_is_refused_though_its_digests_fit() -> None:
    other = World()
    other.set_policy()
    other.train(sold(0, 30, cheap_sells=False))
    files = open_sealed(io.BytesIO(sealed())).read_bundle()
    files[ARRAYS] = other.store.read(layout.version_prefix(MODEL, "1") + ARRAYS)
    forged = renamed_bundle(files, MODEL, "1")
    digest = bundle_digest(forged)
    rows = Snapshots(trained().store).read(trained().decisions()[0].snapshot.md5)
    proof = proof_of(load_bundle(forged.__getitem__, digest), rows)
    body = resealed(sealed(), {**{BUNDLE + name: content for name, content in forged.items()}, **proof}, digest=digest)
    with pytest.raises(ImportRefusedError, match="scores otherwise in this stack's image: linear differs on training rows"):
        arrive(World(), body)


def test_a_later_schema_is_refused_by_name() -> None:
    seal = json.loads(zipfile.ZipFile(io.BytesIO(sealed())).read(SEAL)) | {"schema_version": 99}
    with pytest.raises(ImportRefusedError, match="SealedVersion has schema 99") as refused:
        arrive(World(), resealed(sealed(), {SEAL: json.dumps(seal).encode()}))
    assert "update" in refused.value.remedy


@given(st.data())
def test_a_byte_that_was_changed_anywhere_is_noticed_or_changes_nothing(data: st.DataObject) -> None:
    body = sealed()
    place = data.draw(st.integers(0, len(body) - 1))
    changed = body[:place] + bytes([body[place] ^ data.draw(st.integers(1, 255))]) + body[place + 1 :]
    try:
        opened = open_sealed(io.BytesIO(changed))
        opened.check()
    except ImportRefusedError:
        return
    whole = open_sealed(io.BytesIO(body))
    assert opened.sealed == whole.sealed
    assert all(opened.read(name) == whole.read(name) for name in whole.sealed.files)


def test_a_file_that_was_swapped_in_a_sound_archive_is_refused_by_its_digest() -> None:
    """The checksums of ZIP find accidents; who swaps a file makes them fit."""
    body = sealed(data=True)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist() if name != SEAL}
    assert {name.split("/")[0] for name in contents} == {"bundle", "proof", "data"}
    for name, content in contents.items():
        here = World()
        for other in (content[:-1] + bytes([content[-1] ^ 1]), content + b"\n", b""):
            with pytest.raises(ImportRefusedError, match=f"{name} in the file is not what was sealed there"):
                arrive(here, swapped(body, name, other))
        assert not here.decisions(), name
        assert not list(here.store.list("releases/")), name
        assert not list(here.store.list("snapshots/")), name


def test_a_bundle_that_was_sealed_again_under_the_old_digest_is_refused() -> None:
    files = open_sealed(io.BytesIO(sealed())).read_bundle()
    for name, content in files.items():
        with pytest.raises(ImportRefusedError, match="cannot be loaded here"):
            arrive(World(), resealed(sealed(), {BUNDLE + name: content + b" "}))


def test_another_training_set_that_was_sealed_again_is_refused_by_the_digest_of_the_decision() -> None:
    with zipfile.ZipFile(io.BytesIO(sealed(data=True))) as archive:
        months = [name for name in archive.namelist() if name.startswith(DATA)]
        other = read_rows(archive.read(months[0])).slice(1)
    here = World()
    with pytest.raises(ImportRefusedError, match="not the one of its decision"):
        arrive(here, resealed(sealed(data=True), {months[0]: parquet(other)}))
    assert not here.decisions()
    assert not list(here.store.list("snapshots/"))


@pytest.mark.parametrize("body", [b"", b"id,price\n1,2\n", sealed()[: len(sealed()) // 2]], ids=["empty", "CSV", "half"])
def test_what_is_no_whole_export_is_called_that(body: bytes) -> None:
    with pytest.raises(ImportRefusedError, match="no whole file"):
        arrive(World(), body)


def test_a_policy_that_decides_otherwise_there_is_reported() -> None:
    there = trained()
    there.set_policy(decision=DecisionPolicy(threshold=0.12))
    decision = arrive(World(), exported(there))
    assert "other_decision" in {reason.code for reason in decision.reasons if reason.warning}


def undisturbed() -> list[Moment]:
    """The moments of an import's writes."""
    seen: list[Moment] = []
    world = World()
    ports = world.ports(store=WatchedStore(world.store, seen.append), registry=WatchedRegistry(world.registry, seen.append))
    arrive(world, sealed(data=True), ports=ports)
    return [moment for moment in seen if moment.call.startswith(("create ", "write ", "replace ", "delete ", "register", "attach"))]


def test_the_decision_is_the_last_thing_written_of_an_import_since_its_arrival_releases_the_version() -> None:
    calls = [moment.call for moment in undisturbed() if moment.side == "before" and " leases/" not in moment.call]
    assert calls[-1] == f"write {layout.decision_key(MODEL, '1')}"
    bundle = [place for place, call in enumerate(calls) if f"/{layout.version_prefix(MODEL, '1')}" in call.replace(" ", "/")]
    assert len(bundle) == len(open_sealed(io.BytesIO(sealed())).read_bundle()) + 1, "the bundle, and the seal with its history"
    assert max(bundle) < calls.index("register")


def test_an_import_may_end_at_any_write_and_be_asked_for_again() -> None:
    writes = [moment for moment in undisturbed() if moment.call not in {"register", "attach"}]
    assert {"leases", "snapshots", "releases", "decisions"} == {moment.call.split(" ")[1].split("/")[0] for moment in writes}
    for moment in writes:
        here, crash = World(), CrashAt(moment)
        ports = here.ports(store=WatchedStore(here.store, crash), registry=WatchedRegistry(here.registry, lambda _moment: None))
        with pytest.raises(Crash):
            arrive(here, sealed(data=True), ports=ports)
        here.moment += LONGEST
        with suppress(ImportRefusedError):  # after the last write it is here already
            arrive(here, sealed(data=True))
        [decision] = Decisions(here.store).all(MODEL)
        assert served(here, decision).baseline.version == decision.challenger_version
        assert Snapshots(here.store).read(decision.snapshot.md5).num_rows == decision.snapshot.rows
