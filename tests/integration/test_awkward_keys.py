"""Uploads under any key that S3 takes, from S3's event through a queue to a manifest."""

import json
import unicodedata
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from functions.scoring.ports import Ports
from functions.scoring.service import score_batch
from functions.shared.adapters.s3 import S3ObjectStore, s3_client
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.layout import UNNAMED_MODEL
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.repositories.bundles import Bundles
from tests.component.scoring.world import as_csv, good_rows
from tests.fakes.documents import serve
from tests.fakes.versions import MODEL, make_version

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

INBOX, STORE = "everscore-inbox", "everscore-store"
NAMES = (
    *("a b.csv", "a+b.csv", "a%20b.csv", "a%2Fb%00.csv", "%2e%2e/x.csv", "q?x=1&y=2#z.csv"),
    *("../x.csv", "../../../../etc/x.csv", "./x.csv", "a//b.csv", "/x.csv", "x.csv/", "..", "."),
    *(unicodedata.normalize(form, "é.csv") for form in ("NFC", "NFD")),
    *("東 😀.csv", "\ufeff\u2028.csv", "a\nb\tc\rd.csv", " lead.csv", "trail ", "s3:TestEvent"),
    "a;b,c=d@e$f!'()*~|^`{}[]<>\"\\.csv",
    "x" * (1024 - len(f"batches/{MODEL}/")),
)
NAMELESS = (
    *("batches//x.csv", "batches/../x.csv", "batches/x.csv", f"batches/{MODEL}/", f"batches/{MODEL} /x.csv"),
    *(f"batches/{MODEL}%2F/x.csv", f"batches/{'m' * 65}/x.csv", "batches/é/x.csv", f"batches/{UNNAMED_MODEL}/x.csv", "batches/m\n/x.csv"),
)


@dataclass(frozen=True)
class Stage:
    """Two buckets, of which one notifies a queue of uploads, and a model that serves."""

    inbox: S3ObjectStore
    store: S3ObjectStore
    sqs: "SQSClient"
    queue: str

    def upload(self, key: str) -> StoredObject | None:
        """Upload rows; what the queue says of it."""
        self.inbox.write(key, as_csv(good_rows(3)))
        messages = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)["Messages"]
        for message in messages:  # moto reports an upload more than once
            self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        [created] = {StoredObject.from_event(message["Body"]) for message in messages}
        return created

    def score(self, created: StoredObject) -> Manifest:
        ports = Ports(self.inbox, self.store, Bundles(self.store), lambda: uuid.uuid4().hex, lambda: datetime.now(UTC))
        return score_batch(created, ports)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        s3, sqs, events = s3_client(), boto3.client("sqs"), boto3.client("events")
        for bucket in (INBOX, STORE):
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        queue = sqs.create_queue(QueueName="uploads")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name="uploads", EventPattern=json.dumps({"source": ["aws.s3"], "detail": {"bucket": {"name": [INBOX]}}}))
        events.put_targets(Rule="uploads", Targets=[{"Id": "queue", "Arn": arn}])
        s3.put_bucket_notification_configuration(Bucket=INBOX, NotificationConfiguration={"EventBridgeConfiguration": {}})
        store = S3ObjectStore(s3, STORE)
        serve(store, make_version())
        yield Stage(S3ObjectStore(s3, INBOX), store, sqs, queue)


def folders_of(stage: Stage, manifest: Manifest) -> list[str]:
    """Where the store holds anything of a batch."""
    return sorted({"/".join(found.key.split("/")[:2]) for found in stage.store.list("") if manifest.batch_id in found.key})


@pytest.mark.parametrize("name", NAMES)
def test_any_name_below_a_models_prefix_is_scored_for_that_model(stage: Stage, name: str) -> None:
    key = f"batches/{MODEL}/{name}"
    created = stage.upload(key)
    assert created
    manifest = stage.score(created)
    assert (created.key, manifest.source.key, manifest.model, manifest.status, manifest.rows_in) == (key, key, MODEL, Status.SCORED, 3)
    assert stage.score(created) == manifest
    assert key in [found.key for found in stage.inbox.list("batches/")]
    assert folders_of(stage, manifest) == [f"index/{MODEL}", f"manifests/{MODEL}", f"scored/{MODEL}"]


@pytest.mark.parametrize("key", NAMELESS)
def test_a_key_that_names_no_model_is_refused_with_a_manifest(stage: Stage, key: str) -> None:
    created = stage.upload(key)
    assert created
    manifest = stage.score(created)
    assert manifest.error
    assert (manifest.source.key, manifest.model, manifest.status, manifest.error.code) == (key, UNNAMED_MODEL, Status.FAILED, "no_model")
    assert folders_of(stage, manifest) == [f"index/{UNNAMED_MODEL}", f"manifests/{UNNAMED_MODEL}"]
