"""Scoring in real processes that are killed at every call to S3, or work on one object at once, against the embedded AWS."""

import hashlib
import json
import random
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from functions.shared.adapters.s3 import S3ObjectStore
from functions.shared.domain import layout
from functions.shared.domain.manifest import Manifest, StoredFile
from functions.shared.engines.engine import EngineKind
from functions.shared.repositories.manifests import Manifests
from infra.local.servers import REGION
from tests.component.scoring.world import as_csv, good_rows
from tests.fakes.documents import serve
from tests.fakes.versions import MODEL, make_version
from tests.integration.embedded import INBOX, STORE, embedded_aws, order_taker

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BODY = as_csv([{**row, "price": "x"} if number % 8 == 5 else row for number, row in enumerate(good_rows(80))])
KEYS = count()

type Kill = dict[str, str] | None


@dataclass(frozen=True)
class Stage:
    """Two buckets of an embedded AWS, a model that serves in a rollout, and a process that scores."""

    client: "S3Client"
    worker: subprocess.Popen[str]

    @cached_property
    def inbox(self) -> S3ObjectStore:
        return S3ObjectStore(self.client, INBOX)

    @cached_property
    def store(self) -> S3ObjectStore:
        return S3ObjectStore(self.client, STORE)

    def upload(self) -> "Upload":
        """The same rows under a new key."""
        info = self.inbox.write(f"batches/{MODEL}/{next(KEYS)}.csv", BODY)
        return Upload(self, info.key, info.version_id)

    def order(self, event: dict[str, Any], kills: Sequence[Kill]) -> tuple[list[int], list[str]]:
        """Let a copy for each of `kills` work on an event; how each ended, and what the first asked of S3."""
        assert self.worker.stdin is not None
        assert self.worker.stdout is not None
        self.worker.stdin.write(json.dumps({"event": event, "copies": len(kills), "kill": kills}) + "\n")
        self.worker.stdin.flush()
        answer = json.loads(self.worker.stdout.readline())
        return answer["codes"], answer["calls"]


@dataclass(frozen=True)
class Upload:
    """One uploaded version, and what became of it."""

    stage: Stage
    key: str
    version_id: str

    @property
    def batch(self) -> str:
        return layout.batch_id(INBOX, self.key, self.version_id)

    def deliver(self, *kills: Kill) -> list[int]:
        """Deliver it once to each of several processes at the same time; how each ended."""
        return self.stage.order(self._event, kills or [None])[0]

    def calls(self) -> list[str]:
        """What an undisturbed delivery asks of S3."""
        codes, calls = self.stage.order(self._event, [None])
        assert codes == [0]
        return calls

    @property
    def _event(self) -> dict[str, Any]:
        detail = {"bucket": {"name": INBOX}, "object": {"key": self.key, "size": len(BODY), "version-id": self.version_id}}
        record = {"messageId": "m", "eventSource": "aws:sqs", "attributes": {"ApproximateReceiveCount": "1"}}
        return {"Records": [record | {"body": json.dumps({"source": "aws.s3", "detail": detail})}]}

    def manifests(self) -> list[str]:
        """All that was ever written as a manifest of this batch."""
        pages = self.stage.client.get_paginator("list_object_versions").paginate(Bucket=STORE, Prefix=f"manifests/{MODEL}/")
        return [found["Key"] for page in pages for found in page.get("Versions", []) if self.batch in found["Key"]]

    def standing(self) -> Manifest:
        """The one manifest of the batch."""
        [key] = self.manifests()
        return Manifests(self.stage.store).read(key)

    def stored(self) -> set[str]:
        """Files of all its attempts."""
        prefixes = (layout.scored_prefix(MODEL, self.batch), layout.quarantine_prefix(MODEL, self.batch))
        return {info.key for prefix in prefixes for info in self.stage.store.list(prefix)}

    def check(self, expected: Manifest) -> Manifest:
        """One manifest, which says what an undisturbed run's says, and whole files of one attempt, byte for byte the same."""
        standing = self.standing()
        assert comparable(standing) == comparable(expected)
        for file in files(standing):
            assert f"/{standing.attempt}/" in file.key
            assert hashlib.sha256(self.stage.store.read(file.key)).hexdigest() == file.sha256
        return standing


def files(manifest: Manifest) -> tuple[StoredFile, ...]:
    return (*manifest.outputs, *manifest.quarantine)


def comparable(manifest: Manifest) -> dict[str, Any]:
    """A manifest without its upload's and its attempt's names, and without times."""
    fields = manifest.model_dump(exclude={"batch_id", "source", "attempt", "created_at", "timings", "outputs", "quarantine"})
    return fields | {"files": [(file.rows, file.bytes, file.sha256) for file in files(manifest)]}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The embedded AWS's S3 alone; its endpoint."""
    with embedded_aws(tmp_path_factory.mktemp("ministack")) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def stage(aws: str) -> Iterator[Stage]:
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    client = session.client("s3", endpoint_url=aws, config=Config(proxies={}))
    for bucket in (INBOX, STORE):
        client.create_bucket(Bucket=bucket)
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    serve(S3ObjectStore(client, STORE), make_version(), make_version("2", EngineKind.BITVECTOR, seed=2), share=0.5)
    with order_taker("scoring", aws, EVERSCORE_PARTITION_ABOVE_MB="512", EVERSCORE_STATE_MACHINE="none") as worker:
        yield Stage(client, worker)


@pytest.fixture(scope="module")
def expected(stage: Stage) -> Manifest:
    """What an undisturbed run leaves."""
    upload = stage.upload()
    assert upload.deliver() == [0]
    standing = upload.standing()
    assert upload.check(standing).rows_quarantined == 10
    assert upload.stored() == {file.key for file in files(standing)}
    return standing


COMMIT = "PutObject 2"
"""The manifest; before it the quarantined rows were put, and the scored ones in parts."""


@pytest.fixture(scope="module")
def calls(stage: Stage) -> list[str]:
    return stage.upload().calls()


WRITES = ("Create", "Upload", "Complete", "Put", "Delete", "List")


def steps(calls: Sequence[str]) -> list[Kill]:
    """Before and after every call; of one that only reads before it, since after it is before the next."""
    return [{"call": call, "side": side} for call in calls for side in ("before", "after") if side == "before" or call.startswith(WRITES)]


def test_the_steps_are_all_there_are_on_the_way_of_a_batch(calls: list[str]) -> None:
    operations = {call.split()[0] for call in calls}
    assert operations == {
        *("HeadObject", "GetObject", "CreateMultipartUpload", "UploadPart"),
        *("CompleteMultipartUpload", "PutObject", "ListObjectsV2"),
    }
    assert sum(call.startswith("UploadPart") for call in calls) >= 3
    assert calls.index("CompleteMultipartUpload 1") < calls.index("PutObject 1") < calls.index("ListObjectsV2 1") < calls.index(COMMIT)


def write_path(calls: Sequence[str]) -> list[str]:
    """From the last call before the first write on: whatever was killed earlier had left nothing."""
    return list(calls[calls.index("CreateMultipartUpload 1") - 1 :])


def test_a_process_killed_at_any_step_is_made_good_by_the_next_delivery(stage: Stage, calls: list[str], expected: Manifest) -> None:
    after_commit = steps(calls[calls.index(COMMIT) :])[1:]
    for kill in steps([calls[0], *write_path(calls)]):
        upload = stage.upload()
        assert upload.deliver(kill) == [-9], kill
        committed = upload.manifests() != []
        assert committed == (kill in after_commit), kill
        if committed:
            upload.check(expected)
        assert upload.deliver() == [0], kill
        standing = upload.check(expected)
        assert upload.stored() == {file.key for file in files(standing)}, kill


def test_a_process_killed_while_it_clears_up_after_a_killed_one_leaves_but_files_no_manifest_names(
    stage: Stage, calls: list[str], expected: Manifest
) -> None:
    before_commit: Kill = {"call": COMMIT, "side": "before"}
    probe = stage.upload()
    assert probe.deliver(before_commit) == [-9]
    clearing = [call for call in probe.calls() if call not in calls]
    assert clearing == ["DeleteObjects 1"]
    assert probe.stored() == {file.key for file in files(probe.check(expected))}
    for kill in steps(["ListObjectsV2 1", "ListObjectsV2 2", COMMIT, "DeleteObjects 1"]):
        upload = stage.upload()
        assert upload.deliver(before_commit) == [-9]
        crashed = upload.stored()
        assert len(crashed) == 2
        assert upload.deliver(kill) == [-9], kill
        assert upload.deliver() == [0]
        named = {file.key for file in files(upload.check(expected))}
        assert named <= upload.stored() <= named | crashed, kill


def test_several_processes_on_one_object_at_once_leave_one_batch(stage: Stage, expected: Manifest) -> None:
    for _ in range(4):
        upload = stage.upload()
        assert upload.deliver(None, None, None, None) == [0, 0, 0, 0]
        standing = upload.check(expected)
        assert upload.stored() == {file.key for file in files(standing)}


def test_processes_on_one_object_of_which_some_are_killed_leave_one_batch(stage: Stage, calls: list[str], expected: Manifest) -> None:
    rng = random.Random(7)
    for _ in range(8):
        upload = stage.upload()
        codes = upload.deliver(rng.choice(steps(write_path(calls))), None, rng.choice(steps(write_path(calls))))
        assert codes[1] == 0
        upload.check(expected)
        assert upload.deliver() == [0]
        standing = upload.check(expected)
        attempts = {key.split("/")[3] for key in upload.stored()}
        assert len(attempts) <= 1 + codes.count(-9)
        assert standing.attempt in attempts


def test_an_object_overwritten_while_it_is_scored_is_another_batch(stage: Stage, expected: Manifest, tmp_path: Path) -> None:
    upload = stage.upload()
    newer = Upload(stage, upload.key, stage.inbox.write(upload.key, as_csv(good_rows(5))).version_id)
    assert upload.deliver() == [0]
    assert newer.deliver() == [0]
    upload.check(expected)
    assert newer.standing().rows_scored == 5
