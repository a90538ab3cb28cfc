"""Which batches new code has to score again, and what comes of it."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from functions.code_check.handler import handler
from functions.code_check.service import LARGEST_BYTES, compare_batches
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.repositories.manifests import Manifests
from functions.shared.settings import code_check_settings
from tests.fakes.documents import make_manifest
from tests.fakes.memory_store import MemoryStore

ASKED = {"DeploymentId": "d-EXAMPLE11", "LifecycleEventHookExecutionId": "execution"}


def batch(number: int, *, size: int = 100, **changed: Any) -> Manifest:
    made = make_manifest()
    source = made.source.model_copy(update={"bytes": size, "version_id": f"v{number}"})
    at = datetime(2024, 1, 1, hour=number, tzinfo=UTC)
    return made.model_copy(update={"batch_id": f"b{number}", "source": source, "created_at": at, **changed})


def compared(*batches: Manifest, different: tuple[str, ...] = ()) -> list[tuple[str, tuple[str, ...]]]:
    store = MemoryStore("store")
    for made in batches:
        Manifests(store).commit(made)
    model = make_manifest().model
    found = compare_batches(lambda: iter([model, "without-batches"]), store=store, verify=lambda _model, _batch: different)
    return [(comparison.batch_id, comparison.different) for comparison in found]


def test_the_newest_batch_of_a_model_is_scored_again() -> None:
    assert compared(batch(1), batch(3), batch(2)) == [("b3", ())]


@pytest.mark.parametrize("unfit", [{"status": Status.FAILED}, {"partitions": 4}, {"rows_erased": 1}, {"size": LARGEST_BYTES + 1}])
def test_a_batch_that_cannot_be_scored_again_in_seconds_is_passed_over(unfit: dict[str, Any]) -> None:
    assert compared(batch(1), batch(2, **unfit)) == [("b1", ())]


def test_a_stack_without_batches_has_nothing_to_compare() -> None:
    assert compared() == []


def test_files_that_came_out_with_other_bytes_are_named() -> None:
    assert compared(batch(1), different=("part-00000.parquet",)) == [("b1", ("part-00000.parquet",))]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What CodeDeploy is told, by a handler whose store holds one batch."""
    store = MemoryStore("store")
    Manifests(store).commit(batch(1))
    told: list[dict[str, str]] = []
    for name in ("EVERSCORE_STACK", "EVERSCORE_INBOX", "EVERSCORE_STORE", "EVERSCORE_NEW_VERSION"):
        monkeypatch.setenv(name, "x")
    code_check_settings.cache_clear()
    client = SimpleNamespace(put_lifecycle_event_hook_execution_status=lambda **answer: told.append(answer))
    monkeypatch.setattr("boto3.client", lambda service, **_: {"codedeploy": client}[service])
    monkeypatch.setattr("functions.shared.adapters.s3.s3_client", lambda: None)
    monkeypatch.setattr("functions.shared.adapters.s3.S3ObjectStore", lambda *_: store)
    return told


@pytest.mark.parametrize(("different", "status"), [((), "Succeeded"), (("part-00000.parquet",), "Failed")])
def test_a_deployment_goes_on_only_if_all_bytes_are_the_same(
    answers: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch, different: tuple[str, ...], status: str
) -> None:
    monkeypatch.setattr("functions.shared.adapters.deployments.NewVersion.verify", lambda *_: different)
    handler(ASKED, None)  # type: ignore[arg-type]
    assert answers == [{"deploymentId": "d-EXAMPLE11", "lifecycleEventHookExecutionId": "execution", "status": status}]


def test_a_check_that_breaks_off_stops_the_deployment(answers: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> tuple[str, ...]:
        raise RuntimeError

    monkeypatch.setattr("functions.shared.adapters.deployments.NewVersion.verify", broken)
    with pytest.raises(RuntimeError):
        handler(ASKED, None)  # type: ignore[arg-type]
    assert [answer["status"] for answer in answers] == ["Failed"]
