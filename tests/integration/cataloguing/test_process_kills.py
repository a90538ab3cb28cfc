"""Cataloguing in real processes that are killed at every call to S3 and AWS Glue, against the embedded AWS; DuckDB reads what is left."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

from functions.cataloguing.glue import glue_tables
from functions.cataloguing.labels import catalogue_labels
from functions.cataloguing.ports import Ports
from functions.cataloguing.service import catalogue
from functions.shared.adapters.s3 import S3ObjectStore
from functions.shared.domain import layout
from infra.local.servers import REGION
from tests.component.metric_emission.test_day_labels import put
from tests.component.metric_emission.world import DAY
from tests.duck import duckdb_over
from tests.fakes.documents import serve
from tests.fakes.versions import MODEL, make_version
from tests.integration.cataloguing.world import ARRIVED, Scorings, days_of, rows
from tests.integration.embedded import STACK, STORE, embedded_aws, order_taker

pytestmark = pytest.mark.timeout(1800)  # a hundred deaths, each with two processes and three answers

type Kill = dict[str, str]
WRITES = ("Put", "Create", "Update", "Delete")


class Stage(Scorings):
    """A bucket and a catalogue of an embedded AWS, a process that catalogues, and DuckDB, which reads the tables."""

    def __init__(self, aws: str, worker: subprocess.Popen[str] | None = None) -> None:
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
        s3, self._glue = (session.client(name, endpoint_url=aws, config=Config(proxies={})) for name in ("s3", "glue"))
        s3.create_bucket(Bucket=STORE)
        s3.put_bucket_versioning(Bucket=STORE, VersioningConfiguration={"Status": "Enabled"})
        super().__init__(S3ObjectStore(s3, STORE))
        self._worker = worker
        self.ports = Ports(self.store, glue_tables(self._glue, self.store, STACK))
        self._duckdb = duckdb_over(aws)

    def close(self) -> None:
        self._duckdb.close()

    def deliver(self, key: str, kill: Kill | None = None) -> tuple[int, list[str]]:
        """Deliver an object's event; how it ended, and what was asked of AWS."""
        detail = {"bucket": {"name": STORE}, "object": {"key": key, "size": 9, "version-id": "v"}}
        record = {"messageId": "m", "eventSource": "aws:sqs", "attributes": {"ApproximateReceiveCount": "1"}}
        event = {"Records": [record | {"body": json.dumps({"source": "aws.s3", "detail": detail})}]}
        assert self._worker is not None
        assert self._worker.stdin is not None
        assert self._worker.stdout is not None
        self._worker.stdin.write(json.dumps({"event": event, "copies": 1, "kill": [kill]}) + "\n")
        self._worker.stdin.flush()
        answer = json.loads(self._worker.stdout.readline())
        return answer["codes"][0], answer["calls"]

    def shown(self, columns: str, model: str, kind: str) -> list[tuple[Any, ...]]:
        """What DuckDB reads, in order."""
        where = self._glue.get_table(DatabaseName=STACK, Name=f"{model}_{kind}")["Table"]["Parameters"]["metadata_location"]
        return self._duckdb.execute(f"SELECT {columns} FROM iceberg_scan('{where}') ORDER BY ALL").fetchall()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with (
        embedded_aws(tmp_path_factory.mktemp("ministack")) as aws,
        order_taker("cataloguing", aws) as worker,
        closing(Stage(aws, worker)) as stage,
    ):
        yield stage


def steps(calls: Sequence[str]) -> list[Kill]:
    """Before every call, and after every one that writes: after one that reads is before the next."""
    return [{"call": call, "side": side} for call in calls for side in ("before", "after") if side == "before" or call.startswith(WRITES)]


class Change:
    """A model whose upload was scored again, and another came, since its tables were brought to its manifests."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self.model = stage, stage.new_model()
        first = stage.scored("a.csv", rows(0, 2), model=self.model)
        catalogue(self.model, days_of(first), stage.ports)
        again = stage.scored("a.csv", rows(0, 2), model=self.model, purpose="rescore:2", created=timedelta(hours=1))
        other = stage.scored("b.csv", rows(2, 1), model=self.model)
        self.key = layout.manifest_key(self.model, ARRIVED.date(), other.batch_id)
        self.before = [(first.batch_id, "0"), (first.batch_id, "1")]
        self.after = sorted([(again.batch_id, "0"), (again.batch_id, "1"), (other.batch_id, "2")])
        self.batches = sorted([(again.batch_id, True), (first.batch_id, False), (other.batch_id, True)])

    def scored(self) -> list[tuple[Any, ...]]:
        return self._stage.shown("batch_id, id", self.model, "scored")


def test_a_process_killed_at_any_call_leaves_tables_that_answer_and_the_next_delivery_completes_them(stage: Stage) -> None:
    probe = Change(stage)
    code, calls = stage.deliver(probe.key)
    assert (code, probe.scored()) == (0, probe.after)
    assert {call.split()[0] for call in calls} >= {"GetTable", "UpdateTable", "ListObjectsV2", "GetObject", "PutObject"}
    kills = steps(calls)
    assert len(kills) > 40
    seen = set()
    for kill in kills:
        change = Change(stage)
        assert stage.deliver(change.key, kill)[0] == -9, kill
        left = change.scored()
        assert left in (change.before, change.after), kill
        seen.add(left == change.after)
        assert stage.deliver(change.key)[0] == 0, kill
        assert change.scored() == change.after, kill
        assert stage.shown("batch_id, standing", change.model, "batches") == change.batches, kill
    assert seen == {True, False}, "some died before the commit, and some after it"


def test_a_process_killed_at_any_call_leaves_each_labelled_row_once(stage: Stage) -> None:
    serve(stage.store, make_version())  # type: ignore[arg-type]
    put(stage.store, "f1", [("a", "yes"), ("b", "no")], 0)
    catalogue_labels(MODEL, stage.ports)
    expected = [("a", "yes"), ("b", "no")]

    def shown() -> list[tuple[Any, ...]]:
        return stage.shown("id, everscore_label", MODEL, "labelled")

    def correct(number: int) -> str:
        """One more person, and a correction of another's label."""
        known = dict(expected) | {f"p{number}": "no", "a": ("yes", "no")[number % 2]}
        expected[:] = sorted(known.items())
        put(stage.store, f"g{number:03}", [(f"p{number}", "no"), ("a", known["a"])], number + 1)
        return layout.labelled_key(MODEL, DAY, f"g{number:03}")

    code, calls = stage.deliver(correct(0))
    assert (code, shown()) == (0, expected)
    for number, kill in enumerate(steps(calls), start=1):
        before, key = [*expected], correct(number)
        assert stage.deliver(key, kill)[0] in {-9, 0}, kill
        assert shown() in (before, expected), kill
        assert stage.deliver(key)[0] == 0, kill
        assert shown() == expected, kill
