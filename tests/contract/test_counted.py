"""Numbers and their nouns: "1 row", "2 rows"."""

import re

from infra.words import CHINESE, counted, speaking, stored
from infra.words.messages import all_messages

NOUNS = "rows|days|hours|labels|batches|files|uploads|models|columns|fields|objects|estimates|challengers"
BY_HAND = re.compile(rf"\{{(?!number)[^{{}}]*\}} (?:{NOUNS})\b")
ONLY_DEVELOPERS = ("infra/demo/", "functions/shared/engines/", "functions/shared/domain/counts.py")
NEVER_ONE = {
    "Each event day with its 95 % interval; the line is the mean of {days} days, weighted by rows.",
    "the last {days} days",
    "at least {0} rows",
    "Tried: {rows_scored} rows scored and measured; {objects_removed} objects removed again.",
    "The newest {batches} batches; older ones are not in this report.",
    "The {shown} of {columns} columns with the largest PSI.",
    "{files} files in {folder}. Next, in that folder:",
    "has classes in fewer than {0} rows ({1}), which can hardly be learnt",
    "{0} is {1}: at least {2} rows of either class are needed, some to learn and some to measure",
    "the file has {0} columns, the limit is {1}",
    "{0} has {1} columns {2} in row {3}",
    "{0} rows do not fit into {1}: an Excel sheet holds {2} below its header",
    "{0} columns do not fit into {1}: a sheet of Excel holds {2}",
    "Log loss of {file} on {labelled:,} labels of {rows:,} rows: {value:.3f} (95 %: {low:.3f} to {high:.3f})",
}
"""Messages whose numbers are constants, or above a limit."""


def test_a_number_that_may_be_one_is_put_before_its_noun_by_counted_or_plural() -> None:
    shown = [message for message in all_messages() if not message.place.startswith(ONLY_DEVELOPERS)]
    by_hand = {text for message in shown for text in (message.text, message.many) if text and BY_HAND.search(text)}
    assert by_hand - NEVER_ONE == set()


def test_a_counted_noun_has_the_readers_language() -> None:
    assert (counted(1, "batches"), counted(2000, "batches")) == ("1 batch", "2,000 batches")
    with speaking(CHINESE):
        assert (counted(1, "batches"), counted(2000, "batches")) == ("1 个批次", "2,000 个批次")
        assert stored("left out 1 row: outside the policy's row_contract.ranges") == "有 1 行没有使用：超出策略的 row_contract.ranges"
