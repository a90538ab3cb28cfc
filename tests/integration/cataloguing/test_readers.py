"""The lines of docs/tables.md, run against the embedded AWS: each reader sees the batch and the day, which are in no file."""

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from functions.cataloguing.service import catalogue
from infra.local.servers import REGION
from infra.places import ROOT
from tests.integration.cataloguing.test_process_kills import Stage
from tests.integration.cataloguing.world import ARRIVED, days_of, rows
from tests.integration.embedded import STACK, embedded_aws

PAGE = (ROOT / "docs/tables.md").read_text()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, str]]:
    with embedded_aws(tmp_path_factory.mktemp("ministack")) as aws, closing(Stage(aws)) as stage:
        yield stage, aws


def test_pandas_and_duckdb_read_what_the_page_says(stage: tuple[Stage, str], monkeypatch: pytest.MonkeyPatch) -> None:
    world, aws = stage
    batch = world.scored("a.csv", rows(89, 5), model="churn")
    catalogue("churn", days_of(batch), world.ports)
    given = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": aws}
    for name, value in {**given, "EVERSCORE_ICEBERG_S3_ENDPOINT": aws}.items():
        monkeypatch.setenv(name, value)
    [lines] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    found: dict[str, Any] = {}
    exec(lines.replace('"everscore.churn_scored"', f'"{STACK}.churn_scored"'), found)
    shown = found["rows"].sort_values("id")[["id", "score", "batch_id", "arrived_on"]].to_numpy().tolist()
    assert shown == [[str(number), number / 100, batch.batch_id, ARRIVED.date()] for number in (91, 92, 93)]
    assert world.shown("id, batch_id", "churn", "scored") == [(str(number), batch.batch_id) for number in range(89, 94)]
