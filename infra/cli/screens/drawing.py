"""What several screens share."""

import math
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from functions.shared.domain.decision import Verdict
from infra.cli.screens.prose import Prose
from infra.words import _, coded, listed, stored

_BARS = "▁▂▃▄▅▆▇█"

UNSEEN_WARNED = 0.05
"""Share of rows with a category unknown to training above which a person should look: the model guesses on these rows."""


def sparkline(values: Sequence[float], *marks: float) -> str:
    """Return values as a line of bars, on a scale that also holds the marks.

    >>> sparkline([1.0, 2.0, 8.0]), sparkline([6.0, 7.0, 8.0], 0.0), sparkline([0.0, 1.0], 7.0)
    ('▁▂█', '▆▇█', '▁▂')
    """
    low, high = min(*values, *marks, math.inf), max(*values, *marks, -math.inf)
    step = (high - low) / (len(_BARS) - 1) or 1.0
    return "".join(_BARS[round((value - low) / step)] for value in values)


def table_of(*columns: str, title: str | None = None) -> Table:
    """Return an empty table of these columns, which wrap: no text is cut short."""
    table = Table(*columns, title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for column in table.columns:
        column.overflow = "fold"
    return table


def figure(value: float | None) -> str:
    """Return a metric's value, which may be missing."""
    return _("none") if value is None else f"{value:.4f}"


def verdict(decision: str) -> str:
    """Return the gate's verdict on a version in words.

    >>> verdict("promote"), verdict("keep")
    ('let in', 'kept out')
    """
    return _("let in") if decision == Verdict.PROMOTE else _("kept out")


def person(who: str) -> str:
    """Return who decided; of an ARN, what follows its last slash.

    >>> person("ann"), person("arn:aws:sts::123456789012:assumed-role/Operators/ann@example.org")
    ('ann', 'ann@example.org')
    """
    return who.rpartition("/")[2] if who.startswith("arn:") else stored(who)


def erased(version: dict[str, Any]) -> str:
    """Return how many of a version's training rows were erased later; empty for none."""
    return _(" ({rows:,} erased later)", rows=version["erased_rows"]) if version["erased_rows"] else ""


def unseen_lines(shares: dict[str, float]) -> list[Prose]:
    """Return lines on categories unknown to training; large shares are warnings."""
    few = listed(f"{feature} {share:.1%}" for feature, share in shares.items() if share < UNSEEN_WARNED)
    many = [
        _(
            "warning: {share:.1%} of the rows have a {feature} unknown to training: is it written differently in this file?",
            share=share,
            feature=feature,
        )
        for feature, share in shares.items()
        if share >= UNSEEN_WARNED
    ]
    return [
        *(Prose(line, "yellow") for line in many),
        *([Prose(_("rows with a category unknown to training: {columns}", columns=few))] if few else []),
    ]


def meaning(found: dict[str, Any]) -> str:
    """Return what a model predicts and what its score is; empty if that is unknown.

    >>> meaning({"target": "left", "task": "binary", "positive": "yes"})
    'predicts left (binary), score = P(left = yes)'
    """
    if not (target := found["target"]):
        return ""
    scores = {
        "binary": f"score = P({target} = {found['positive']})",
        "multiclass": f"score_CLASS = P({target} = CLASS)",
        "regression": _("score = the predicted {target}", target=target),
    }
    return _("predicts {target} ({task}), {score}", target=target, task=coded(found["task"]), score=scores[found["task"]])
