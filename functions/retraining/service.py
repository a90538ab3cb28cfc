"""A model's versions: the first from a file, later ones from what was learnt since, each judged before it may serve."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from functions.retraining.admission import admission_reasons
from functions.retraining.event import RetrainingResult, RetrainRequest, TrainRequest
from functions.retraining.fitting import Fitted, fit, score_rows
from functions.retraining.pipeline import default_estimator
from functions.retraining.training_set import DAY, TrainingSet, assemble, labelled_since
from functions.shared.domain import layout
from functions.shared.domain.agreement import compare_scores
from functions.shared.domain.baseline import build_baseline
from functions.shared.domain.calendar import event_watermark, matured_until
from functions.shared.domain.decision import Decision, Reason, Snapshot, Verdict
from functions.shared.domain.dvc import DvcDirectory, dvc_pointer
from functions.shared.domain.errors import TrainingError
from functions.shared.domain.gate import Comparison, Holdout, judge
from functions.shared.domain.labels import canonical_labels
from functions.shared.domain.performance import losses, measure
from functions.shared.domain.policy import Policy
from functions.shared.domain.profile import Agreement
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.engines.bundle import INDEX, make_bundle
from functions.shared.ports import EventBus, ObjectStore, Registry, TrainingRun
from functions.shared.reading.rules import ColumnKind
from functions.shared.reading.service import infer_columns, read_table
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases
from functions.shared.repositories.snapshots import Snapshots

FIRST_HOLDOUT_SHARE = 0.2
MANY_CLASSES = 20
METRIC = {Task.BINARY: "log_loss", Task.MULTICLASS: "log_loss", Task.REGRESSION: "rmse"}
_KINDS = {ColumnKind.NUMBER: FeatureKind.NUMBER, ColumnKind.BOOLEAN: FeatureKind.BOOLEAN, ColumnKind.CATEGORY: FeatureKind.CATEGORY}


@dataclass(frozen=True, slots=True)
class Workshop:
    """The ports of retraining, which go everywhere together."""

    inbox: ObjectStore
    store: ObjectStore
    registry: Registry
    bundles: Bundles
    events: EventBus
    now: Callable[[], datetime]


def train_first(request: TrainRequest, workshop: Workshop) -> Decision:
    """Train a model's first version from an uploaded file; it is promoted without a rival.

    The newest fifth of the rows (by event time, or by a seeded draw) is held out: its figures are the version's own.

    Raises:
        TrainingError: if the model serves already, or the file cannot give a model.
        BatchRejectedError: if the file is no readable table.
    """
    if Releases(workshop.store).current(request.model) is not None:
        message = f"model {request.model!r} serves already: `everscore retrain {request.model}` makes a challenger"
        raise TrainingError(message)
    policy = Policies(workshop.store).current(request.model)
    rows = _read_training_file(request, policy, workshop.inbox)
    learnt, held = _split_first(rows, request.seed)
    fitted = fit(rows.spec, learnt)
    reasons = (Reason(code="first", message="the model's first version has no champion to beat"),)
    draft = _Draft(request.model, None, Verdict.PROMOTE, reasons, "person")
    return _publish(draft, fitted, learnt, held, rows, policy, workshop)


def retrain(request: RetrainRequest, workshop: Workshop) -> RetrainingResult:
    """Make a challenger for one model and judge it; without a model, ask for one retraining of each.

    Raises:
        TrainingError: if the model serves nothing yet, or its rows cannot give a model.
    """
    if request.model is None:
        return RetrainingResult(requested=_request_all(request.trigger, workshop))
    model, store = request.model, workshop.store
    release = Releases(store).current(model)
    if release is None:
        message = f"model {model!r} serves nothing yet: `everscore train {model} …` first"
        raise TrainingError(message)
    policy = Policies(store).current(model)
    if skipped := _too_soon(request, policy, workshop):
        return RetrainingResult(skipped=skipped)
    champion = workshop.bundles.load(release.champion)
    champion_decision = Decisions(store).of(model, release.champion.version)
    if champion_decision is None:
        message = f"version {release.champion.version} of {model!r} has no decision, so its training set is unknown"
        raise TrainingError(message)
    matured = _matured(model, policy, store)
    if matured is None:
        return RetrainingResult(skipped="no batch was scored yet, so there is nothing new to learn from")
    known = Snapshots(store).read(champion_decision.snapshot.md5)
    fresh = labelled_since(champion.spec, store=store, until=matured)
    new_labels = sum(table.num_rows for table in fresh)
    if new_labels < policy.retraining.min_new_labels:
        return RetrainingResult(skipped=f"{new_labels} labels came since, {policy.retraining.min_new_labels} are needed")
    rows = assemble(champion.spec, [known, *fresh])
    trained_until = champion_decision.trained_last_day
    holdout_days = [day for day in rows.distinct_days if trained_until is None or day > trained_until][-policy.gate.holdout_days :]
    if not holdout_days:
        return RetrainingResult(skipped="no mature day lies after the champion's training")
    held = rows.between(holdout_days[0], holdout_days[-1])
    learnt = _windowed(rows, request, policy, before=holdout_days[0])
    fitted = fit(champion.spec, learnt)
    held = TrainingSet(fitted.spec, held.table).known()
    champion_scores = score_rows(champion.engine, held)
    challenger_scores = fitted.score(held)
    retry = _earlier_tries(model, release.champion.version, holdout_days[0], store)
    reasons = admission_reasons(
        champion, champion_scores, rows.between(rows.distinct_days[0], trained_until or holdout_days[0]), held, policy.gate
    )
    holdout = Holdout(held.spec.task, held.days, held.truth(), champion_scores, challenger_scores, _slices(held))
    comparison = judge(holdout, policy.gate, retry=retry, rng=np.random.default_rng(champion.spec.seed))
    draft = _Draft(
        model,
        release.champion.version,
        Verdict.KEEP if reasons else comparison.verdict,
        (*reasons, *comparison.reasons),
        request.trigger,
        comparison,
        measure(held.spec.task, held.truth(), champion_scores),
        compare_scores(champion.baseline, champion_scores, challenger_scores),
    )
    used = TrainingSet(champion.spec, pa.concat_tables([learnt.table, held.table]))
    return RetrainingResult(decision=_publish(draft, fitted, learnt, held, used, policy, workshop))


def _request_all(trigger: str, workshop: Workshop) -> tuple[str, ...]:
    models = tuple(Releases(workshop.store).models())
    for model in models:
        workshop.events.request_retraining(model, trigger=trigger)
    return models


def _too_soon(request: RetrainRequest, policy: Policy, workshop: Workshop) -> str | None:
    """Why an alert must wait: another version was made within the cool-down. Persons and schedules need not."""
    decisions = Decisions(workshop.store).all(str(request.model))
    if not request.trigger.startswith("alert") or not decisions:
        return None
    rested = workshop.now() - max(decision.decided_at for decision in decisions)
    needed = timedelta(hours=policy.retraining.cool_down_hours)
    return None if rested >= needed else f"the last version is {rested} old, an alert retrains after {needed}"


def _matured(model: str, policy: Policy, store: ObjectStore) -> date | None:
    watermark = event_watermark(Manifests(store).newest(model))
    return matured_until(watermark, policy.labels.delay_days) if watermark else None


def _windowed(rows: TrainingSet, request: RetrainRequest, policy: Policy, *, before: date) -> TrainingSet:
    """The rows to fit: all before the holdout, or the window that the request or the policy names."""
    last = before - timedelta(days=1)
    window = request.window or (None if policy.retraining.window == "all" else policy.retraining.window)
    if window is not None:
        return rows.between(window.start, min(window.end, last))
    first = date.min if policy.retraining.last_days is None else before - timedelta(days=policy.retraining.last_days)
    return rows.between(first, last)


def _earlier_tries(model: str, champion: str, first_day: date, store: ObjectStore) -> int:
    """Challengers of this champion that were judged on days of this holdout before."""
    return sum(
        decision.champion_version == champion and decision.holdout_last_day is not None and decision.holdout_last_day >= first_day
        for decision in Decisions(store).all(model)
    )


def _slices(rows: TrainingSet) -> dict[str, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """The commonest value of each category, as parts that must not be harmed."""
    slices = {}
    for feature in rows.spec.features:
        if feature.kind is FeatureKind.CATEGORY:
            values = rows.table[feature.name]
            common = sorted(pc.value_counts(values.drop_null()).to_pylist(), key=lambda item: -item["counts"])[:3]
            for item in common:
                same = pc.equal(values, item["values"]).fill_null(fill_value=False)
                slices[f"{feature.name}={item['values']}"] = np.asarray(same.to_numpy(), dtype=bool)
    return slices


def _read_training_file(request: TrainRequest, policy: Policy, inbox: ObjectStore) -> TrainingSet:
    source = inbox.open(request.key, request.version_id)
    kinds = infer_columns(source, key=request.key)
    for name in (request.target, request.id_column, request.time_column):
        if name is not None and name not in kinds:
            message = f"{request.key} has no column {name!r}; it has {', '.join(kinds)}"
            raise TrainingError(message)
    own = {request.target, request.id_column, request.time_column}
    features = [Feature(name=name, kind=_KINDS[kind]) for name, kind in kinds.items() if name not in own and kind in _KINDS]
    columns = {feature.name: ColumnKind(feature.kind.value) for feature in features}
    columns |= {request.id_column: ColumnKind.ID, request.target: ColumnKind.CARRIED}
    if request.time_column:
        columns[request.time_column] = ColumnKind.TIME
    table = read_table(source, key=request.key, columns=columns, timezone=request.timezone).table
    for name, (low, high) in policy.row_contract.ranges.items():
        if name in columns:
            table = table.filter(
                pc.or_kleene(pc.is_null(table[name]), pc.and_(pc.greater_equal(table[name], low), pc.less_equal(table[name], high)))
            )
    task = request.task or _task_of(table[request.target])
    spec = ModelSpec(
        name=request.model,
        task=task,
        target=request.target,
        id_column=request.id_column,
        time_column=request.time_column,
        timezone=request.timezone,
        features=tuple(features),
        metric=request.metric or METRIC[task],
        estimator=request.estimator or default_estimator(task),
        parameters=dict(request.parameters),
        seed=request.seed,
    )
    if request.time_column:
        days = pc.cast(table[request.time_column], pa.date32(), safe=False)
    else:
        arrival = inbox.info(request.key, request.version_id).last_modified.date()
        days = pa.chunked_array([pa.array([arrival] * table.num_rows, pa.date32())])
    return assemble(spec, [table.append_column(DAY, days)])


def _task_of(target: pa.ChunkedArray) -> Task:
    """Two values make a binary task; more than twenty numbers, or any with a fraction, a regression."""
    labels = pc.unique(canonical_labels(target).drop_null())
    if len(labels) == 2:
        return Task.BINARY
    numeric = pc.all(pc.match_substring_regex(labels, r"^-?\d+(\.\d+)?([eE][-+]?\d+)?$")).as_py()
    whole = pc.all(pc.match_substring_regex(labels, r"^-?\d+$")).as_py()
    return Task.REGRESSION if numeric and (not whole or len(labels) > MANY_CLASSES) else Task.MULTICLASS


def _split_first(rows: TrainingSet, seed: int) -> tuple[TrainingSet, TrainingSet]:
    """The older four fifths of the days to fit and the newest to hold out; on a single day, a seeded draw of rows."""
    days = rows.distinct_days
    if len(days) > 1:
        start = rows.table[DAY][int(rows.rows * (1 - FIRST_HOLDOUT_SHARE))].as_py()
        first_held = start if start > days[0] else days[1]
        return rows.between(days[0], first_held - timedelta(days=1)), rows.between(first_held, days[-1])
    held = np.random.default_rng(seed).random(rows.rows) < FIRST_HOLDOUT_SHARE
    return TrainingSet(rows.spec, rows.table.filter(pa.array(~held))), TrainingSet(rows.spec, rows.table.filter(pa.array(held)))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A decision before its version is registered."""

    model: str
    champion_version: str | None
    verdict: Verdict
    reasons: tuple[Reason, ...]
    trigger: str
    comparison: Comparison | None = None
    champion_metrics: dict[str, float | None] | None = None
    agreement: Agreement | None = None


def _publish(
    draft: _Draft, fitted: Fitted, learnt: TrainingSet, held: TrainingSet, used: TrainingSet, policy: Policy, workshop: Workshop
) -> Decision:
    """Keep all that makes the version: snapshot, registry entry, bundle, and last the decision, which tells `release`."""
    snapshot, directory = Snapshots(workshop.store).write(used.table, used.table[DAY].combine_chunks())
    held = TrainingSet(fitted.spec, held.table).known()
    scores = fitted.score(held)
    metrics = measure(fitted.spec.task, held.truth(), scores)
    defined = {name: value for name, value in metrics.items() if value is not None}
    registered = workshop.registry.register(
        draft.model,
        TrainingRun(
            fitted.pipeline,
            _parameters(fitted.spec, learnt, snapshot),
            defined,
            {"everscore.trigger": draft.trigger},
            fitted.spec.libraries,
        ),
    )
    baseline = build_baseline(
        draft.model,
        registered.version,
        learnt.table,
        fitted.spec,
        scores,
        days=learnt.days if fitted.spec.time_column else None,
        score_days=held.days if fitted.spec.time_column else None,
        out_of_time=metrics,
        loss=float(np.mean(losses(fitted.spec.task, held.truth(), scores))),
    )
    files = make_bundle(fitted.spec, baseline, fitted.compiled, fitted.pipeline)
    prefix = layout.version_prefix(draft.model, registered.version)
    for name in sorted(files, key=lambda name: name == INDEX):
        workshop.store.write(prefix + name, files[name])
    comparison = draft.comparison
    decision = Decision(
        model=draft.model,
        champion_version=draft.champion_version,
        challenger_version=registered.version,
        decision=draft.verdict,
        reasons=draft.reasons,
        metric=fitted.spec.metric,
        champion=draft.champion_metrics or {},
        challenger=metrics,
        difference=comparison.difference if comparison else None,
        ci_low=_finite(comparison.ci_low) if comparison else None,
        ci_high=_finite(comparison.ci_high) if comparison else None,
        minimum_effect=comparison.minimum_effect if comparison else None,
        alpha=comparison.alpha if comparison else None,
        rows=held.rows,
        days=len(held.distinct_days),
        holdout_first_day=held.distinct_days[0],
        holdout_last_day=held.distinct_days[-1],
        snapshot=snapshot,
        digest=hashlib.sha256(files[INDEX]).hexdigest(),
        engine=fitted.compiled.kind.value,
        engine_reason=fitted.compiled.reason,
        trained_rows=learnt.rows,
        trained_first_day=learnt.distinct_days[0],
        trained_last_day=learnt.distinct_days[-1],
        agreement=draft.agreement,
        thresholds=policy.gate,
        trigger=draft.trigger,
        run_id=registered.run_id,
        decided_at=workshop.now(),
    )
    workshop.registry.attach(registered.run_id, _artifacts(decision, files, directory), {})
    Decisions(workshop.store).write(decision)
    return decision


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _parameters(spec: ModelSpec, learnt: TrainingSet, snapshot: Snapshot) -> dict[str, str]:
    days = learnt.distinct_days
    return {
        "estimator": spec.estimator,
        "seed": str(spec.seed),
        "rows": str(learnt.rows),
        "first_day": days[0].isoformat(),
        "last_day": days[-1].isoformat(),
        "snapshot": snapshot.md5,
        **{f"parameter.{name}": str(value) for name, value in spec.parameters.items()},
    }


def _artifacts(decision: Decision, files: dict[str, bytes], directory: DvcDirectory) -> dict[str, bytes]:
    return {
        "decision.json": decision.to_json(),
        "snapshot.dvc": dvc_pointer(directory, "snapshot"),
        **{name: files[name] for name in (INDEX, "spec.json", "baseline.json")},
    }
