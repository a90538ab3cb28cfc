"""Labels of a regression that are very far from the champion's answers.

One of the two is wrong: a misplaced decimal point is an example. People are alerted to them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from functions.metric_emission.alerts import over_by_labels, slip_alert
from functions.metric_emission.day_performance import numbers_of
from functions.metric_emission.join import Joined
from functions.metric_emission.ports import Model
from functions.shared.domain.cause import Cause
from functions.shared.domain.labelled_columns import LABEL
from functions.shared.domain.performance.losses import ABSURD, losses
from functions.shared.domain.release import Role
from functions.shared.domain.spec import Task
from functions.shared.repositories.causes import Sight, follow


@dataclass(frozen=True, slots=True)
class Slips:
    """The number of absurd labels in a file, and the farthest with its answer."""

    rows: int
    label: float
    answer: float


def alert_on_slips(joined: Joined, file: str, source: str, arrived: datetime, model: Model, *, is_new: bool) -> None:
    """Alert on absurd labels after the join; close what this file ends.

    They count with a loss of the champion's ceiling, so no other label is drowned by them.

    Args:
        joined: the file's labels with their rows.
        file: the identity of the file.
        source: its key, as people know it.
        arrived: when it came.
        model: that scored the rows.
        is_new: whether the file was read just now. What waited of it says nothing of other labels.
    """
    ceiling, now = model.champion.baseline.loss_ceiling, model.ports.now()
    slips = None
    if model.spec.task is Task.REGRESSION and ceiling is not None:
        slips = find_slips(joined.by_day.values(), model.spec.score_columns[0], ceiling)
    seen = []
    if slips:
        seen = [Sight(slip_alert(model.name, file, source, slips.rows, slips.label, slips.answer, now), arrived=arrived)]
    over = over_by_labels(source, arrived, are_plausible=bool(joined.by_day) and slips is None) if is_new else _nothing
    follow(model.name, model.store, now, seen=seen, over=over)


def find_slips(tables: Iterable[pa.Table], answers: str, ceiling: float) -> Slips | None:
    """Return the absurd labels among labelled rows, None if there is none.

    Args:
        tables: labelled rows.
        answers: the column with the answer that was given; the champion's own stands in another where a challenger scored the row too.
        ceiling: the most that a row's loss counts with; an absurd label's is above `ABSURD` times that.
    """
    rows = [np.column_stack([numbers_of(table[LABEL]), numbers_of(_champions(table, answers))]) for table in tables]
    labels, said = np.concatenate([np.empty((0, 2)), *rows]).T
    found = losses(Task.REGRESSION, labels, said[:, np.newaxis])
    absurd = int(np.count_nonzero(found > ABSURD * ceiling))
    worst = int(found.argmax()) if absurd else 0
    return Slips(absurd, float(labels[worst]), float(said[worst])) if absurd else None


def _nothing(_name: str, _cause: Cause) -> str:
    return ""


def _champions(table: pa.Table, answers: str) -> pa.ChunkedArray:
    """Return the champion's answers, except where a challenger scored the row too."""
    own = f"{Role.CHAMPION}_{answers}"
    return pc.coalesce(table[own], table[answers]) if own in table.column_names else table[answers]
