"""What an estimate takes a batch to ask of S3 is what scoring and measuring it do ask."""

from infra.cost.estimate import GETS_A_BATCH, PUTS_A_BATCH
from tests.bench.growth.history import History

MOST_OF_SCORING = 11
PARTS_WRITTEN = 1
"""Files of scored rows, which an estimate counts by their bytes."""


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
