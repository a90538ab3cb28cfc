"""Labels meet their predictions: a join by identity over Parquet, and the metrics of each event day it touches."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from functions.shared.domain import layout
from functions.shared.domain.grading import grade_pair, grade_version
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.performance import DayPerformance, GroupPerformance, PairedLosses, class_codes, losses
from functions.shared.domain.release import Role
from functions.shared.domain.scored_columns import stored_name
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.ports import ObjectStore
from functions.shared.sql import identifier

LABEL = "everscore_label"
ARRIVED = "everscore_label_arrived"
CHAMPION = "everscore_champion"
CHALLENGER = "everscore_challenger"
"""Columns that labelled rows have beside those of scored ones: the label, when its file arrived, and who scored."""
FILE = "everscore_file"
"""Column of the join that says which file a scored row is from."""


@dataclass(frozen=True, slots=True)
class Labels:
    """One file of labels, canonical: `id`, `label`, and `time` where the model has event times and the file states them."""

    table: pa.Table
    has_time: bool


def join_labels(
    labels: Labels, manifests: Sequence[Manifest], spec: ModelSpec, *, store: ObjectStore, arrived: str
) -> Iterator[tuple[date, pa.Table]]:
    """Scored rows with their labels, by event day.

    A label belongs to the prediction of the same id and time; without times, to the latest prediction of its id.
    Of several labels for one row in a file the last wins. Labels without a prediction are left out.
    """
    with TemporaryDirectory() as folder, duckdb.connect() as query:
        files = _downloaded(manifests, store, Path(folder))
        if not files:
            return
        query.register("batches", _described(files))
        query.register("labels", labels.table.append_column("position", pa.array(range(labels.table.num_rows))))
        names = pq.read_schema(files[0].path).names
        row = f"scored.{_column(spec.id_column, names, spec)}"
        identity, day = f"{row} = label.id", "batch.day"
        if spec.time_column:
            time = f"scored.{_column(spec.time_column, names, spec)}"
            day = f"CAST({time} AT TIME ZONE 'UTC' AS DATE)"
            if labels.has_time:
                identity, row = f"{identity} AND {time} = label.time", f"{row}, {time}"
        latest = "batch.rank" + (f', scored."{spec.time_column}" DESC' if spec.time_column else "")
        found: pa.Table = query.sql(
            f"""
            SELECT scored.* EXCLUDE ({FILE}), label.label AS {LABEL}, ? AS {ARRIVED},
                   batch.champion AS {CHAMPION}, batch.challenger AS {CHALLENGER}, {day} AS everscore_day
            FROM read_parquet(?, filename = '{FILE}', union_by_name = true) AS scored
            JOIN labels AS label ON {identity}
            JOIN batches AS batch ON batch.{FILE} = scored.{FILE}
            QUALIFY row_number() OVER (PARTITION BY {row} ORDER BY {latest}, label.position DESC) = 1
            ORDER BY everscore_day, {row}
            """,  # noqa: S608 - column names come from the model's spec, quoted; no text of a file enters the query
            params=[arrived, [file.path for file in files]],
        ).to_arrow_table()
    days: list[date] = found["everscore_day"].to_pylist()
    rows = found.drop_columns(["everscore_day"])
    for start, end in _runs(days):
        yield days[start], rows.slice(start, end - start)


def _column(name: str, columns: Sequence[str], spec: ModelSpec) -> str:
    """An input column of scored files as a query takes it."""
    return identifier(stored_name(name, columns, spec))


@dataclass(frozen=True, slots=True)
class _LocalFile:
    """A batch's output on disk."""

    path: str
    manifest: Manifest


def _downloaded(manifests: Sequence[Manifest], store: ObjectStore, folder: Path) -> list[_LocalFile]:
    """Local copies of the batches' outputs, newest batch first."""
    files: list[_LocalFile] = []
    for manifest in manifests:
        for output in manifest.outputs:
            path = folder / f"{len(files)}.parquet"
            path.write_bytes(store.read(output.key))
            files.append(_LocalFile(str(path), manifest))
    return files


def _described(files: Sequence[_LocalFile]) -> pa.Table:
    """What the query needs to know of each file; its rank is 0 for the newest batch."""
    rows = []
    for rank, file in enumerate(files):
        release = file.manifest.release
        assert release is not None, "a batch with outputs has a release"
        suspended = release.challenger_suspended is not None
        rows.append(
            {
                FILE: file.path,
                "rank": rank,
                "day": file.manifest.source.last_modified.astimezone(UTC).date(),
                "champion": release.champion,
                "challenger": release.challenger.version if release.challenger and not suspended else None,
            }
        )
    schema = pa.schema({FILE: "string", "rank": "int32", "day": "date32", "champion": "string", "challenger": "string"})
    return pa.Table.from_pylist(rows, schema=schema)


def _runs(days: Sequence[date]) -> Iterator[tuple[int, int]]:
    start = 0
    for position in range(1, len(days) + 1):
        if position == len(days) or days[position] != days[start]:
            yield start, position
            start = position


def labelled_key(model: str, day: date, labels: str) -> str:
    """Where the rows of one day that one label file labelled are kept."""
    return f"{layout.labelled_prefix(model, day)}{labels}.parquet"


def write_labelled(store: ObjectStore, key: str, table: pa.Table) -> None:
    """Store labelled rows; the same label file delivered again writes the same key."""
    body = io.BytesIO()
    pq.write_table(table, body, compression="zstd")
    store.write(key, body.getvalue())


def day_performance(model: str, day: date, spec: ModelSpec, *, store: ObjectStore, predicted: int) -> DayPerformance:
    """The metrics of one event day from all its labelled rows.

    The last label of a row counts for metrics; the first one for the paired sums of a rollout, which only grow.
    """
    tables = [pq.read_table(io.BytesIO(store.read(found.key))) for found in store.list(layout.labelled_prefix(model, day))]
    latest, first = _one_label_a_row(spec, tables, newest=True), _one_label_a_row(spec, tables, newest=False)
    groups = [group for part in _by_versions(spec, latest) for group in part.groups()]
    pairs = [part.pair(day) for part in _by_versions(spec, first) if part.challenger]
    return DayPerformance(
        model=model,
        day=day,
        rows_predicted=max(predicted, latest.num_rows),
        rows_labelled=latest.num_rows,
        groups=tuple(groups),
        pairs=tuple(pairs),
    )


def _one_label_a_row(spec: ModelSpec, tables: Sequence[pa.Table], *, newest: bool) -> pa.Table:
    """All labelled rows of a day, each identity once."""
    rows = pa.concat_tables(tables, promote_options="permissive")
    identity = ", ".join(_column(name, rows.column_names, spec) for name in (spec.id_column, spec.time_column) if name)
    order = "DESC" if newest else "ASC"
    with duckdb.connect() as query:
        query.register("labelled", rows)
        return query.sql(
            f"""
            SELECT * FROM labelled
            QUALIFY row_number() OVER (PARTITION BY {identity} ORDER BY {ARRIVED} {order}) = 1
            ORDER BY {identity}
            """  # noqa: S608 - column names come from the model's spec, quoted
        ).to_arrow_table()


@dataclass(frozen=True, slots=True)
class _Part:
    """The labelled rows of a day that one champion scored, alone or beside one challenger."""

    spec: ModelSpec
    champion: str
    challenger: str | None
    rows: pa.Table

    def groups(self) -> list[GroupPerformance]:
        task, truth = self.spec.task, self._truth()
        if self.challenger is None:
            return [grade_version(Role.CHAMPION, self.champion, task, truth, self._scores(""))]
        return [
            grade_version(Role.CHAMPION, self.champion, task, truth, self._scores("champion_")),
            grade_version(Role.CHALLENGER, self.challenger, task, truth, self._scores("challenger_")),
        ]

    def pair(self, day: date) -> PairedLosses:
        task, truth = self.spec.task, self._truth()
        champion, challenger = (losses(task, truth, self._scores(f"{role}_")) for role in Role)
        return grade_pair(day, task, (self.champion, champion), (str(self.challenger), challenger))

    def _truth(self) -> NDArray[np.int64] | NDArray[np.float64]:
        labels = self.rows[LABEL]
        return numbers_of(labels) if self.spec.task is Task.REGRESSION else class_codes(labels, self.spec.classes)

    def _scores(self, prefix: str) -> NDArray[np.float64]:
        return np.column_stack([numbers_of(self.rows[prefix + name]) for name in self.spec.score_columns])


def _by_versions(spec: ModelSpec, rows: pa.Table) -> Iterator[_Part]:
    """Rows with a known class, by the versions that scored them. A label outside the classes measures nothing."""
    if spec.task is not Task.REGRESSION:
        rows = rows.filter(pc.is_in(rows[LABEL], value_set=pa.array(spec.classes)))
    versions = rows.select([CHAMPION, CHALLENGER]).group_by([CHAMPION, CHALLENGER]).aggregate([]).to_pylist()
    for pair in sorted(versions, key=lambda pair: (pair[CHAMPION], pair[CHALLENGER] or "")):
        champion, challenger = pair[CHAMPION], pair[CHALLENGER]
        other = pc.is_null(rows[CHALLENGER]) if challenger is None else pc.equal(rows[CHALLENGER], challenger)
        yield _Part(spec, champion, challenger, rows.filter(pc.and_(pc.equal(rows[CHAMPION], champion), other)))


def numbers_of(values: pa.ChunkedArray) -> NDArray[np.float64]:
    """A float column as an array, nulls as NaN."""
    return np.asarray(values.to_numpy(), dtype=np.float64)
