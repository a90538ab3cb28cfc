"""What an embedded AWS exposes of the totals in its store."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from moto import mock_aws

from functions.metric_emission.measurements import Measurement
from functions.metric_emission.totals import fold
from functions.shared.adapters.s3 import S3ObjectStore, s3_client
from functions.shared.domain import layout
from functions.shared.domain.metrics import MODELS, ROWS_IN, Metric, Occasion
from infra.local.exposition import StoredTotals
from infra.local.stacks import STACK, Stack

HOUR = timedelta(hours=1)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3ObjectStore]:
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = s3_client()
        client.create_bucket(Bucket="store")
        yield S3ObjectStore(client, "store")


def up(folder: Path) -> None:
    """The stack in a folder is up."""
    urls = {"endpoint": "http://a", "mlflow_uri": "http://b", "metrics_url": "http://c/metrics"}
    stack = Stack(name="shop", folder=folder, **urls, inbox="inbox", store="store", functions={}, outputs={})
    (folder / STACK).write_bytes(stack.to_json())


def count(store: S3ObjectStore, name: str, metric: Metric, value: float, *, ago: timedelta) -> None:
    measured = [Measurement(metric, value, dict.fromkeys(metric.dimensions, name))]
    fold(name, metric.occasion, measured, store=store, now=lambda: datetime.now(UTC) - ago)


def exposed(folder: Path) -> dict[tuple[str, str | None], float]:
    """Values by name and model."""
    samples = [sample for family in StoredTotals(folder).collect() for sample in family.samples]
    assert {sample.labels["stack"] for sample in samples} <= {"shop"}
    return {(sample.name, sample.labels.get("model")): sample.value for sample in samples}


def test_nothing_is_exposed_before_the_stack_is_up(tmp_path: Path, store: S3ObjectStore) -> None:
    count(store, "sales", ROWS_IN, 5, ago=HOUR)
    assert exposed(tmp_path) == {}


def test_each_scrape_reads_what_stands_then(tmp_path: Path, store: S3ObjectStore) -> None:
    up(tmp_path)
    assert exposed(tmp_path) == {}
    for rows in (5, 10):
        count(store, "sales", ROWS_IN, 5, ago=HOUR)
        count(store, layout.FLEET, MODELS, 1, ago=HOUR)
        assert exposed(tmp_path) == {(ROWS_IN.prometheus, "sales"): rows, (MODELS.prometheus, None): 1}


def test_what_even_the_tick_has_left_alone_is_exposed_no_more(tmp_path: Path, store: S3ObjectStore) -> None:
    up(tmp_path)
    count(store, layout.FLEET, MODELS, 1, ago=4 * HOUR)
    count(store, "retired", ROWS_IN, 5, ago=4 * HOUR)
    count(store, "idle", ROWS_IN, 5, ago=4 * HOUR)
    fold("idle", Occasion.TICK, [], store=store, now=lambda: datetime.now(UTC))
    assert exposed(tmp_path) == {(ROWS_IN.prometheus, "idle"): 5}
