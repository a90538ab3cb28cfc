"""Make a model's versions: the first from a file, later ones from new labels.

Each is judged before it may serve.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from functions.retraining.admission import admission_reasons
from functions.retraining.adoption import adoptable_rows, look_at, remarks, with_classes_of
from functions.retraining.caveats import caveats
from functions.retraining.columns import columns_seen
from functions.retraining.cross_validation import Contest, cross_validate
from functions.retraining.event import ALERT, PERSON, AdoptRequest, ColumnSeen, Learnt, RetrainingResult, RetrainRequest, TrainRequest
from functions.retraining.fitting import Fitted, as_fitted, fit, score_rows
from functions.retraining.holdout import hold_out_newest, split
from functions.retraining.material import Material, gather, windowed
from functions.retraining.measuring import Floats, costs_of, held_out_answers, measured, predicted
from functions.retraining.ports import Ports
from functions.retraining.publication import Candidate, Judgement, publish
from functions.retraining.recipe import changed, recipe_of
from functions.retraining.recording import catch_up
from functions.retraining.training_file import possible_features, read_training_file
from functions.retraining.training_set import TrainingSet
from functions.shared.domain.alert import AlertKind
from functions.shared.domain.decision import Decision, Reason, Verdict
from functions.shared.domain.errors import (
    AdoptionRefusedError,
    NothingToLearnError,
    RegistryUnavailableError,
    RetrainingBusyError,
    TrainingError,
)
from functions.shared.domain.gate.codes import GateCode
from functions.shared.domain.gate.comparison import Holdout, judge
from functions.shared.domain.gate.cost import ComparedCosts
from functions.shared.domain.performance.error_curve import COST
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import ServedModel
from functions.shared.domain.rollout.agreement import compare_scores
from functions.shared.domain.spec import FeatureKind, Task
from functions.shared.engines.bundle import LoadedModel
from functions.shared.ports import ForeignModel, ObjectStore, Registry
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.leases import Leases
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases

_SLICES_A_CATEGORY = 3
_RELEASED_BY = timedelta(hours=1)
"""By then the schedule has tried several times to serve a first version; one that still does not serve never will."""
_ALERTS_THAT_RETRAIN = {ALERT + AlertKind.DRIFT.value, ALERT + AlertKind.PERFORMANCE.value}


def train_first(request: TrainRequest, ports: Ports) -> RetrainingResult:
    """Train a model's first version from an uploaded file, and promote it.

    The newest fifth of the rows (by event time, or a random draw with a seed) is held out to measure the version.

    Raises:
        TrainingError: if the model serves already, or the file cannot be trained on.
        BatchRejectedError: if the file is no readable table.
        RetrainingBusyError: if another training of this model is running.
    """
    with _making_the_first(request.model, ports) as policy:
        file = read_training_file(request, policy, ports.inbox)
        parts = split(file.rows, request.seed)
        fitted = fit(file.rows.spec, parts.learnt)
        candidate = Candidate(fitted, parts.learnt, _measurable(fitted, parts.held), file.rows)
        first = Reason(code=GateCode.FIRST, message="the model's first version has no champion to beat")
        reasons = (first, *file.left_out_reasons(), *parts.notes, *caveats(file.rows))
        decision = publish(candidate, Judgement(Verdict.PROMOTE, reasons, PERSON), policy, ports)
        return RetrainingResult(decision=decision, learnt=_learnt(candidate, file.columns))


def adopt_first(request: AdoptRequest, ports: Ports) -> RetrainingResult:
    """Serve a model that was trained elsewhere, unchanged, as a first version.

    It may have learnt from any row of the reference file. So all of them count as learnt, and challengers are judged only on newer
    days. It is measured on the newest fifth, as after a training.

    Raises:
        AdoptionRefusedError: if the model cannot serve here.
        TrainingError: if the model serves already, or the file does not suit the pipeline.
        BatchRejectedError: if the file is no readable table.
        RetrainingBusyError: if another training of this model is running.
    """
    with _making_the_first(request.model, ports) as policy:
        foreign = _foreign(request, ports)
        adopted = look_at(foreign, lambda: possible_features(request, ports.inbox), request.kinds)
        asked = request.model_dump(exclude={"action", "uri", "file"}) | {"kinds": {**request.kinds, **adopted.kinds}}
        described = TrainRequest(**asked, task=adopted.task, estimator=adopted.estimator)
        file = read_training_file(described, policy, ports.inbox, only=adopted.columns)
        adopted, named = with_classes_of(adopted, file.rows)
        rows = adoptable_rows(adopted, file.rows)
        fitted = as_fitted(adopted.pipeline, rows.spec, rows)
        held = _measurable(fitted, hold_out_newest(rows, request.seed)[1])
        source = request.uri or foreign.uri
        message = f"{source} as it was trained; its figures do not show whether it learnt from rows of the reference file"
        adopted_as = (Reason(code=GateCode.ADOPTED, message=message), *named, *remarks(foreign, adopted, file.rows, rows))
        reasons = (*adopted_as, *file.left_out_reasons(), *caveats(rows))
        candidate = Candidate(fitted, rows, held, rows)
        decision = publish(candidate, Judgement(Verdict.PROMOTE, reasons, PERSON), policy, ports)
        return RetrainingResult(decision=decision, learnt=_learnt(candidate, file.columns))


def _foreign(request: AdoptRequest, ports: Ports) -> ForeignModel:
    if request.uri is not None:
        return _registry(ports).logged_model(request.uri)
    assert request.file is not None, "a request has one of the two"
    body = ports.inbox.read(request.file.key, request.file.version_id)
    return ForeignModel(f"file:{request.file.name}#sha256={hashlib.sha256(body).hexdigest()}", body)


def _registry(ports: Ports) -> Registry:
    if ports.registry is None:
        message = "this stack has no MLflow, so there is no pipeline to adopt"
        raise AdoptionRefusedError(message, remedy="deploy it with the parameter MlflowTrackingUri")
    return ports.registry


@contextmanager
def _making_the_first(model: str, ports: Ports) -> Iterator[Policy]:
    """Return the policy for a first version, and hold the lease for making it."""
    with Leases(ports.store).held(model, holder=ports.new_holder(), now=ports.now):
        _refuse_second(model, ports)
        yield Policies(ports.store).current(model)


def _refuse_second(model: str, ports: Ports) -> None:
    """Pass if no version serves, and none is about to.

    Raises:
        TrainingError: otherwise.
    """
    if Releases(ports.store).current(model) is not None:
        message = f"model {model!r} serves already: `everscore retrain {model}` makes a challenger"
        raise TrainingError(message)
    for decision in Decisions(ports.store).all(model):
        if decision.verdict is Verdict.PROMOTE and ports.now() - decision.decided_at < _RELEASED_BY:
            message = f"version {decision.challenger_version} of {model!r} was made just now and is about to serve"
            remedy = f"wait until `everscore status {model}` shows it; `everscore retrain {model}` then makes a challenger"
            raise TrainingError(message, remedy=remedy)


def _learnt(candidate: Candidate, file_columns: Mapping[str, ColumnSeen | None]) -> Learnt:
    """Describe how a file with these columns was understood to make a candidate."""
    spec = candidate.spec
    found = [] if spec.task is Task.REGRESSION else pc.value_counts(candidate.snapshot.table[spec.target]).to_pylist()
    classes = {item["values"]: item["counts"] for item in sorted(found, key=lambda item: item["values"])}
    columns = columns_seen(file_columns, spec, candidate.snapshot.table)
    return Learnt(target=spec.target, task=spec.task, positive=spec.positive_class, classes=classes, columns=columns)


def _measurable(fitted: Fitted, held: TrainingSet) -> TrainingSet:
    """Return the held-out rows of classes that a version knows, to measure it.

    Raises:
        TrainingError: if there are none.
    """
    known = TrainingSet(fitted.spec, held.table).known()
    if not known.rows:
        message = f"none of the {held.rows:,} newest rows, which are held out, has a {fitted.spec.target!r} that the older ones have"
        raise TrainingError(message)
    return known


def retrain(request: RetrainRequest, ports: Ports, *, again: bool = False) -> RetrainingResult:
    """Make and judge a challenger for one model; without a name, request all models'.

    Args:
        request: what to make.
        ports: what it needs.
        again: an earlier function began this request. It may have been killed, and its lease then outlives it.

    Raises:
        TrainingError: if no version of the model serves yet, or its rows cannot be trained on.
        RetrainingBusyError: if another one works on the model and this is done again; a first try is skipped.
    """
    if request.model is None:
        return RetrainingResult(requested=_request_all(request.trigger, ports))
    try:
        # Before the lease: a refused alert must not block a schedule at the same moment.
        _check_trigger(request.model, request, Policies(ports.store).current(request.model), ports)
        with Leases(ports.store).held(request.model, holder=ports.new_holder(), now=ports.now):
            _catch_up(request.model, ports)
            return RetrainingResult(decision=_challenge(request.model, request, ports))
    except NothingToLearnError as reason:
        return RetrainingResult(skipped=str(reason))
    except RetrainingBusyError as busy:
        if again:
            raise
        return RetrainingResult(skipped=str(busy))


def _catch_up(model: str, ports: Ports) -> None:
    """Record the versions that the registry lacks, if it answers."""
    if ports.registry is not None:
        with suppress(RegistryUnavailableError):
            catch_up(model, ports.store, ports.bundles, ports.registry)


def _request_all(trigger: str, ports: Ports) -> tuple[str, ...]:
    releases = Releases(ports.store)
    models = tuple(model for model in releases.models() if (release := releases.current(model)) and not release.retired)
    for model in models:
        ports.events.request_retraining(model, trigger=trigger)
    return models


def _challenge(model: str, request: RetrainRequest, ports: Ports) -> Decision:
    """Fit a challenger before the newest mature days, and compare both on those."""
    policy = Policies(ports.store).current(model)
    served, taught = _champion(model, ports.store)
    champion, champion_recipe = ports.bundles.load(served), recipe_of(served, ports.bundles)
    recipe = changed(champion_recipe, request)
    material = gather(champion.spec, taught, request, policy, ports.store)
    fitted = recipe.fit(material.learnt)
    _check_classes(fitted, champion)
    contest = Contest(champion, taught, champion_recipe, recipe, lambda rows: windowed(rows, request, policy))
    judgement = _judged(contest, fitted, material, request.trigger, policy, ports.store)
    held = TrainingSet(fitted.spec, material.held.table)
    snapshot = TrainingSet(fitted.spec, pa.concat_tables([material.learnt.table, held.table]).drop_columns(list(request.drop)))
    return publish(Candidate(fitted, material.learnt, held, snapshot), judgement, policy, ports)


def _check_trigger(model: str, request: RetrainRequest, policy: Policy, ports: Ports) -> None:
    """Refuse an alert that new data cannot fix, or soon after a new version.

    People and schedules are never refused here.
    """
    if not request.trigger.startswith(ALERT):
        return
    if request.trigger not in _ALERTS_THAT_RETRAIN:
        message = f"an {request.trigger} is not a reason to retrain"
        raise NothingToLearnError(message)
    decisions = Decisions(ports.store).all(model)
    if not decisions:
        return
    rested = ports.now() - max(decision.decided_at for decision in decisions)
    needed = timedelta(hours=policy.retraining.cool_down_hours)
    if rested < needed:
        message = f"the last version is {rested} old, an alert retrains after {needed} (retraining.cool_down_hours)"
        raise NothingToLearnError(message)


def _champion(model: str, store: ObjectStore) -> tuple[ServedModel, Decision]:
    """Return the serving version, and its decision, which names its training rows."""
    release = Releases(store).current(model)
    if release is None:
        message = f"model {model!r} serves nothing yet: `everscore train {model} …` first"
        raise TrainingError(message)
    taught = Decisions(store).of(model, release.champion.version)
    if taught is None:
        message = f"version {release.champion.version} of {model!r} has no decision, so its training set is unknown"
        raise TrainingError(message)
    return release.champion, taught


def _check_classes(fitted: Fitted, champion: LoadedModel) -> None:
    """Refuse a challenger without some of the champion's classes."""
    if missing := [label for label in champion.spec.classes if label not in fitted.spec.classes]:
        message = f"the rows to learn from hold no {fitted.spec.target!r} of {', '.join(missing)}: widen the window"
        raise TrainingError(message)


def _judged(contest: Contest, fitted: Fitted, material: Material, trigger: str, policy: Policy, store: ObjectStore) -> Judgement:
    """Judge whether the newest rows can be trusted, and which model is better."""
    champion, version = contest.champion, contest.taught.challenger_version
    held = TrainingSet(fitted.spec, material.held.table)
    ours, theirs = score_rows(champion.engine, held), fitted.score(held)
    in_force = predicted(champion.deciding(policy.decision), held, ours)
    answers = in_force, held_out_answers(fitted, held, theirs, policy.decision)
    costs = tuple(costs_of(held, answered, policy.decision) for answered in answers)
    distrust = admission_reasons(contest.champion_recipe, ours, material.known, held, policy.gate)
    holdout = Holdout(
        held.spec.task,
        held.days,
        held.truth(),
        ours,
        theirs,
        _slices(held),
        champion.baseline.loss_ceiling,
        _compared(costs[0], costs[1], policy),
    )
    retry = _earlier_tries(held.spec.name, version, held.distinct_days[0], store)
    comparison = judge(holdout, policy.gate, retry=retry, rng=np.random.default_rng(champion.spec.seed))
    return Judgement(
        verdict=Verdict.KEEP if distrust else comparison.verdict,
        reasons=(*distrust, *comparison.reasons, *material.notes),
        trigger=trigger,
        champion_version=version,
        champion_metrics=measured(held, ours, answers[0], costs[0]),
        challenger_metrics=measured(held, theirs, answers[1], costs[1]),
        comparison=comparison,
        agreement=compare_scores(champion.baseline, ours, theirs),
        cross_validation=cross_validate(contest, material.before, policy.gate),
    )


def _compared(champion: Floats | None, challenger: Floats | None, policy: Policy) -> ComparedCosts | None:
    """Return costs to compare instead of losses, if the policy wants that.

    Return None for a model without costs.
    """
    each = policy.decision.costs
    if policy.gate.metric != COST or champion is None or challenger is None or each is None:
        return None
    return ComparedCosts(champion, challenger, each)


def _earlier_tries(model: str, champion: str, first_day: date, store: ObjectStore) -> int:
    """Count earlier challengers of this champion that were judged on these days."""
    return sum(
        decision.origin is None
        and decision.champion_version == champion
        and decision.holdout_last_day is not None
        and decision.holdout_last_day >= first_day
        for decision in Decisions(store).all(model)
    )


def _slices(rows: TrainingSet) -> dict[str, NDArray[np.bool_]]:
    """Return slices for the most common values of each category, to protect each."""
    slices = {}
    for feature in rows.spec.features:
        if feature.kind is FeatureKind.CATEGORY:
            values = rows.table[feature.name]
            counts = sorted(pc.value_counts(values.drop_null()).to_pylist(), key=lambda item: (-item["counts"], item["values"]))
            for item in counts[:_SLICES_A_CATEGORY]:
                inside = pc.fill_null(pc.equal(values, item["values"]), fill_value=False)
                slices[f"{feature.name}={item['values']}"] = np.asarray(inside.to_numpy(), dtype=bool)
    return slices
