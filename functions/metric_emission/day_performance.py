"""The metrics of one event day, from all its rows that have a label."""

from collections.abc import Callable, Iterator
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from functions.metric_emission.day_labels import labelled_rows
from functions.metric_emission.join import POSITION
from functions.shared.domain.decision_rule import Codes
from functions.shared.domain.labelled_columns import BATCH, CHALLENGER, CHAMPION, ID, LABEL, TIME
from functions.shared.domain.labels import class_codes
from functions.shared.domain.performance.days import BatchLosses, DayPerformance, ExpectedLosses, GroupPerformance, PairedLosses
from functions.shared.domain.performance.grading import grade_pair, grade_version
from functions.shared.domain.performance.losses import losses
from functions.shared.domain.policy import Costs
from functions.shared.domain.release import Role
from functions.shared.domain.scored_columns import PREDICTION, said_names
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.ports import ObjectStore

type CeilingOf = Callable[[str], float | None]
"""The `loss_ceiling` of a champion's version."""
type ExpectedOf = Callable[[NDArray[np.float64]], tuple[str, NDArray[np.float64]] | None]
"""The loss that the champion's calibration expects of each of its scores, with its version; None without one."""


def _uncut(_: str) -> None:
    """Cut no losses."""


def _expect_nothing(_: NDArray[np.float64]) -> None:
    """Expect no losses."""


def day_performance(
    day: date,
    spec: ModelSpec,
    *,
    store: ObjectStore,
    predicted: int,
    costs: Costs | None = None,
    ceiling_of: CeilingOf = _uncut,
    expected_of: ExpectedOf = _expect_nothing,
) -> DayPerformance:
    """Return the metrics of one event day from its rows whose label the model knows.

    The last such label per row counts for metrics; the first one for the paired sums of a rollout, which only grow.

    Args:
        day: to measure.
        spec: the champion's.
        store: of the labelled rows.
        predicted: how many rows of the day were scored.
        costs: of wrong answers, if people stated them.
        ceiling_of: a champion's `loss_ceiling`, by its version. Losses of its rows are cut there, those of a challenger too.
        expected_of: the losses that the calibration of the champion that serves expects.
    """
    rows = _known_rows(day, spec, store)
    latest, first = _one_label_a_row(spec, rows, newest=True), _one_label_a_row(spec, rows, newest=False)
    return DayPerformance(
        model=spec.name,
        day=day,
        rows_predicted=max(predicted, latest.num_rows),
        rows_labelled=latest.num_rows,
        groups=tuple(_groups(spec, latest, costs, ceiling_of)),
        pairs=tuple(_pairs(spec, day, first, ceiling_of)),
        batches=tuple(_batches(spec, latest, ceiling_of, expected_of)),
    )


def _known_rows(day: date, spec: ModelSpec, store: ObjectStore) -> pa.Table:
    """Return a day's rows with a known label, with what the champion said of each."""
    rows = labelled_rows(day, spec, store)
    if spec.task is not Task.REGRESSION:
        rows = rows.filter(pc.is_in(rows[LABEL], value_set=pa.array(spec.classes)))
    return _with_champions_scores(rows, spec)


def _with_champions_scores(rows: pa.Table, spec: ModelSpec) -> pa.Table:
    """Return rows with the champion's answer in the champion's columns.

    Where no challenger scored the row too, that is the answer given.
    """
    for name in said_names(spec):
        champions = f"{Role.CHAMPION}_{name}"
        alone = pc.if_else(rows[CHALLENGER].is_valid(), None, rows[name])
        if champions not in rows.column_names:
            rows = rows.append_column(champions, alone)
        else:
            rows = rows.set_column(rows.column_names.index(champions), champions, pc.coalesce(rows[champions], alone))
    return rows


def _one_label_a_row(spec: ModelSpec, rows: pa.Table, *, newest: bool) -> pa.Table:
    """Labelled rows of a day, each identity once, with its newest or its first label."""
    choice, identity = "max" if newest else "min", [ID, TIME] if spec.time_column else [ID]
    numbered = rows.select(identity).append_column(POSITION, pa.array(np.arange(rows.num_rows)))
    chosen = numbered.group_by(identity, use_threads=False).aggregate([(POSITION, choice)])
    return rows.take(chosen[f"{POSITION}_{choice}"]).sort_by([(name, "ascending") for name in identity])


def _groups(spec: ModelSpec, rows: pa.Table, costs: Costs | None, ceiling_of: CeilingOf) -> Iterator[GroupPerformance]:
    """Yield each champion over all rows that it scored, and each challenger."""
    for role, versions in ((Role.CHAMPION, CHAMPION), (Role.CHALLENGER, CHALLENGER)):
        for version in sorted(pc.unique(rows[versions]).drop_null().to_pylist()):
            scored = rows.filter(pc.equal(rows[versions], version))
            scores = _scores(spec, scored, role)
            predicted = _predicted(spec, scored, role, scores)
            yield grade_version(role, version, spec.task, _truth(spec, scored), scores, predicted, costs, _ceilings(scored, ceiling_of))


def _pairs(spec: ModelSpec, day: date, rows: pa.Table, ceiling_of: CeilingOf) -> Iterator[PairedLosses]:
    """Yield each challenger against each champion whose rows it scored too."""
    both = rows.filter(rows[CHALLENGER].is_valid())
    versions = both.select([CHAMPION, CHALLENGER]).group_by([CHAMPION, CHALLENGER]).aggregate([]).to_pylist()
    for champion, challenger in sorted((pair[CHAMPION], pair[CHALLENGER]) for pair in versions):
        scored = both.filter(pc.and_(pc.equal(both[CHAMPION], champion), pc.equal(both[CHALLENGER], challenger)))
        truth, ceilings, roles = _truth(spec, scored), _ceilings(scored, ceiling_of), (Role.CHAMPION, Role.CHALLENGER)
        ours, theirs = (losses(spec.task, truth, _scores(spec, scored, role), ceilings) for role in roles)
        yield grade_pair(day, spec.task, (champion, ours), (challenger, theirs))


def _batches(spec: ModelSpec, rows: pa.Table, ceiling_of: CeilingOf, expected_of: ExpectedOf) -> Iterator[BatchLosses]:
    """Yield losses by batch; rows stored without their batch are left out."""
    if BATCH not in rows.column_names:
        return
    scores = _scores(spec, rows, Role.CHAMPION)
    loss = losses(spec.task, _truth(spec, rows), scores, _ceilings(rows, ceiling_of))
    version, guess = expected_of(scores[:, 0]) or (None, None)
    values = {"loss": loss}
    if guess is not None:
        values |= {"sum": guess, "squares": guess**2, "products": guess * loss, "loss_squares": loss**2}
    by_batch = pa.table({BATCH: rows[BATCH], **values}).filter(rows[BATCH].is_valid()).group_by(BATCH)
    for found in by_batch.aggregate([("loss", "count"), *((name, "sum") for name in values)]).sort_by(BATCH).to_pylist():
        expected = None if guess is None else ExpectedLosses(**{name: found[f"{name}_sum"] for name in ExpectedLosses.model_fields})
        sums = {"rows": found["loss_count"], "loss_sum": found["loss_sum"]}
        yield BatchLosses(batch_id=found[BATCH], expected=expected, expected_by=version, **sums)


def _ceilings(rows: pa.Table, ceiling_of: CeilingOf) -> NDArray[np.float64]:
    """Return the ceiling of each row's champion, infinite if it has none."""
    versions = pc.unique(rows[CHAMPION])
    found = (ceiling_of(version) for version in versions.to_pylist())
    ceilings = np.array([np.inf if ceiling is None else ceiling for ceiling in found], dtype=np.float64)
    of_rows: NDArray[np.intp] = np.asarray(pc.index_in(rows[CHAMPION], value_set=versions).to_numpy(), dtype=np.intp)
    return ceilings[of_rows]


def _truth(spec: ModelSpec, rows: pa.Table) -> NDArray[np.int64] | NDArray[np.float64]:
    return numbers_of(rows[LABEL]) if spec.task is Task.REGRESSION else class_codes(rows[LABEL], spec.outcomes)


def _scores(spec: ModelSpec, rows: pa.Table, role: Role) -> NDArray[np.float64]:
    return np.column_stack([numbers_of(rows[f"{role}_{name}"]) for name in spec.score_columns])


def _predicted(spec: ModelSpec, rows: pa.Table, role: Role, scores: NDArray[np.float64]) -> Codes | None:
    """Return what a version predicted.

    Earlier files have scores alone: there the spec's rule decides.
    """
    if spec.rule is None:
        return None
    answered = f"{role}_{PREDICTION}"
    codes = class_codes(rows[answered], spec.outcomes) if answered in rows.column_names else np.full(rows.num_rows, -1)
    return np.where(codes < 0, spec.rule.decide(scores), codes)


def numbers_of(values: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a float column as an array, nulls as NaN."""
    return np.asarray(values.to_numpy(), dtype=np.float64)
