"""What publishing a version takes, and what the registry learns of it when."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import skops.io

from functions.retraining.fitting import fit
from functions.retraining.ports import Ports
from functions.retraining.publication import Candidate, Judgement, publish
from functions.retraining.recording import catch_up
from functions.retraining.training_set import DAY, TrainingSet
from functions.shared.domain.decision import Decision, Verdict
from functions.shared.domain.errors import ConflictError, RegistryUnavailableError
from functions.shared.domain.policy import Policy
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.ports import Registry
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.versions import Versions
from tests.fakes.documents import NOW
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.memory_store import MemoryStore
from tests.fakes.recording_bus import RecordingBus
from tests.fakes.watched_registry import WatchedRegistry
from tests.fakes.watched_store import Moment


@pytest.fixture(scope="module")
def candidate() -> Candidate:
    price = Feature(name="price", kind=FeatureKind.NUMBER)
    estimator = "sklearn.linear_model.Ridge"
    spec = ModelSpec(name="m", task=Task.REGRESSION, target="y", id_column="id", features=(price,), metric="rmse", estimator=estimator)
    drawn = np.random.default_rng(0).random(60)
    days = pa.array([datetime(2013, 4, 1, tzinfo=UTC).date()] * 60)
    rows = TrainingSet(spec, pa.table({"id": [str(place) for place in range(60)], "price": drawn, "y": 2 * drawn, DAY: days}))
    return Candidate(fit(spec, rows), rows, rows, rows)


def published(candidate: Candidate, store: MemoryStore, registry: Registry | None) -> Decision:
    judgement = Judgement(Verdict.PROMOTE, (), "person")
    ports = Ports(MemoryStore("inbox"), store, registry, Bundles(store), RecordingBus(), lambda: "ada", lambda: NOW)
    return publish(candidate, judgement, Policy(), ports)


def away(_moment: Moment) -> None:
    raise RegistryUnavailableError("MLflow does not answer")


def test_a_pipeline_is_written_down_once_however_large_it_is(candidate: Candidate, monkeypatch: pytest.MonkeyPatch) -> None:
    dumps, written = skops.io.dumps, []

    def counted(pipeline: Any) -> bytes:
        written.append(pipeline)
        return dumps(pipeline)

    monkeypatch.setattr(skops.io, "dumps", counted)
    published(candidate, MemoryStore(), MemoryRegistry())
    assert written == [candidate.fitted.pipeline]


def test_versions_count_from_one_in_the_store_whatever_the_registry_counts(candidate: Candidate) -> None:
    store = MemoryStore()
    made = [published(candidate, store, registry) for registry in (MemoryRegistry(), MemoryRegistry(), None)]
    assert [decision.challenger_version for decision in made] == ["1", "2", "3"]
    assert len(set(store.folders("releases/m/versions/"))) == 3


def test_a_number_that_a_training_left_behind_is_not_taken_again(candidate: Candidate) -> None:
    store = MemoryStore()
    store.write("releases/m/versions/7/spec.json", b"half a bundle")
    assert published(candidate, store, None).challenger_version == "8"


def test_a_file_of_a_version_is_written_once() -> None:
    versions = Versions(MemoryStore())
    versions.write("m", "1", {"bundle.json": b"a", "spec.json": b"b"})
    versions.write("m", "1", {"bundle.json": b"a", "spec.json": b"b"})
    with pytest.raises(ConflictError, match="written once"):
        versions.write("m", "1", {"bundle.json": b"c", "spec.json": b"b"})


def test_a_version_is_made_without_the_registry_and_says_so_if_there_is_one(candidate: Candidate) -> None:
    assert published(candidate, MemoryStore(), None).reasons == ()
    store, registry = MemoryStore(), MemoryRegistry()
    made = published(candidate, store, WatchedRegistry(registry, away))
    assert (made.run_id, [(reason.code, reason.warning) for reason in made.reasons]) == (None, [("unregistered", True)])
    assert Decisions(store).of("m", "1") == made


@pytest.mark.parametrize("earlier", [None, MemoryRegistry()])
def test_a_registry_catches_up_on_what_it_lacks_once(candidate: Candidate, earlier: Registry | None) -> None:
    store, registry = MemoryStore(), MemoryRegistry()
    for _ in range(2):
        published(candidate, store, earlier)
    by_itself = published(candidate, store, registry).run_id
    registry.delete("m", "3")
    for _ in range(2):
        catch_up("m", store, Bundles(store), registry)
    decisions = Decisions(store).all("m")
    runs = [registry.runs[decision.run_id or ""] for decision in decisions]
    assert len(registry.runs) == 3, "what a person deleted is not brought back"
    assert [run.files["decision.json"] for run in runs] == [decision.to_json() for decision in decisions]
    assert [run.training.parameters for run in runs] == [registry.runs[by_itself or ""].training.parameters] * 3
    assert {type(run.training.model) for run in runs} == {type(candidate.fitted.pipeline)}
