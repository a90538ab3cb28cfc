"""Which batches new code has to score again, and what comes of it."""

import io
import json
from collections.abc import Callable, Container
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.code_check.handler import handler
from functions.code_check.ports import Ports
from functions.code_check.service import LARGEST_BYTES, compare_batches
from functions.shared.adapters.deployments import ScoringVersion
from functions.shared.domain.errors import DeploymentRefusedError, NotFoundError, ThrottledError
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.repositories.manifests import Manifests
from functions.shared.runtime.settings import code_check_settings
from tests.fakes.documents import make_manifest
from tests.fakes.memory_store import MemoryStore

ASKED = {"DeploymentId": "d-EXAMPLE11", "LifecycleEventHookExecutionId": "execution"}


CONTEXT: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000)


def batch(number: int, *, size: int = 100, **changed: Any) -> Manifest:
    made = make_manifest()
    source = made.source.model_copy(update={"bytes": size, "version_id": f"v{number}"})
    at = datetime(2024, 1, 1, hour=number, tzinfo=UTC)
    return made.model_copy(update={"batch_id": f"b{number}", "source": source, "created_at": at, **changed})


def verify(different: tuple[str, ...] = (), *, gone: Container[str] = ()) -> Callable[[str, str], tuple[str, ...]]:
    """Code that scores all batches but those that are gone."""

    def verified(_model: str, batch_id: str) -> tuple[str, ...]:
        if batch_id in gone:
            raise NotFoundError(batch_id)
        return different

    return verified


def compared(
    *batches: Manifest,
    different: tuple[str, ...] = (),
    gone: Container[str] = (),
    gone_for_all: bool = True,
    has_time: Callable[[], bool] = lambda: True,
) -> list[tuple[str, tuple[str, ...]]]:
    store = MemoryStore("store")
    for made in batches:
        Manifests(store).commit(made)
    found = compare_batches(
        lambda: iter([make_manifest().model, "without-batches"]),
        Ports(store, by_new=verify(different, gone=gone), by_old=verify(gone=gone if gone_for_all else ())),
        has_time=has_time,
        pause=lambda: None,
    )
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


def test_a_batch_of_which_something_is_gone_is_passed_over() -> None:
    assert compared(batch(1), batch(2), gone={"b2"}) == [("b1", ())]
    assert compared(batch(1), gone={"b1"}) == []


def test_new_code_that_does_not_find_what_the_old_does_is_refused() -> None:
    with pytest.raises(DeploymentRefusedError, match="b2"):
        compared(batch(1), batch(2), gone={"b2"}, gone_for_all=False)


def test_no_comparison_is_begun_without_the_time_for_it() -> None:
    assert compared(batch(1), has_time=lambda: False) == []


class Full:
    """An account that has no place for the first calls, and the moments that its caller waits."""

    def __init__(self, times: int) -> None:
        self.times, self.pauses = times, 0

    def verify(self, _model: str, _batch_id: str) -> tuple[str, ...]:
        self.times -= 1
        if self.times >= 0:
            raise ThrottledError("Rate Exceeded.")
        return ()

    def pause(self) -> None:
        self.pauses += 1


def in_a_full_account(full: Full, *, moments: int) -> list[str]:
    store = MemoryStore("store")
    Manifests(store).commit(batch(1))
    found = compare_batches(
        lambda: iter([make_manifest().model]),
        Ports(store, by_new=full.verify, by_old=full.verify),
        has_time=lambda: full.pauses < moments,
        pause=full.pause,
    )
    return [comparison.batch_id for comparison in found]


def test_a_comparison_for_which_the_account_has_no_place_is_tried_again_while_there_is_time() -> None:
    assert in_a_full_account(Full(3), moments=4) == ["b1"]
    with pytest.raises(ThrottledError):
        in_a_full_account(Full(9), moments=4)


def test_a_call_that_did_not_begin_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answers are in the shape in which Lambda's API gives them."""

    def answering(code: str) -> None:
        def invoke(**_: Any) -> None:
            raise ClientError({"Error": {"Code": code, "Message": "Rate Exceeded."}}, "Invoke")

        monkeypatch.setattr("boto3.client", lambda *_, **__: SimpleNamespace(invoke=invoke))

    answering("TooManyRequestsException")
    with pytest.raises(ThrottledError):
        ScoringVersion("arn").verify("sales", "b1")
    answering("AccessDeniedException")
    with pytest.raises(ClientError):
        ScoringVersion("arn").verify("sales", "b1")


@pytest.mark.parametrize(("kind", "raised"), [("NotFoundError", NotFoundError), ("KeyError", DeploymentRefusedError)])
def test_what_a_version_lacks_is_reported_from_what_it_fails_at(
    monkeypatch: pytest.MonkeyPatch, kind: str, raised: type[Exception]
) -> None:
    payload = json.dumps({"errorType": kind, "errorMessage": "m"}).encode()
    client = SimpleNamespace(invoke=lambda **_: {"FunctionError": "Unhandled", "Payload": io.BytesIO(payload)})
    monkeypatch.setattr("boto3.client", lambda *_, **__: client)
    with pytest.raises(raised, match="m"):
        ScoringVersion("arn").verify("sales", "b1")


@pytest.mark.parametrize(("error", "raised"), [("NotFoundError", NotFoundError), ("ConflictError", DeploymentRefusedError)])
def test_what_a_version_answers_to_lack_is_no_error_of_its_own(
    monkeypatch: pytest.MonkeyPatch, error: str, raised: type[Exception]
) -> None:
    payload = json.dumps({"refused": {"error": error, "message": "m", "remedy": "", "code": "c"}}).encode()
    client = SimpleNamespace(invoke=lambda **_: {"Payload": io.BytesIO(payload)})
    monkeypatch.setattr("boto3.client", lambda *_, **__: client)
    with pytest.raises(raised, match="m"):
        ScoringVersion("arn").verify("sales", "b1")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What CodeDeploy hears, by a handler whose store holds one batch."""
    store = MemoryStore("store")
    Manifests(store).commit(batch(1))
    said: list[dict[str, str]] = []
    for name in ("EVERSCORE_STACK", "EVERSCORE_INBOX", "EVERSCORE_STORE", "EVERSCORE_NEW_VERSION", "EVERSCORE_SERVING"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("EVERSCORE_CODE_CHECK", "on")
    code_check_settings.cache_clear()
    client = SimpleNamespace(put_lifecycle_event_hook_execution_status=lambda **answer: said.append(answer))
    monkeypatch.setattr("boto3.client", lambda service, **_: {"codedeploy": client}[service])
    monkeypatch.setattr("functions.shared.adapters.s3.s3_client", lambda: None)
    monkeypatch.setattr("functions.shared.adapters.s3.S3ObjectStore", lambda *_: store)
    return said


@pytest.mark.parametrize(("different", "status"), [((), "Succeeded"), (("part-00000.parquet",), "Failed")])
def test_a_deployment_goes_on_only_if_all_bytes_are_the_same(
    answers: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch, different: tuple[str, ...], status: str
) -> None:
    monkeypatch.setattr("functions.shared.adapters.deployments.ScoringVersion.verify", lambda *_: different)
    handler(ASKED, CONTEXT)
    assert answers == [{"deploymentId": "d-EXAMPLE11", "lifecycleEventHookExecutionId": "execution", "status": status}]


def test_a_check_that_breaks_off_stops_the_deployment(answers: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> tuple[str, ...]:
        raise RuntimeError

    monkeypatch.setattr("functions.shared.adapters.deployments.ScoringVersion.verify", broken)
    with pytest.raises(RuntimeError):
        handler(ASKED, CONTEXT)
    assert [answer["status"] for answer in answers] == ["Failed"]


def test_a_change_that_is_meant_to_change_bytes_is_deployed_unchecked(
    answers: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVERSCORE_CODE_CHECK", "off")
    monkeypatch.setattr("functions.shared.adapters.deployments.ScoringVersion.verify", lambda *_: ("part-00000.parquet",))
    handler(ASKED, CONTEXT)
    assert [answer["status"] for answer in answers] == ["Succeeded"]
