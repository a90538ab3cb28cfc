"""A chart's columns: successive batches, one a column while there is room, several beyond that."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched

from infra.report.gather import Batch
from infra.report.wording import short_day


@dataclass(frozen=True, slots=True)
class Column:
    """Successive batches, and the last one's event day as the column's label."""

    label: str
    batches: tuple[Batch, ...]


def columns_of(batches: Sequence[Batch], at_most: int) -> tuple[Column, ...]:
    """Divide batches into no more than `at_most` columns of equally many batches; the last may have fewer."""
    size = max(1, -(-len(batches) // at_most))
    return tuple(Column(short_day(group[-1].day), group) for group in batched(batches, size, strict=False))
