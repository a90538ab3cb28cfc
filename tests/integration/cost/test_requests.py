"""What an estimate takes batches and labels to ask of S3 is what they do ask."""

import pytest

from functions.metric_emission import totals
from infra.cost.estimate import GETS_A_BATCH, GETS_A_LABEL_FILE, PUTS_A_BATCH, PUTS_A_LABEL_FILE
from tests.bench.growth.history import History
from tests.component.metric_emission.world import DAY, World, rows
from tests.fakes.counting_store import CountingStore

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
