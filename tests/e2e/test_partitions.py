"""Files scored in partitions by the real state machine, on the embedded AWS."""

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import psutil
import pyarrow.parquet as pq
import pytest

from functions.shared.adapters.s3 import S3ObjectStore
from functions.shared.domain import layout
from functions.shared.domain.errors import NotFoundError
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.ports import ObjectInfo
from functions.shared.repositories.manifests import Manifests
from infra.local.embedded import embedded_aws
from infra.local.stacks import Stack, read_keeper
from infra.places import ROOT
from tests.component.scoring.world import World, as_csv, good_rows
from tests.fakes.documents import serve
from tests.fakes.versions import MODEL, make_version
from tests.integration.partitioning.world import as_comparable

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

ROWS = [{**row, "price": "x"} if number % 9 == 4 else {**row, "note": "a\nb"} for number, row in enumerate(good_rows(60))]
BODY = as_csv(ROWS)
NAMES = count()
SECONDS = 120


class Cloud:
    """An embedded AWS on which a version serves, and the people around it."""

    def __init__(self, stack: Stack) -> None:
        env = stack.env()
        session = boto3.Session(
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
            region_name=env["AWS_DEFAULT_REGION"],
        )
        s3 = session.client("s3", endpoint_url=stack.endpoint)
        self.stack = stack
        self.inbox, self.store = S3ObjectStore(s3, stack.inbox), S3ObjectStore(s3, stack.store)
        self.machine = stack.outputs["PartitionedScoringMachine"]
        self.states: SFNClient = session.client("stepfunctions", endpoint_url=stack.endpoint)
        serve(self.store, make_version())

    def upload(self, partitions: int | None, body: bytes = BODY) -> ObjectInfo:
        """The file under a new name, to be scored in about as many partitions, or whole."""
        name = f"{next(NAMES)}.csv"
        key = layout.partitioned_key(MODEL, len(body) // partitions, name) if partitions else f"batches/{MODEL}/{name}"
        return self.inbox.write(key, body)

    def batch(self, upload: ObjectInfo) -> str:
        return layout.batch_id(self.inbox.bucket, upload.key, upload.version_id)

    def manifest(self, upload: ObjectInfo) -> Manifest | None:
        try:
            return Manifests(self.store).named(MODEL, self.batch(upload))
        except NotFoundError:
            return None

    def ended(self, upload: ObjectInfo, wanted: tuple[Status, ...] = (Status.SCORED, Status.SUSPECT)) -> Manifest:
        """The manifest of an upload, when it is as wanted."""
        end = time.monotonic() + SECONDS
        while (found := self.manifest(upload)) is None or found.status not in wanted:
            assert time.monotonic() < end, (found and found.error, self.history(upload))
            time.sleep(0.1)
        return found

    def execution(self, upload: ObjectInfo) -> str:
        return f"{self.machine.replace(':stateMachine:', ':execution:')}:{self.batch(upload)}"

    def status(self, upload: ObjectInfo) -> str:
        return self.states.describe_execution(executionArn=self.execution(upload))["status"]

    def history(self, upload: ObjectInfo) -> Any:
        """What happened, for whoever reads why a test failed."""
        try:
            return self.states.describe_execution(executionArn=self.execution(upload))
        except self.states.exceptions.ExecutionDoesNotExist:
            return "no execution"

    def workers(self) -> list[psutil.Process]:
        """The processes in which functions run."""
        keeper = read_keeper(self.stack.folder)
        assert keeper is not None
        [server] = [process for process in psutil.Process(keeper.pid).children() if "mended_ministack" in " ".join(process.cmdline())]
        return [worker for worker in server.children() if worker.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERSCORE_HOME", str(tmp_path_factory.mktemp("home")))
        parameters = {"ScheduleState": "DISABLED", "PartitionConcurrency": "2"}
        with embedded_aws("parts", parameters=parameters) as running:
            yield Cloud(running)


@pytest.fixture(scope="module")
def whole(cloud: Cloud) -> Manifest:
    """The file scored by one function."""
    return cloud.ended(cloud.upload(None))


def assert_same(cloud: Cloud, parted: Manifest, whole: Manifest) -> None:
    reader = World(store=cloud.store)  # type: ignore[arg-type]
    assert as_comparable(parted) == as_comparable(whole)
    assert reader.table(parted).to_pylist() == reader.table(whole).to_pylist()
    assert reader.quarantined(parted) == reader.quarantined(whole)


@pytest.mark.parametrize("partitions", [1, 12])
def test_a_file_scored_in_partitions_becomes_the_batch_that_it_is_when_scored_whole(cloud: Cloud, whole: Manifest, partitions: int) -> None:
    parted = cloud.ended(cloud.upload(partitions))
    assert_same(cloud, parted, whole)
    assert parted.partitions is not None
    assert abs(parted.partitions - partitions) <= partitions // 3


def test_workers_killed_at_random_change_nothing(cloud: Cloud, whole: Manifest) -> None:
    upload, rng, killed = cloud.upload(20), random.Random(3), 0
    while cloud.manifest(upload) is None and killed < 3:
        done = [found.key for found in cloud.store.list(layout.partitions_prefix(MODEL, cloud.batch(upload)))]
        # A worker may end by itself between two looks.
        with suppress(psutil.NoSuchProcess):
            if len(done) > 2 * killed and (workers := cloud.workers()):
                rng.choice(workers).kill()
                killed += 1
        time.sleep(0.05)
    parted = cloud.ended(upload)
    assert killed >= 1
    assert_same(cloud, parted, whole)


def test_an_execution_of_the_same_object_is_refused_by_name(cloud: Cloud) -> None:
    upload = cloud.upload(3)
    cloud.ended(upload)
    with pytest.raises(cloud.states.exceptions.ExecutionAlreadyExists):
        cloud.states.start_execution(
            stateMachineArn=cloud.machine,
            name=cloud.batch(upload),
            input=json.dumps({"key": upload.key, "version_id": upload.version_id}),
        )


def test_a_partition_that_fails_fails_the_batch_and_a_redrive_scores_what_is_missing(cloud: Cloud, whole: Manifest) -> None:
    upload = cloud.upload(None)
    cloud.ended(upload)
    # A version that no function has loaded yet, a file of which is gone.
    lost = serve(cloud.store, make_version("2", seed=2)).champion.prefix + "baseline.json"
    body = cloud.store.read(lost)
    cloud.store.delete([lost])
    upload = cloud.upload(4)
    failed = cloud.ended(upload, (Status.FAILED,))
    assert failed.error is not None
    assert failed.error.code == "partitions_failed"
    assert re.search(r"partition \d: \w+Error: .*baseline\.json", failed.error.message), failed.error.message
    assert f"redrive-execution --execution-arn {cloud.execution(upload)}" in failed.error.remedy
    end = time.monotonic() + SECONDS
    while cloud.status(upload) == "RUNNING":
        assert time.monotonic() < end
        time.sleep(0.1)
    assert cloud.status(upload) == "FAILED"
    cloud.store.write(lost, body)
    cloud.states.redrive_execution(executionArn=cloud.execution(upload))
    parted = cloud.ended(upload)
    assert parted.release is not None
    assert (parted.release.champion, parted.rows_in) == ("2", whole.rows_in)


def test_the_command_scores_in_partitions_and_fetches_the_rows(cloud: Cloud, tmp_path: Path) -> None:
    file, out = tmp_path / "june.csv", tmp_path / "june.parquet"
    file.write_bytes(as_csv(good_rows(60)))
    everscore = [sys.executable, "-c", "from infra.cli.main import run; run()"]
    command = [*everscore, "score", MODEL, str(file), "-o", str(out), "--partition-bytes", "900", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    shown = json.loads(done.stdout)
    assert shown["partitions"] > 2
    assert pq.read_table(out)["id"].to_pylist() == [row["id"] for row in good_rows(60)]
