"""Gather a challenger's rows: the champion's snapshot and newer labels."""

from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING

from functions.retraining.event import SCHEDULE, RetrainRequest
from functions.retraining.training_file import within
from functions.retraining.training_set import TrainingSet, assemble, labelled_days, labelled_on
from functions.shared.domain.calendar import days_before, last_mature_day
from functions.shared.domain.decision import Decision, Reason
from functions.shared.domain.errors import NothingToLearnError
from functions.shared.domain.policy import Policy, Window
from functions.shared.domain.spec import FeatureKind, ModelSpec
from functions.shared.foundation.counted import counted
from functions.shared.ports import ObjectStore
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.snapshots import Snapshots

if TYPE_CHECKING:
    import pyarrow as pa


_LOOKED_AT = 1_000
"""Newest batches that show the latest event time; a model may have any number."""
_LIMITS = "retraining.max_rows and retraining.max_values limit them"


@dataclass(frozen=True, slots=True)
class Material:
    """Rows by use: `learnt` to fit, `held` to judge, `known` to the champion.

    `before` holds all rows older than `held`; `notes` are remarks about rows that were left out.
    """

    before: TrainingSet
    learnt: TrainingSet
    held: TrainingSet
    known: TrainingSet
    notes: tuple[Reason, ...]


def gather(spec: ModelSpec, taught: Decision, request: RetrainRequest, policy: Policy, store: ObjectStore) -> Material:
    """Gather the rows of a challenger.

    Args:
        spec: the champion's spec.
        taught: the decision on the champion, which names its training rows.
        request: the request, with its trigger and window.
        policy: the policy in force.
        store: holds snapshots and labelled rows.

    Raises:
        NothingToLearnError: if too few rows were labelled since, or the champion came without its training rows.
    """
    if not taught.has_rows:
        message = f"version {taught.challenger_version} of {taught.model!r} was imported without the rows that it learnt from"
        raise NothingToLearnError(message, remedy="export it with --data and import it again")
    found, unread = _rows_since(spec, taught, request, policy, store)
    rows, left_out = _cleaned(found, taught.challenger_version, policy)
    held_days = _holdout_days(rows, taught, policy)
    before = rows.between(date.min, days_before(held_days[0], 1))
    learnt, limits = _limited(windowed(before, request, policy), policy)
    return Material(
        before=before,
        learnt=learnt,
        held=rows.between(held_days[0], held_days[-1]),
        known=rows.between(date.min, taught.trained_last_day or held_days[0]),
        notes=(*left_out, *limits, *unread),
    )


def _rows_since(
    spec: ModelSpec, taught: Decision, request: RetrainRequest, policy: Policy, store: ObjectStore
) -> tuple[TrainingSet, tuple[Reason, ...]]:
    """Return the champion's snapshot with mature rows labelled since, and remarks.

    Days are read from the newest back, only as many as may be used, which limits memory. A remark says if older rows were not read.
    """
    until = last_mature_day(islice(Manifests(store).newest(spec.name), _LOOKED_AT), policy.labels.delay_days)
    if until is None:
        message = "no batch was scored yet, so there is nothing new to learn from: score one, and send its labels"
        raise NothingToLearnError(message)
    if request.trigger == SCHEDULE:
        _check_rest(taught, until, policy, store)
    days = [day for day in labelled_days(spec.name, store) if day <= until]
    learnt_until, needed = taught.snapshot.last_day or date.min, policy.retraining.min_new_labels
    bound = None if _window(request, policy) else policy.retraining.most_rows(len(spec.features))
    tables: list[pa.Table] = []
    new = beyond_holdout = 0
    unread: tuple[Reason, ...] = ()
    for number, day in enumerate(reversed(days)):
        if day <= learnt_until and new < needed:
            break
        if bound is not None and beyond_holdout >= bound:
            unread = (Reason(code="limited", message=f"labelled rows up to {day} were not read: {_LIMITS}"),)
            break
        if files := labelled_on(spec, day, store):
            today = assemble(spec, files)
            new += today.known().rows * (day > learnt_until)
            beyond_holdout += today.rows * (number >= policy.gate.holdout_days)
            tables.append(today.table)
    if new < needed and not unread:
        delay = counted(policy.labels.delay_days, "days")
        message = (
            f"{counted(new, 'rows')} with mature labels came since {learnt_until}, {needed:,} are needed (retraining.min_new_labels). "
            f"Labels are mature {delay} of event time after their row (labels.delay_days), now those up to {until}. "
            f'`everscore policy {spec.name} --set retraining.min_new_labels=N --reason "why"` asks for fewer'
        )
        raise NothingToLearnError(message)
    return assemble(spec, [Snapshots(store).read(taught.snapshot.md5), *reversed(tables)]), unread


def _check_rest(taught: Decision, until: date, policy: Policy, store: ObjectStore) -> None:
    """Refuse a scheduled try before enough new days: repeated tries invite luck."""
    judged = [
        decision.holdout_last_day
        for decision in Decisions(store).all(taught.model)
        if decision.origin is None and decision.champion_version == taught.challenger_version and decision.holdout_last_day is not None
    ]
    if judged and (rested := (until - max(judged)).days) < policy.retraining.rest_days:
        message = (
            f"the champion's last challenger was judged on days up to {max(judged)}: the schedule makes another when "
            f"{policy.retraining.rest_days} newer ones are mature (retraining.rest_days), {max(rested, 0)} are"
        )
        raise NothingToLearnError(message)


def _cleaned(rows: TrainingSet, champion: str, policy: Policy) -> tuple[TrainingSet, tuple[Reason, ...]]:
    """Return rows that meet the current contract and have known classes, and remarks."""
    numbers = {feature.name for feature in rows.spec.features if feature.kind is FeatureKind.NUMBER}
    ranges = {name: bounds for name, bounds in policy.row_contract.ranges.items() if name in numbers}
    possible = TrainingSet(rows.spec, within(rows.table, ranges))
    known = possible.known()
    left_out = (
        (rows.rows - possible.rows, "outside the policy's row_contract.ranges"),
        (possible.rows - known.rows, f"with a {rows.spec.target!r} that version {champion} does not know"),
    )
    return known, tuple(Reason(code="left_out", message=f"left out {counted(count, 'rows')}: {why}") for count, why in left_out if count)


def _holdout_days(rows: TrainingSet, taught: Decision, policy: Policy) -> list[date]:
    """Return the newest days, which neither model has seen."""
    last = taught.trained_last_day
    unseen = [day for day in rows.distinct_days if last is None or day > last][-policy.gate.holdout_days :]
    if not unseen:
        message = (
            f"no day after the champion's training, which ended on {last}, is mature: labels are "
            f"{counted(policy.labels.delay_days, 'days')} of event time after their row (labels.delay_days)"
        )
        raise NothingToLearnError(message)
    return unseen


def _window(request: RetrainRequest, policy: Policy) -> Window | None:
    return request.window or (None if policy.retraining.window == "all" else policy.retraining.window)


def windowed(before: TrainingSet, request: RetrainRequest, policy: Policy) -> TrainingSet:
    """Return the rows to fit: all before the holdout, or those of a window."""
    window = _window(request, policy)
    if window is not None:
        return before.between(window.start, window.end)
    if policy.retraining.last_days is None or not before.rows:
        return before
    last = before.distinct_days[-1]
    return before.between(days_before(last, policy.retraining.last_days - 1), last)


def _limited(rows: TrainingSet, policy: Policy) -> tuple[TrainingSet, tuple[Reason, ...]]:
    """Return the newest rows that the policy allows, and a remark about the others."""
    learnt = rows.newest(policy.retraining.most_rows(len(rows.spec.features)))
    if learnt.rows == rows.rows:
        return learnt, ()
    message = f"learnt from the newest {learnt.rows:,} of {counted(rows.rows, 'rows')}: {_LIMITS}"
    return learnt, (Reason(code="limited", message=message),)
