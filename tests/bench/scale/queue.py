"""Many small files through the real template on the embedded AWS: uploads, queue, functions as processes of this machine, manifests."""

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from time import perf_counter

import boto3
from botocore.config import Config

from functions.shared.adapters.s3 import S3ObjectStore
from functions.shared.domain import layout
from infra.local.embedded import embedded_aws
from tests.bench.scoring.world import MILLION, World

MODEL = "boosting"


@dataclass(frozen=True, slots=True)
class Throughput:
    """That many files of that many rows: seconds from the first upload to the last manifest, and calls of functions that were cold."""

    files: int
    rows: int
    seconds: float
    cold: int


def measure_throughput(world: World, files: int, rows: int) -> Throughput:
    """Upload files as fast as may be, and wait for all manifests."""
    with world.rows(MILLION).open("rb") as lines:
        body = b"".join(islice(lines, rows + 1))
    with tempfile.TemporaryDirectory() as home:
        os.environ["EVERSCORE_HOME"] = home
        with embedded_aws("many", parameters={"ScheduleState": "DISABLED", "ScoringConcurrency": "2"}) as stack:
            env = stack.env()
            client = boto3.client(
                "s3",
                endpoint_url=stack.endpoint,
                aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
                region_name=env["AWS_DEFAULT_REGION"],
                config=Config(max_pool_connections=8),
            )
            inbox, store = S3ObjectStore(client, stack.inbox), S3ObjectStore(client, stack.store)
            for path in world.store.rglob("*"):
                if path.is_file() and "releases" in path.parts:
                    store.write(path.relative_to(world.store).as_posix(), path.read_bytes())
            _score(inbox, store, [f"warm-{number}" for number in range(4)], body)
            began = perf_counter()
            _score(inbox, store, [str(number) for number in range(files)], body)
            seconds = perf_counter() - began
            logged = (stack.folder / "ministack.log").read_text()
    return Throughput(files, rows, seconds, logged.count("Lambda worker spawned for many-Scoring"))


def _score(inbox: S3ObjectStore, store: S3ObjectStore, names: list[str], body: bytes) -> None:
    before = sum(1 for _ in store.list(layout.manifest_prefix(MODEL)))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: inbox.write(f"{layout.BATCHES}/{MODEL}/{name}.csv", body), names))
    while sum(1 for _ in store.list(layout.manifest_prefix(MODEL))) < before + len(names):
        time.sleep(0.2)
