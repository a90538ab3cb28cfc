"""What an estimate takes batches, labels and tables to ask of AWS is what they do ask."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from math import ceil
from typing import Any

import boto3
import pytest
from moto import mock_aws

from functions.cataloguing.glue import glue_tables
from functions.cataloguing.labels import catalogue_labels
from functions.cataloguing.ports import Ports
from functions.cataloguing.service import catalogue
from functions.cataloguing.upkeep import compare
from functions.metric_emission import totals
from infra.cost.estimate import (
    GETS_A_BATCH,
    GETS_A_COMMIT,
    GETS_A_COMPARISON,
    GETS_A_LABEL_COMMIT,
    GETS_A_LABEL_FILE,
    GLUE_A_COMMIT,
    GLUE_A_COMPARISON,
    GLUE_A_LABEL_COMMIT,
    PUTS_A_BATCH,
    PUTS_A_COMMIT,
    PUTS_A_COMPARISON,
    PUTS_A_LABEL_COMMIT,
    PUTS_A_LABEL_FILE,
)
from tests.bench.growth.history import History
from tests.component.metric_emission.world import DAY, World, rows
from tests.fakes.counting_store import CountingStore
from tests.fakes.versions import MODEL
from tests.integration.cataloguing.world import ARRIVED, Scorings, days_of
from tests.integration.cataloguing.world import rows as scored_rows

MOST_OF_SCORING = 11
MANY = 20
"""More files of labels than are read one by one, of a day with more batches than are."""
PARTS_WRITTEN = 1
"""Files of scored rows, which an estimate counts by their bytes."""


@pytest.fixture(autouse=True)
def _totals_name_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many were counted as totals name, so that one gets its mark with each that comes."""
    monkeypatch.setattr(totals, "REMEMBERED", 1)


def test_scoring_and_measuring_a_batch_ask_for_as_much_as_a_bill_says() -> None:
    history = History(1100, lambda _: History.LAST)
    acts = history.acts()
    puts = gets = 0
    for what in ("score a batch", "measure a batch"):
        named, act = next(acts)
        before = history.charged()
        act()
        after = history.charged()
        assert named == what
        assert what != "score a batch" or sum(after) - sum(before) <= MOST_OF_SCORING
        puts, gets = puts + after[0] - before[0], gets + after[1] - before[1]
    assert (puts - PARTS_WRITTEN, gets) == (PUTS_A_BATCH, GETS_A_BATCH)


def test_a_file_of_labels_of_one_batch_and_day_asks_for_as_much_as_a_bill_says() -> None:
    inbox, store = CountingStore("inbox"), CountingStore()
    world = World(inbox=inbox, store=store)
    asked = []
    for number in range(3 * MANY):
        world.scored(f"{number}.csv", rows(0.9, prefix=f"{number}-"))
    for number in range(MANY):
        created = world.upload_labels(f"id,at,bought\n{number}-0,{DAY}T10:00:00Z,yes\n", f"{number}.csv")
        before = inbox.puts + store.puts, inbox.gets + store.gets
        world.deliver(created)
        asked.append((inbox.puts + store.puts - before[0], inbox.gets + store.gets - before[1]))
    assert asked[-1] == asked[-10] == (PUTS_A_LABEL_FILE, GETS_A_LABEL_FILE)


class Glued:
    """Tables in AWS Glue over a counting store, and how many requests each act makes: writes, reads, and of Glue."""

    def __init__(self) -> None:
        self.store, self._glue = CountingStore(), 0
        client = boto3.client("glue", region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test")
        client.meta.events.register("before-call.glue", self._count)
        self.ports = Ports(self.store, glue_tables(client, self.store, "everscore"))

    def asked(self, act: Callable[[], object]) -> tuple[int, int, int]:
        before = self.store.puts, self.store.gets, self._glue
        act()
        return self.store.puts - before[0], self.store.gets - before[1], self._glue - before[2]

    def _count(self, **_: Any) -> None:
        self._glue += 1


@pytest.fixture
def glued() -> Iterator[Glued]:
    with mock_aws():
        yield Glued()


def mean_of(asked: list[tuple[int, int, int]]) -> tuple[int, ...]:
    return tuple(ceil(sum(counts) / len(asked)) for counts in zip(*asked, strict=True))


def test_a_batch_that_is_catalogued_alone_asks_for_as_much_as_a_bill_says(glued: Glued) -> None:
    """On the mean: from time to time a commit merges metadata."""
    scorings, asked = Scorings(glued.store), []
    for number in range(25):
        batch = scorings.scored(f"{number}.csv", scored_rows(number, 1), arrived=ARRIVED + timedelta(days=number // 2))
        asked.append(glued.asked(lambda batch=batch: catalogue("m", days_of(batch), glued.ports)))  # type: ignore[misc]
    assert mean_of(asked[5:]) == (PUTS_A_COMMIT, GETS_A_COMMIT, GLUE_A_COMMIT)


def test_a_file_of_labels_that_is_catalogued_alone_asks_for_as_much_as_a_bill_says(glued: Glued) -> None:
    world, asked = World(store=glued.store), []
    for number in range(25):
        day = DAY + timedelta(days=number)
        world.scored(f"{number}.csv", rows(0.9, prefix=f"{number}-", day=day))
        world.deliver(world.upload_labels(f"id,at,bought\n{number}-0,{day}T10:00:00Z,yes\n", f"{number}.csv"))
        asked.append(glued.asked(lambda: catalogue_labels(MODEL, glued.ports)))
    assert mean_of(asked[5:]) == (PUTS_A_LABEL_COMMIT, GETS_A_LABEL_COMMIT, GLUE_A_LABEL_COMMIT)


def test_an_hourly_comparison_asks_for_as_much_per_model_as_a_bill_says(glued: Glued) -> None:
    world = World(store=glued.store)
    world.scored("a.csv", rows(0.9))
    world.deliver(world.upload_labels(f"id,at,bought\nr0,{DAY}T10:00:00Z,yes\n", "a.csv"))
    compare(glued.ports, ARRIVED)
    asked = glued.asked(lambda: compare(glued.ports, ARRIVED))
    assert asked == (PUTS_A_COMPARISON, GETS_A_COMPARISON, GLUE_A_COMPARISON)
