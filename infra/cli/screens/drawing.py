"""What several screens draw alike."""

import math
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

_BARS = "▁▂▃▄▅▆▇█"

UNSEEN_WARNED = 0.05
"""Share of rows with a category that training did not know from which on a person should look: a model guesses on these."""


def sparkline(values: Sequence[float], *marks: float) -> str:
    """Values as a line of bars, on a scale that holds all of them and the marks too.

    >>> sparkline([1.0, 2.0, 8.0]), sparkline([6.0, 7.0, 8.0], 0.0), sparkline([0.0, 1.0], 7.0)
    ('▁▂█', '▆▇█', '▁▂')
    """
    low, high = min(*values, *marks, math.inf), max(*values, *marks, -math.inf)
    step = (high - low) / (len(_BARS) - 1) or 1.0
    return "".join(_BARS[round((value - low) / step)] for value in values)


def table_of(*columns: str, title: str | None = None) -> Table:
    """An empty table of these columns, the last of which wraps."""
    table = Table(*columns, title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    table.columns[-1].overflow = "fold"
    return table


def figure(value: float | None) -> str:
    """A metric's value, which may be missing."""
    return "none" if value is None else f"{value:.4f}"


def erased(version: dict[str, Any]) -> str:
    """How many of a version's rows were erased since it learnt them, if any were."""
    return f" ({version['erased_rows']:,} erased since)" if version["erased_rows"] else ""


def unseen_lines(shares: dict[str, float]) -> list[Text]:
    """Shares of rows by category that training did not know, from the largest down; many are warned of."""
    few = ", ".join(f"{feature} {share:.1%}" for feature, share in shares.items() if share < UNSEEN_WARNED)
    many = [
        f"warning: {share:.1%} of the rows have a {feature} that training did not know: does the file write it otherwise?"
        for feature, share in shares.items()
        if share >= UNSEEN_WARNED
    ]
    return [*(Text(line, "yellow") for line in many), *([Text(f"rows with a category that training did not know: {few}")] if few else [])]


def meaning(found: dict[str, Any]) -> str:
    """What a model predicts, and what its score is; empty where that is unknown.

    >>> meaning({"target": "left", "task": "binary", "positive": "yes"})
    'predicts left (binary), score = P(left = yes)'
    """
    target = found["target"]
    scores = {
        "binary": f"score = P({target} = {found['positive']})",
        "multiclass": f"score_CLASS = P({target} = CLASS)",
        "regression": f"score = the predicted {target}",
    }
    return f"predicts {target} ({found['task']}), {scores[found['task']]}" if target else ""
