"""Split a training file into rows to learn and rows held out to measure."""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from functions.retraining.training_set import DAY, TrainingSet
from functions.shared.domain.decision import Reason
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.foundation.counted import counted

HOLDOUT_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Split:
    """Rows to learn, rows held out, and a remark per class of only the newest rows."""

    learnt: TrainingSet
    held: TrainingSet
    notes: tuple[Reason, ...] = ()


def split(rows: TrainingSet, seed: int) -> Split:
    """Hold out the newest rows, but never a whole class: it could not be predicted.

    If older rows lack a class, the older four fifths of its own rows are learnt as well.
    """
    learnt, held = hold_out_newest(rows, seed)
    late = _late(learnt, held)
    if not late.any():
        return Split(learnt, held)
    moved, left = held.table.filter(pa.array(late)), held.table.filter(pa.array(~late))
    notes = tuple(_late_class(rows.spec, name, held.table) for name in sorted(pc.unique(moved[rows.spec.target]).to_pylist()))
    return Split(TrainingSet(rows.spec, pa.concat_tables([learnt.table, moved])), TrainingSet(rows.spec, left), notes)


def _late_class(spec: ModelSpec, name: str, held: pa.Table) -> Reason:
    own = held.filter(pc.equal(held[spec.target], name))
    rows = counted(own.num_rows, "rows")
    message = (
        f"no row before {own[DAY][0].as_py()} has the {spec.target!r} {name!r}: {_learnt(own.num_rows):,} of its {rows} "
        "went to the training, though the newest rows are held out to measure"
    )
    return Reason(code="late_class", message=message, warning=True)


def _learnt(rows: int) -> int:
    """Return how many rows are learnt of a class that only held-out rows have."""
    return ceil(rows * (1 - HOLDOUT_SHARE))


def hold_out_newest(rows: TrainingSet, seed: int) -> tuple[TrainingSet, TrainingSet]:
    """Split into the older four fifths of days and the rest; a single day at random."""
    days = rows.distinct_days
    if len(days) > 1:
        start = rows.table[DAY][int(rows.rows * (1 - HOLDOUT_SHARE))].as_py()
        first_held = start if start > days[0] else days[1]
        return rows.between(days[0], first_held - timedelta(days=1)), rows.between(first_held, days[-1])
    held = np.random.default_rng(seed).random(rows.rows) < HOLDOUT_SHARE
    return TrainingSet(rows.spec, rows.table.filter(pa.array(~held))), TrainingSet(rows.spec, rows.table.filter(pa.array(held)))


def _late(learnt: TrainingSet, held: TrainingSet) -> NDArray[np.bool_]:
    """Mark held-out rows to learn: older rows of classes that are not learnt yet."""
    spec, late = held.spec, np.zeros(held.rows, np.bool_)
    if spec.task is Task.REGRESSION:
        return late
    labels = np.asarray(held.table[spec.target].to_pylist(), dtype=object)
    known = set(pc.unique(learnt.table[spec.target]).to_pylist())
    for name in (set(spec.classes) or set(labels)) - known:
        places = np.flatnonzero(labels == name)
        late[places[: _learnt(len(places))]] = True
    return late
