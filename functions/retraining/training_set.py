"""Training rows: typed features, target, identity and day, each row once."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from functions.shared.domain import layout
from functions.shared.domain.errors import TrainingError
from functions.shared.domain.ids import id_texts
from functions.shared.domain.labelled_columns import ARRIVED, LABEL
from functions.shared.domain.labels import canonical_labels, class_codes, numeric_targets
from functions.shared.domain.scored_columns import stored_name
from functions.shared.domain.spec import FeatureKind, ModelSpec, Task
from functions.shared.ports import ObjectStore

DAY = "everscore_day"
"""Snapshot column with each row's event day (arrival day if the model has no time column)."""

_RANK = "everscore_rank"
_TYPES = {FeatureKind.NUMBER: pa.float64(), FeatureKind.BOOLEAN: pa.bool_(), FeatureKind.CATEGORY: pa.string()}


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Labelled rows by day, time and id: id, time, features, target and `DAY`."""

    spec: ModelSpec
    table: pa.Table

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return int(self.table.num_rows)

    @property
    def days(self) -> NDArray[np.datetime64]:
        """Return each row's event day."""
        return np.asarray(self.table[DAY].to_numpy(), dtype="datetime64[D]")

    @property
    def distinct_days(self) -> list[date]:
        """Return the event days that have rows, in order."""
        return sorted(pc.unique(self.table[DAY]).to_pylist())

    def between(self, first: date, last: date) -> "TrainingSet":
        """Return the rows from one event day to another, both inclusive."""
        days = self.table[DAY]
        inside = pc.and_(pc.greater_equal(days, pa.scalar(first)), pc.less_equal(days, pa.scalar(last)))
        return TrainingSet(self.spec, self.table.filter(inside))

    def newest(self, rows: int) -> "TrainingSet":
        """Return at most this many rows, without the oldest."""
        return TrainingSet(self.spec, self.table.slice(max(0, self.rows - rows)))

    def truth(self) -> NDArray[np.int64] | NDArray[np.float64]:
        """Return class numbers (-1 for a class that the spec does not have), or values."""
        target = self.table[self.spec.target]
        if self.spec.task is Task.REGRESSION:
            return np.asarray(target.to_numpy(), dtype=np.float64)
        return class_codes(target, self.spec.outcomes)

    def known(self) -> "TrainingSet":
        """Return the set without rows of classes that the spec does not have."""
        if self.spec.task is Task.REGRESSION:
            return self
        return TrainingSet(self.spec, self.table.filter(pc.is_in(self.table[self.spec.target], value_set=pa.array(self.spec.classes))))


def assemble(spec: ModelSpec, tables: Sequence[pa.Table]) -> TrainingSet:
    """Combine tables into one training set, with each identity once.

    Of rows with the same identity, the last row of the last table wins. A row of a class that the spec does not have never wins over
    another. Rows without a target are left out.
    """
    stacked = pa.concat_tables(_typed(spec, table) for table in tables)
    rows = stacked.filter(stacked[spec.target].is_valid())
    identity = [name for name in (spec.time_column, spec.id_column) if name]
    ranked = rows.select(identity).append_column(_RANK, pa.array(_ranks(spec, rows)))
    last = ranked.group_by(identity, use_threads=False).aggregate([(_RANK, "max")])[f"{_RANK}_max"].to_numpy()
    ordered = rows.take(pa.array(last % max(1, rows.num_rows))).sort_by([(name, "ascending") for name in (DAY, *identity)])
    return TrainingSet(spec, ordered)


def _ranks(spec: ModelSpec, rows: pa.Table) -> NDArray[np.int64]:
    """Return each row's position, minus the number of rows if of unknown class."""
    positions = np.arange(rows.num_rows)
    if not spec.classes:
        return positions
    unknown = class_codes(rows[spec.target], spec.classes) < 0
    return np.asarray(positions - rows.num_rows * unknown, dtype=np.int64)


def _typed(spec: ModelSpec, table: pa.Table) -> pa.Table:
    """Return the set's columns in their types.

    Stored and uploaded rows name the day differently, and may have more columns.
    """
    target = table[spec.target]
    columns: dict[str, pa.Array | pa.ChunkedArray] = {spec.id_column: id_texts(table[spec.id_column])}
    if spec.time_column:
        columns[spec.time_column] = pc.cast(table[spec.time_column], pa.timestamp("us", "UTC"))
    if missing := [feature.name for feature in spec.features if feature.name not in table.column_names]:
        message = f"stored rows lack {', '.join(missing)}: retraining learns from scored rows, so `row_contract.carry` must be all"
        raise TrainingError(message)
    for feature in spec.features:
        columns[feature.name] = pc.cast(table[feature.name], _TYPES[feature.kind])
    columns[spec.target] = numeric_targets(target) if spec.task is Task.REGRESSION else canonical_labels(target)
    columns[DAY] = table[DAY]
    return pa.table(columns)


def labelled_days(model: str, store: ObjectStore) -> list[date]:
    """Return the event days with rows that were labelled after scoring, in order."""
    return sorted(date.fromisoformat(folder.removeprefix("dt=")) for folder in store.folders(layout.labelled_prefix(model)))


def labelled_on(spec: ModelSpec, day: date, store: ObjectStore) -> list[pa.Table]:
    """Return the labelled rows of an event day, by time of their first label.

    Rewriting a file does not make it newer.
    """
    found = [pq.read_table(io.BytesIO(store.read(info.key))) for info in store.list(layout.labelled_prefix(spec.name, day))]
    files = sorted((rows for rows in found if rows.num_rows), key=lambda rows: rows[ARRIVED][0].as_py())
    return [_labelled(rows, spec).append_column(DAY, pa.array([day] * rows.num_rows, pa.date32())) for rows in files]


def _labelled(rows: pa.Table, spec: ModelSpec) -> pa.Table:
    """Return a labelled file's rows with the label in place of any carried target."""
    inputs = [spec.id_column, *([spec.time_column] if spec.time_column else []), *(feature.name for feature in spec.features)]
    stored = {name: stored_name(name, rows.column_names, spec) for name in inputs}
    present = {name: rows[place] for name, place in stored.items() if place in rows.column_names}
    return pa.table({**present, spec.target: rows[LABEL]})
