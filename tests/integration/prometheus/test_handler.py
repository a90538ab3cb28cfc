"""The tick as Lambda runs it: settings from the environment, queues and store in AWS, samples to a real Prometheus."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from functions.metric_emission import handler as entry
from functions.shared.adapters.s3 import S3ObjectStore, s3_client
from functions.shared.domain.errors import RemoteWriteError
from functions.shared.repositories.decisions import Decisions
from functions.shared.runtime import settings
from tests.fakes.documents import make_decision, serve
from tests.fakes.versions import MODEL, make_version
from tests.integration.prometheus.server import Prometheus, running_prometheus

TICK: dict[str, Any] = {"action": "tick"}


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    with running_prometheus(tmp_path) as server:
        yield server


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two buckets, a model that serves, and two queues, one with letters in it."""
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        s3 = s3_client()
        for bucket in ("inbox", "store"):
            s3.create_bucket(Bucket=bucket)
        store = S3ObjectStore(s3, "store")
        serve(store, make_version())
        Decisions(store).write(make_decision("1", champion_version=None))
        sqs = boto3.client("sqs")
        urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("scoring", "failed_events")}
        for _ in range(3):
            sqs.send_message(QueueUrl=urls["failed_events"], MessageBody="letter")
        for name, value in {
            "EVERSCORE_STACK": "shop",
            "EVERSCORE_INBOX": "inbox",
            "EVERSCORE_STORE": "store",
            "EVERSCORE_SCORING_MEMORY_MB": "1769",
            "EVERSCORE_QUEUES": " ".join(f"{name}={url}" for name, url in urls.items()),
            "POWERTOOLS_METRICS_NAMESPACE": "Everscore",
            "POWERTOOLS_SERVICE_NAME": "metric_emission",
        }.items():
            monkeypatch.setenv(name, value)
        for cached in (entry.ports, settings.measuring_settings):
            cached.cache_clear()
        yield
        for cached in (entry.ports, settings.measuring_settings):
            cached.cache_clear()


def test_a_tick_sends_what_the_store_and_the_queues_hold(prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERSCORE_REMOTE_WRITE_URL", prometheus.write_url)
    assert entry.handler(TICK, None) == {"models": 1}  # type: ignore[arg-type]
    assert prometheus.query("sum by (queue) (everscore_queued_messages)") == {
        frozenset({("queue", "scoring")}): 0,
        frozenset({("queue", "failed_events")}): 3,
    }
    assert prometheus.query("everscore_release_sequence") == {frozenset({("stack", "shop"), ("model", MODEL)}): 1}


def test_without_an_address_nothing_is_sent(prometheus: Prometheus) -> None:
    assert entry.handler(TICK, None) == {"models": 1}  # type: ignore[arg-type]
    assert prometheus.query("everscore_models") == {}


def test_a_prometheus_that_is_away_fails_the_tick_once_all_is_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVERSCORE_REMOTE_WRITE_URL", "http://127.0.0.1:1/api/v1/write")
    with pytest.raises(ExceptionGroup) as failed:
        entry.handler(TICK, None)  # type: ignore[arg-type]
    assert [type(failure) for failure in failed.value.exceptions] == [RemoteWriteError, RemoteWriteError], "the model's and the fleet's"
    assert {"ChampionAgeSeconds", "Models"} <= {
        json.loads(line)["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"] for line in capsys.readouterr().out.splitlines()
    }
