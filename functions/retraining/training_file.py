"""Read a model's first training set from an uploaded file."""

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from functions.retraining.caveats import is_free_text, is_serial
from functions.retraining.columns import column_left_out
from functions.retraining.disguise import disguise_of
from functions.retraining.event import ColumnSeen, FirstRequest, TrainRequest
from functions.retraining.pipeline import default_estimator
from functions.retraining.target import Refused, Target, described, positive_class, read_target, refuse_lone_class, refuse_rule
from functions.retraining.training_set import DAY, TrainingSet, assemble
from functions.shared.domain.calendar import day_of, days_of
from functions.shared.domain.decision import Reason
from functions.shared.domain.errors import TrainingError
from functions.shared.domain.formats import Formats
from functions.shared.domain.performance.metrics import METRICS
from functions.shared.domain.policy import Policy
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.foundation.counted import counted
from functions.shared.ports import ObjectStore
from functions.shared.reading.categories import are_canonical
from functions.shared.reading.encodings import UTF8
from functions.shared.reading.files import TableRead, find_time_format, infer_columns, number_signs, read_table
from functions.shared.reading.numbers import to_numbers_in
from functions.shared.reading.readable import Readable
from functions.shared.reading.rows import RejectedRow
from functions.shared.reading.rules import ColumnKind, Rule, feature_rule
from functions.shared.reading.text import Notes

_NAMELESS = re.compile(r"column_\d+|Unnamed: ?\d+|__index_level_\d+__")
"""Names that readers give to a column without a name, such as pandas's index."""
_OWN = "everscore_"
"""Prefixes of columns that Everscore adds to stored rows."""
_DISTINCT_SHARE = 0.5
"""Share of distinct ids below which the id is probably another column."""
_CLOCKS_APART = timedelta(days=1)
"""Longest time by which events may lie after the file's arrival, since local times may be read as UTC."""
RIDDLE_SHARE = 0.1
METRIC = {Task.BINARY: "log_loss", Task.MULTICLASS: "log_loss", Task.REGRESSION: "rmse"}
_KINDS = {ColumnKind.NUMBER: FeatureKind.NUMBER, ColumnKind.BOOLEAN: FeatureKind.BOOLEAN, ColumnKind.CATEGORY: FeatureKind.CATEGORY}


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """An uploaded file's rows to learn.

    It also has all columns in order, and what was left out.

    Rows are counted by the reason for which they were left out. `columns` holds facts about the columns that are left out, None for the
    others.
    """

    rows: TrainingSet
    columns: dict[str, ColumnSeen | None]
    left_out: Counter[str]
    other_columns: tuple[str, ...]
    unlearnt: tuple[Reason, ...]

    def left_out_reasons(self) -> tuple[Reason, ...]:
        """Return remarks on inferred formats, and on rows or columns left out."""
        reasons = []
        if self.rows.spec.formats.encoding not in {None, UTF8}:
            reasons.append(Reason(code="encoding", message=f"text is read as {self.rows.spec.formats.encoding} unless it is UTF-8"))
        if self.rows.spec.formats.time_format:
            message = f"times in {self.rows.spec.time_column!r} are read by {self.rows.spec.formats.time_format}"
            reasons.append(Reason(code="time_format", message=message))
        if self.left_out:
            listing = ", ".join(f"{reason} {rows}" for reason, rows in self.left_out.most_common())
            reasons.append(Reason(code="left_out", message=f"left out {counted(self.left_out.total(), 'rows')} of the file: {listing}"))
        if self.other_columns:
            listing = ", ".join(self.other_columns)
            reasons.append(Reason(code="no_features", message=f"columns that hold neither numbers, categories nor booleans: {listing}"))
        return (*reasons, *self.unlearnt)


def read_training_file(request: TrainRequest, policy: Policy, inbox: ObjectStore, *, only: Sequence[str] | None = None) -> TrainingFile:
    """Read an uploaded training file under the policy's row contract.

    Whatever the request leaves open is inferred.

    Args:
        request: how to read the file.
        policy: the policy in force.
        inbox: the store of the file.
        only: the features, in order (default: all columns of a kind that can be learnt).

    Raises:
        TrainingError: if a named column is missing, no feature is left, more rows are bad than the error budget allows, or the
            target is ambiguous (`read_target`).
        BatchRejectedError: if the file is no readable table.
    """
    source = inbox.open(request.key, request.version_id)
    notes = Notes()
    kinds = infer_columns(source, key=request.key, formats=request.formats, notes=notes)
    _refuse_absent(request, kinds)
    request = request.model_copy(update={"formats": _inferred_formats(request, kinds, source, notes)})
    features, read = _read(request, kinds, source, only)
    targets = read.table[request.target]
    target = read_target(request.target, targets, request.task, lambda: _odd_targets(request, source), request.formats)
    _refuse_too_many(request, read, target, policy, lambda: _odd_targets(request, source))
    refuse_rule(request.decision, request.target, target)
    if only is None:
        refuse_lone_class(request.target, target)
    unlearnt = dict([*_unlearnable(features, read.table, request.kinds), *_own_columns(kinds)]) if only is None else {}
    features = [feature for feature in features if feature.name not in unlearnt]
    if not features:
        message = f"{request.key} has no column to learn from; it has {', '.join(kinds)}"
        raise TrainingError(message, remedy="add a column of numbers, categories or booleans")
    used = {request.id_column, request.time_column, request.target, *(feature.name for feature in features)}
    columns = {name: None if name in used else column_left_out(name, read.table[name]) for name in kinds}
    read = replace(read, table=read.table.select([name for name in kinds if name in used]))
    spec = _spec(request, target, features)
    arrived = inbox.info(request.key, request.version_id).last_modified
    table, left_out = _sieved(request, read, target, policy, arrived)
    rows = assemble(spec, [table.append_column(DAY, _days(request, table, spec, arrived))])
    left_out["duplicate_id"] += table.num_rows - rows.rows
    _refuse_repeated(request, table.num_rows, rows.rows)
    if not rows.rows:
        counts = ", ".join(f"{reason} {count:,}" for reason, count in (+left_out).most_common())
        message = f"no row of {request.key} can be used: {counts}"
        raise TrainingError(message, remedy="mend the file; docs/formats.md explains each reason")
    taken = {request.id_column, request.time_column, request.target, *request.kinds, *request.drop}
    others = tuple(name for name, kind in kinds.items() if kind not in _KINDS and name not in taken)
    return TrainingFile(rows, columns, +left_out, others if only is None else (), tuple(unlearnt.values()))


def possible_features(request: FirstRequest, inbox: ObjectStore) -> dict[str, ColumnKind]:
    """Return the possible features of an uploaded file in order, with inferred kinds.

    Raises:
        BatchRejectedError: if the file is no readable table.
    """
    kinds = infer_columns(inbox.open(request.key, request.version_id), key=request.key, formats=request.formats)
    return {name: kind for name, kind in kinds.items() if name not in {request.id_column, request.time_column, request.target}}


def _sieved(request: TrainRequest, read: TableRead, target: Target, policy: Policy, arrived: datetime) -> tuple[pa.Table, Counter[str]]:
    """Return rows to learn from, their targets, and rows left out by reason."""
    left_out = Counter[str](rejected.code for rejected in read.rejected)
    table = read.table.set_column(read.table.column_names.index(request.target), request.target, target.values)
    for reason, kept in _sieves(request, policy, arrived):
        passed = kept(table)
        left_out[reason] += table.num_rows - passed.num_rows
        table = passed
    left_out["missing_target"] -= target.refused
    left_out["unparseable_target"] += target.refused
    return table, left_out


def _days(request: TrainRequest, table: pa.Table, spec: ModelSpec, arrived: datetime) -> pa.ChunkedArray:
    """Return each row's event day; without a time column, the file's arrival."""
    if request.time_column:
        return days_of(table[request.time_column], spec.day_zone)
    return pa.chunked_array([pa.repeat(pa.scalar(day_of(arrived, spec.day_zone)), table.num_rows)])


def _read(
    request: TrainRequest, kinds: Mapping[str, ColumnKind], source: Readable, only: Sequence[str] | None
) -> tuple[list[Feature], TableRead]:
    """Return the features as they will be learnt, and the file's rows."""
    signs = _signs(request, kinds, source)
    features = [_as_asked(feature, signs, canonical=only is None) for feature in _features(request, kinds, only)]
    columns: dict[str, ColumnKind | Rule] = {feature.name: feature_rule(feature) for feature in features}
    columns |= {request.id_column: ColumnKind.ID, request.target: ColumnKind.CARRIED}
    if request.time_column:
        columns[request.time_column] = ColumnKind.TIME
    columns |= {name: ColumnKind.CARRIED for name in kinds if name not in columns}
    read = read_table(source, key=request.key, columns=columns, timezone=request.timezone, formats=request.formats)
    features = [_as_read(feature, read.table) for feature in features]
    _refuse_riddles(read.table, [feature for feature in features if feature.name not in request.kinds], request.formats)
    return features, read


def _unlearnable(features: Sequence[Feature], table: pa.Table, asked: Container[str]) -> Iterator[tuple[str, Reason]]:
    """Yield features that are left out, each with a remark.

    These are features without a value, an index written as a column, and free text. Free text is learnt only on request, since a
    version keeps the texts that it learnt, and an erasure cannot remove them.
    """
    for feature in features:
        values = table[feature.name]
        if values.null_count == len(values):
            yield feature.name, Reason(code="empty", message=f"{feature.name}: holds no value in any row, so it was left out", warning=True)
        elif _NAMELESS.fullmatch(feature.name) and feature.kind is FeatureKind.NUMBER and is_serial(values):
            message = f"{feature.name}: has no name and numbers the rows (an index?), so it was left out"
            yield feature.name, Reason(code="index", message=message, warning=True)
        elif feature.kind is FeatureKind.CATEGORY and feature.name not in asked and is_free_text(values):
            message = (
                f"{feature.name}: holds another text in nearly every row (an id, or free text?), so it was left out; "
                f"--kind {feature.name}=category learns it"
            )
            yield feature.name, Reason(code="nearly_distinct", message=message, warning=True)


def _own_columns(names: Iterable[str]) -> Iterator[tuple[str, Reason]]:
    """Yield columns that Everscore added, if the training file is one of its own."""
    for name in names:
        if name.startswith(_OWN):
            yield (
                name,
                Reason(code="own_column", message=f"{name}: is named as Everscore's own columns are, so it was left out", warning=True),
            )


def _inferred_formats(request: TrainRequest, kinds: Mapping[str, ColumnKind], source: Readable, notes: Notes) -> Formats:
    """Return the request's formats with the inferred encoding and time format.

    Raises:
        TrainingError: if either is ambiguous.
    """
    column, named = request.time_column, request.formats
    if named.encoding is None and notes.needs_naming:
        named = named.model_copy(update={"encoding": notes.encoding})
    if column is None or named.time_format or kinds[column] in {ColumnKind.TIME, ColumnKind.CARRIED}:
        return named
    found = find_time_format(source, key=request.key, column=column, formats=named)
    if found.doubt:
        raise TrainingError(found.doubt)
    return named.model_copy(update={"time_format": found.pattern})


def _signs(request: TrainRequest, kinds: Mapping[str, ColumnKind], source: Readable) -> dict[str, str]:
    """Return the currency or percent sign of each text column requested as numbers.

    Raises:
        TrainingError: if a column has several signs, whose values cannot be compared.
    """
    numbers = [name for name, kind in request.kinds.items() if kind is FeatureKind.NUMBER and kinds[name] is ColumnKind.CATEGORY]
    found = number_signs(source, key=request.key, columns=numbers, formats=request.formats) if numbers else {}
    for name, signs in found.items():
        if len(signs) > 1:
            message = f"{name!r} holds numbers in {' and '.join(sorted(signs))}"
            raise TrainingError(message, remedy="write a column for each")
    return {name: sign for name, signs in found.items() for sign in signs}


def _as_asked(feature: Feature, signs: Mapping[str, str], *, canonical: bool) -> Feature:
    """Return the feature as it will be read."""
    is_category = feature.kind is FeatureKind.CATEGORY
    return feature.model_copy(update={"canonical": canonical and is_category, "sign": signs.get(feature.name, "")})


def _as_read(feature: Feature, rows: pa.Table) -> Feature:
    """Return the feature, marked canonical if the file's categories are.

    Other spellings in the file may be those that an adopted pipeline knows.
    """
    return feature.model_copy(update={"canonical": feature.kind is FeatureKind.CATEGORY and are_canonical(rows[feature.name])})


def _refuse_repeated(request: TrainRequest, given: int, distinct: int) -> None:
    """Refuse repeated ids (or ids with times): only the last row would be learnt."""
    if distinct < _DISTINCT_SHARE * given:
        named = f"{request.id_column!r} and {request.time_column!r}" if request.time_column else repr(request.id_column)
        message = (
            f"{counted(given, 'rows')} of {request.key} have only {counted(distinct, 'values')} of {named}, so that most rows would be lost"
        )
        remedy = "ids must be unique: name another column with --id or, if ids come up again at other times, a column with --time"
        raise TrainingError(message, remedy=remedy)


def _refuse_absent(request: TrainRequest, kinds: Mapping[str, ColumnKind]) -> None:
    """Refuse a file without the columns that the request names, or a bad target."""
    for name in (request.target, request.id_column, request.time_column, *request.kinds, *request.drop):
        if name is not None and name not in kinds:
            message = f"{request.key} has no column {name!r}; it has {', '.join(kinds)}"
            near = [f"did you mean {column!r}?" for column in get_close_matches(name, kinds, n=1)]
            raise TrainingError(message, remedy=" ".join([*near, "name one of its columns exactly"]))
    for name in (request.target, request.id_column, request.time_column, *request.kinds):
        if name is not None and name.startswith(_OWN):
            message = f"{name!r} has a name that is reserved for columns that Everscore adds"
            raise TrainingError(message, remedy="rename the column")
    if kinds[request.target] is ColumnKind.CARRIED:
        message = f"{request.target!r} cannot be a target: it holds lists, records or bytes, not one number, text or boolean per row"
        raise TrainingError(message, remedy="name another column with --target")


def _odd_targets(request: TrainRequest, source: Readable) -> tuple[RejectedRow, ...]:
    """Return the rows whose target is no number."""
    return read_table(source, key=request.key, columns={request.target: ColumnKind.NUMBER}, formats=request.formats).rejected


def _refuse_too_many(request: TrainRequest, read: TableRead, target: Target, policy: Policy, odd_targets: Refused) -> None:
    """Refuse a file with more unreadable rows than the error budget allows."""
    bad = len(read.rejected) + target.refused
    if bad > policy.row_contract.error_budget * (read.table.num_rows + len(read.rejected)):
        first = (read.rejected or odd_targets())[0]
        message = f"cannot read {counted(bad, 'rows')} of {request.key}, the first in {described(first)}"
        raise TrainingError(message, remedy="mend these rows, or take them out of the file")


def _sieves(request: TrainRequest, policy: Policy, arrived: datetime) -> Iterator[tuple[str, Callable[[pa.Table], pa.Table]]]:
    """Yield filters for usable rows, each with the reason for leaving rows out."""
    yield "missing_target", lambda table: table.filter(table[request.target].is_valid())
    yield "out_of_range", lambda table: within(table, policy.row_contract.ranges)
    if time_column := request.time_column:
        latest = pa.scalar(arrived + _CLOCKS_APART, pa.timestamp("us", "UTC"))
        yield "future_time", lambda table: table.filter(pc.less(table[time_column], latest))


def _spec(request: TrainRequest, target: Target, features: Sequence[Feature]) -> ModelSpec:
    """Return the spec of the version to be trained.

    Raises:
        TrainingError: if the task does not have the metric, or the positive class, that the request names.
    """
    metric = request.metric or METRIC[target.task]
    if metric not in METRICS[target.task]:
        message = f"a {target.task} task has no metric {metric!r}"
        raise TrainingError(message, remedy=f"choose one of {', '.join(METRICS[target.task])}")
    return ModelSpec(
        name=request.model,
        task=target.task,
        target=request.target,
        id_column=request.id_column,
        time_column=request.time_column,
        timezone=request.timezone,
        day_zone=request.timezone,
        formats=request.formats,
        features=tuple(features),
        positive=positive_class(request.positive, request.target, target),
        metric=metric,
        estimator=request.estimator or default_estimator(target.task),
        parameters=dict(request.parameters),
        seed=request.seed,
    )


def _features(request: TrainRequest, kinds: Mapping[str, ColumnKind], only: Sequence[str] | None) -> list[Feature]:
    """Return all columns that can be features, or those requested."""
    own = {request.target, request.id_column, request.time_column}
    if taken := own & {*request.kinds, *request.drop}:
        message = f"{', '.join(sorted(map(str, taken)))}: only features have a kind, or can be dropped"
        raise TrainingError(message, remedy="leave out --kind and --drop for the target, the id and the time")
    known = {name: _KINDS[kind] for name, kind in kinds.items() if name not in own and kind in _KINDS} | dict(request.kinds)
    known = {name: kind for name, kind in known.items() if name not in request.drop and not (only is None and name.startswith(_OWN))}
    wanted = list(known) if only is None else only
    if missing := [name for name in wanted if name not in known]:
        message = (
            f"{request.key} has no feature {', '.join(missing)}: a column that is there holds neither numbers, categories nor "
            "booleans, or has another part; --kind COLUMN=KIND says what it holds"
        )
        raise TrainingError(message)
    return [Feature(name=name, kind=known[name]) for name in wanted]


def _refuse_riddles(table: pa.Table, features: Sequence[Feature], formats: Formats) -> None:
    """Refuse numbers that a few words would silently turn into a category.

    Raises:
        TrainingError: if a category's values are nearly all numbers. If all are, a typed file declares them as texts. Marks of
            missing numbers, such as "None", are neither.
    """
    for feature in features:
        values = table[feature.name].drop_null()
        if feature.kind is FeatureKind.CATEGORY and len(values):
            found = [to_numbers_in(chunk, formats) for chunk in values.chunks]
            refused = np.concatenate([chunk.refused for chunk in found])
            given = int(refused.sum()) + sum(len(chunk.array) - chunk.array.null_count for chunk in found)
            if 0 < refused.sum() < RIDDLE_SHARE * given:
                first = values[int(refused.argmax())].as_py()
                disguise = disguise_of(pc.value_counts(values))
                looks = f" (it holds {disguise.what}; {disguise.remedy})" if disguise else ""
                message = (
                    f"values of {feature.name!r} that are not numbers: {refused.sum():,} of {given:,}, "
                    f"the first is {first!r}{looks}: say --kind {feature.name}=number to leave their rows out, "
                    f"or --kind {feature.name}=category"
                )
                raise TrainingError(message)


def within(table: pa.Table, ranges: Mapping[str, tuple[float, float]]) -> pa.Table:
    """Return the rows whose numbers lie in these ranges; null is allowed.

    Raises:
        TrainingError: if a column with a range holds anything but numbers.
    """
    for name in ranges.keys() & set(table.column_names):
        if not pa.types.is_floating(table[name].type):
            message = f"the policy's row_contract.ranges names {name!r}, which holds more than numbers"
            raise TrainingError(message, remedy="mend the file or the policy")
        low, high = ranges[name]
        inside = pc.and_(pc.greater_equal(table[name], low), pc.less_equal(table[name], high))
        table = table.filter(pc.fill_null(inside, fill_value=True))
    return table
