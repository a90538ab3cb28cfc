"""Commands that make versions of a model, and rebuild them."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from functions.shared.domain import layout
from functions.shared.domain.errors import InputError
from functions.shared.domain.spec import ModelSpec, Task
from infra.cli.converted import converted
from infra.cli.labelled_file import LabelledFile
from infra.cli.options import AsJson, File, Model, StackName, console, pairs, say, show, waiting, with_options
from infra.cli.policy import refuse_impossible, write_policy
from infra.cli.screens.versions import decision_screen, first_version_screen, reproduction_screen, requested_screen
from infra.words import _

if TYPE_CHECKING:
    from infra.cli.operator import Operator

app = typer.Typer()

_BOOSTERS = ("Boost", "XGB", "LGBM")
Parameters = Annotated[list[str] | None, typer.Option("--param", help="NAME=VALUE of the estimator; repeatable.")]


@app.command()
@with_options
def train(
    context: typer.Context,
    model: Model,
    file: File,
    labelled: LabelledFile,
    task: Annotated[Task | None, typer.Option(help="Kind of prediction (default: found in the target's values).")] = None,
    estimator: Annotated[
        str | None,
        typer.Option(help="Dotted path, of scikit-learn, XGBoost, LightGBM, or CatBoost if the image has it (default: gradient boosting)."),
    ] = None,
    param: Parameters = None,
    drop: Annotated[list[str] | None, typer.Option(help="Column to leave out of training; repeatable.")] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Train a model's first version on a file and serve it."""
    recipe = {"task": task, "estimator": estimator, "parameters": pairs(param, example="max_iter=200"), "drop": drop or []}
    request, decision = {"action": "train", **recipe, **labelled.request(file)}, labelled.decision()
    file = context.with_resource(converted(file, sheet=labelled.sheet))
    if estimator is None or any(name in estimator for name in _BOOSTERS):
        _warn_of_many_classes(file, request)
    _first_version(model, file, request, decision, stack, as_json=as_json)


def _warn_of_many_classes(file: Path, request: dict[str, Any]) -> None:
    from infra.cli.classes import MANY, classes_to_learn

    if (classes := classes_to_learn(file, request)) >= MANY:
        warning = _(
            "warning: {target} has {classes:,} classes, and boosting grows a tree for each in every round, which may take many minutes; "
            "--param max_iter=20 or --estimator sklearn.linear_model.LogisticRegression is faster",
            target=request["target"],
            classes=classes,
        )
        say(warning, "yellow")


@app.command()
@with_options
def adopt(
    context: typer.Context,
    model: Model,
    source: Annotated[
        str,
        typer.Argument(help="models:/NAME/VERSION in MLflow, or a file: .json, .ubj (XGBoost), .txt (LightGBM), .cbm, .json (CatBoost)."),
    ],
    file: File,
    labelled: LabelledFile,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Serve a model that was trained elsewhere.

    FILE holds labelled rows like those it will score.
    """
    request, decision = {"action": "adopt", **labelled.request(file)}, labelled.decision()
    file = context.with_resource(converted(file, sheet=labelled.sheet))
    _first_version(model, file, request, decision, stack, as_json=as_json, source=source)


def _first_version(
    model: str,
    file: Path,
    request: dict[str, Any],
    decision: dict[str, object],
    stack: str | None,
    *,
    as_json: bool,
    source: str | None = None,
) -> None:
    """Make a first version from a file or from `source`, and wait until it serves."""
    from functions.shared.domain.spec import checked_model_name
    from functions.shared.repositories.releases import Releases
    from infra.cli.operator import connect, wait_for

    checked_model_name(model)
    operator = connect(stack)
    if source is not None:
        request |= _source(source, model, operator)
    if decision:
        refuse_impossible(model, decision.items(), operator)
        request["decision"] = {name.removeprefix("decision."): value for name, value in decision.items()}
    uploaded = operator.upload_file(layout.in_inbox(layout.TRAINING, model, file.name), file, console)
    request |= {"model": model, "key": uploaded.key, "version_id": uploaded.version_id}
    try:
        at_work = _(
            "training in the retraining function" if request["action"] == "train" else "proving the pipeline in the retraining function"
        )
        with waiting(at_work):
            made = operator.have_done("Retraining", request)
    except KeyboardInterrupt:
        say(_("the function goes on; `everscore status {model}` will show the version", model=model))
        if decision:
            changes = " ".join(f"--set {name}={value}" for name, value in decision.items())
            say(_("then `everscore policy {model} {changes}` sets its threshold", model=model, changes=changes))
        raise
    if decision:
        write_policy(model, decision.items(), "asked for with the first version", operator)
    with console.status(_("waiting for the release")):
        wait_for(lambda: Releases(operator.store).current(model), 60, f"release of {model}")
        if decision:
            operator.ask("Release", {"action": "tick", "model": model, "who": operator.who})
    show(made["decision"] | made["learnt"] | {"adopted": source is not None}, first_version_screen, as_json=as_json)


def _source(source: str, model: str, operator: "Operator") -> dict[str, Any]:
    """Return a request's words for where a model is; a file is uploaded."""
    if source.startswith(("models:/", "runs:/")):
        return {"uri": source}
    file = Path(source)
    if not file.is_file():
        message = f"no model at {source!r}: name one in MLflow as models:/NAME/VERSION, or a file by its path"
        raise InputError(message)
    uploaded = operator.upload_file(layout.in_inbox(layout.TRAINING, model, f"model/{file.name}"), file, console)
    return {"file": {"name": file.name, "key": uploaded.key, "version_id": uploaded.version_id}}


@app.command()
def retrain(
    model: Model,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the gate's decision and show it.")] = False,
    window: Annotated[str | None, typer.Option(help="Event days to learn from, as FIRST:LAST (default: the policy's).")] = None,
    estimator: Annotated[str | None, typer.Option(help="Dotted path of an estimator (default: the champion's).")] = None,
    param: Parameters = None,
    drop: Annotated[list[str] | None, typer.Option(help="Column to leave out from now on; repeatable.")] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Train a challenger on all labels up to now.

    The gate compares it with the champion.
    """
    from infra.cli.operator import connect

    recipe = {"estimator": estimator, "parameters": pairs(param, example="max_iter=200"), "drop": drop or []}
    request: dict[str, Any] = {"action": "retrain", "model": model, "trigger": "person", **recipe}
    if window is not None:
        request["window"] = _window(window)
    operator = connect(stack)
    champion = operator.release_of(model).champion
    if drop:
        _refuse_undroppable(operator.spec_of(model, champion.version), request)
    if not wait:
        operator.notify("Retraining", request)
        show({"model": model, "requested": True}, requested_screen, as_json=as_json)
        return
    with waiting(_("retraining")):
        result = operator.have_done("Retraining", request)
    skipped = {"model": model, "decision": None, "skipped": result["skipped"]}
    show(result["decision"] or skipped, decision_screen, as_json=as_json)


def _refuse_undroppable(spec: ModelSpec, request: dict[str, Any]) -> None:
    """Check the columns to drop as the function does, whose refusal nobody waits for.

    Raises:
        TrainingError: if one is no feature, or none is left.
    """
    from functions.retraining.event import RetrainRequest
    from functions.retraining.recipe import Recipe, changed

    changed(Recipe(spec), RetrainRequest.model_validate(request))


def _window(text: str) -> dict[str, str]:
    """Return `2013-03-01:2013-03-10` as a request holds it."""
    try:
        first, last = (date.fromisoformat(day).isoformat() for day in text.split(":"))
    except ValueError as error:
        remedy = "write FIRST:LAST, as in 2013-03-01:2013-03-10"
        raise InputError(f"--window {text} is no pair of days", remedy=remedy, code="usage") from error
    if last < first:
        raise InputError(f"--window {text} holds no day", remedy="write the earlier day first", code="usage")
    return {"start": first, "end": last}


@app.command()
def reproduce(
    model: Model,
    version: Annotated[str, typer.Argument(help="Version to rebuild.")],
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Rebuild a version from its training set, and compare it byte by byte.

    The released version is what it is compared with.
    """
    from infra.cli.operator import connect

    operator = connect(stack)
    operator.release_of(model)
    with console.status(_("training again")):
        rebuilt = operator.have_done("Retraining", {"action": "reproduce", "model": model, "version": version})
    show(rebuilt, reproduction_screen, as_json=as_json)
    if not rebuilt["identical"]:
        raise typer.Exit(1)
