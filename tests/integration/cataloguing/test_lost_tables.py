"""Tables of a catalogue whose metadata is in no store of the stack: an earlier stack of the same name left them."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from functions.cataloguing.glue import glue_tables
from functions.cataloguing.ports import Ports
from functions.cataloguing.service import catalogue, rebuild
from functions.shared.domain.errors import InputError, TableLostError
from infra.cli.sql import ask
from tests.fakes.memory_store import MemoryStore
from tests.integration.cataloguing.world import Scorings, days_of, rows


class Stack(Scorings):
    """A stack `everscore` with a store of its own, and the account's catalogue."""

    def __init__(self, glue: Any, bucket: str) -> None:
        self.bucket = MemoryStore(bucket)
        super().__init__(self.bucket)
        self.ports = Ports(self.bucket, glue_tables(glue, self.bucket, "everscore"))
        self.operator: Any = SimpleNamespace(client=lambda _: glue, store=self.bucket, name="everscore")

    def rows_shown(self) -> int:
        return sum(file.rows for file in self.ports.tables.open("m", "scored").files())


@pytest.fixture
def glue() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("glue", region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture
def earlier(glue: Any) -> Stack:
    stack = Stack(glue, "everscore-store-old")
    catalogue("m", days_of(stack.scored("first.csv", rows(0, 2))), stack.ports)
    return stack


def test_a_table_that_an_earlier_stack_left_is_refused_until_it_is_made_again(glue: Any, earlier: Stack) -> None:
    later = Stack(glue, "everscore-store-new")
    batch = later.scored("second.csv", rows(2, 3))
    kept = set(earlier.bucket.keys())
    with pytest.raises(TableLostError, match="s3://everscore-store-old/") as refused:
        catalogue("m", days_of(batch), later.ports)
    assert refused.value.remedy.startswith("`everscore table rebuild m`")
    assert rebuild("m", later.ports).added == 1
    assert later.rows_shown() == 3
    assert set(earlier.bucket.keys()) == kept, "what the earlier stack kept stays whole"


def test_a_table_whose_metadata_was_removed_is_made_again(earlier: Stack) -> None:
    earlier.bucket.delete([found.key for found in earlier.bucket.list("tables/") if found.key.endswith(".metadata.json")])
    with pytest.raises(TableLostError):
        earlier.ports.tables.open("m", "scored")
    rebuild("m", earlier.ports)
    assert earlier.rows_shown() == 2


def test_a_query_never_answers_with_the_rows_of_an_earlier_stack(glue: Any, earlier: Stack) -> None:
    with pytest.raises(TableLostError, match="m_scored is not in this stack's store"):
        ask("SELECT count(*) FROM m_scored", Stack(glue, "everscore-store-new").operator)


def test_another_models_table_is_never_taken_out(earlier: Stack) -> None:
    """Names of tables know no capitals."""
    with pytest.raises(InputError, match="is that of the model 'm'"):
        rebuild("M", earlier.ports)
    assert earlier.rows_shown() == 2
