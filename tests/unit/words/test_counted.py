"""Numbers and their nouns: "1 row", "2 rows"."""

from infra.words import CHINESE, counted, speaking, stored


def test_a_counted_noun_has_the_readers_language() -> None:
    assert (counted(1, "batches"), counted(2000, "batches")) == ("1 batch", "2,000 batches")
    with speaking(CHINESE):
        assert (counted(1, "batches"), counted(2000, "batches")) == ("1 个批次", "2,000 个批次")
        assert stored("left out 1 row: outside the policy's row_contract.ranges") == "有 1 行没有使用：超出策略的 row_contract.ranges"
