"""Policies as far out as they may be."""

import math
import re
from typing import Any

from functions.shared.domain.policy import Policy
from functions.shared.domain.thresholds import Threshold, thresholds
from infra.cli.policy import changed_policy


def extreme(threshold: Threshold, *, most: bool) -> Any:
    """The largest or smallest number that a threshold says it takes; None where it takes no number."""
    found = re.fullmatch(r"a (?:whole )?number (from|above) (\S+) to (below )?([^\s,]+(?:,\d{3})*)(?:, or null)?", threshold.takes)
    if found is None:
        return None
    low, high = (float(found[place].replace(",", "")) for place in (2, 4))
    if most:
        return math.nextafter(high, low) if found[3] else high
    return math.nextafter(low, high) if found[1] == "above" else low


def all_at(*, most: bool, number: int = 1) -> Policy:
    """A policy whose numbers are all as large, or as small, as they may be."""
    numbers = [(name, value) for name, threshold in thresholds().items() if (value := extreme(threshold, most=most)) is not None]
    assert len(numbers) > 50
    return changed_policy("any", Policy(), numbers, number=number, who="", why="")
