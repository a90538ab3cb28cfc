"""A pipeline that somebody logged in MLflow becomes a version: what it needs to be that, and what it is proved on."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.base import clone, is_classifier, is_regressor

from functions.retraining.fitting import classes_of
from functions.retraining.training_set import TrainingSet
from functions.shared.domain.decision import Reason
from functions.shared.domain.errors import AdoptionRefusedError, InvalidBundleError
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.engines.native import REFUSALS, NativeEngine
from functions.shared.engines.skops_file import TRUST_GROUP, load_pipeline
from functions.shared.ports import LoggedPipeline

_TRIED_ROWS = 64


@dataclass(frozen=True, slots=True)
class Adopted:
    """A fitted pipeline of others: the columns it was fitted on, in order, and the classes it tells apart, as text."""

    pipeline: Any
    uri: str
    estimator: str
    columns: tuple[str, ...]
    task: Task
    classes: tuple[str, ...]


def look_at(logged: LoggedPipeline) -> Adopted:
    """What a logged pipeline is.

    Raises:
        AdoptionRefusedError: if it cannot be loaded safely, cannot be imported, is not fitted on named columns, or gives no
            scores.
    """
    pipeline = _loaded(logged)
    columns = getattr(pipeline, "feature_names_in_", None)
    if columns is None:
        message = (
            f"the pipeline of {logged.uri} does not know its columns: fit it on a DataFrame, texts too, by "
            'ColumnTransformer([("texts", TfidfVectorizer(), "COLUMN"), …]), and log it again'
        )
        raise AdoptionRefusedError(message)
    if not (is_regressor(pipeline) or (is_classifier(pipeline) and hasattr(pipeline, "predict_proba"))):
        message = f"{logged.uri} is a {type(pipeline).__name__} without predict_proba: adopt a regressor, or a classifier that has it"
        raise AdoptionRefusedError(message)
    _refuse_uncloned(pipeline, logged.uri)
    model = pipeline.steps[-1][1] if hasattr(pipeline, "steps") else pipeline
    estimator = f"{type(model).__module__}.{type(model).__qualname__}"
    classes = () if is_regressor(pipeline) else _classes(pipeline, logged.uri)
    task = Task.REGRESSION if not classes else Task.BINARY if len(classes) == 2 else Task.MULTICLASS
    return Adopted(pipeline, logged.uri, estimator, tuple(map(str, columns)), task, classes)


def _refuse_uncloned(pipeline: Any, uri: str) -> None:
    """Retraining will clone it: pass if that is possible."""
    try:
        clone(pipeline)
    except REFUSALS as error:
        message = f"the pipeline of {uri} cannot be cloned, so it could never be retrained: {error}"
        raise AdoptionRefusedError(message) from error


def _loaded(logged: LoggedPipeline) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Trying to unpickle")  # `told` says so
            return load_pipeline(logged.skops)
    except ImportError as error:
        message = f"{logged.uri} cannot be loaded: {error}. Estimators of your own must be installed in the functions' image"
        raise AdoptionRefusedError(message) from error
    except InvalidBundleError as error:
        message = f"{logged.uri}: {error}. An installed package vouches for its types by entry points of the group {TRUST_GROUP}"
        raise AdoptionRefusedError(message) from error


def _classes(pipeline: Any, uri: str) -> tuple[str, ...]:
    """The classes as labels are written, in the order of the scores; a clone that learns them as text must keep that order."""
    classes = classes_of(pipeline)
    if list(classes) != sorted(classes):
        message = f"{uri} orders its classes {', '.join(classes)}, which as text come in another order: name them otherwise"
        raise AdoptionRefusedError(message)
    return classes


def told(logged: LoggedPipeline, spec: ModelSpec, file: TrainingSet, rows: TrainingSet) -> tuple[Reason, ...]:
    """A sentence each if another scikit-learn wrote the pipeline than will score with it, and if rows of the file were left out."""
    reasons = []
    if logged.scikit_learn != (present := spec.libraries["scikit-learn"]):
        message = f"the pipeline was logged under scikit-learn {logged.scikit_learn} and is served by {present}"
        reasons.append(Reason(code="other_library", message=message))
    if rows.rows < file.rows:
        required = ", ".join(feature.name for feature in spec.features if not feature.nullable)
        message = f"{file.rows - rows.rows:,} rows were left out: they lack one of {required}, which the pipeline needs"
        reasons.append(Reason(code="left_out", message=message))
    return tuple(reasons)


def adoptable_rows(adopted: Adopted, rows: TrainingSet) -> TrainingSet:
    """The reference rows that the pipeline can score, with the spec that it gets.

    Raises:
        AdoptionRefusedError: as `_tried` does, or if none of the rows has a class that the pipeline knows.
    """
    spec = rows.spec.model_copy(update={"adopted": adopted.uri, "classes": adopted.classes})
    spec = spec.model_copy(update={"features": _tried(adopted, spec, rows.table)})
    table = rows.table
    for feature in spec.features:
        if not feature.nullable:
            table = table.filter(pc.is_valid(table[feature.name]))
    known = TrainingSet(spec, table).known()
    if not known.rows:
        message = f"no row has a {spec.target!r} that the pipeline tells apart: {', '.join(adopted.classes)}"
        raise AdoptionRefusedError(message)
    return TrainingSet(spec, table)


def _tried(adopted: Adopted, spec: ModelSpec, rows: pa.Table) -> tuple[Feature, ...]:
    """The spec's features, each nullable if the pipeline scores a row that lacks it.

    Rows that lack others are set aside when they come, since one of them would fail its whole batch. So would an unseen
    category, which rows cannot be kept from bringing.

    Raises:
        AdoptionRefusedError: if the pipeline scores no complete row, or no row with an unseen category.
    """
    engine = NativeEngine(adopted.pipeline, spec.task, spec.features)
    complete = rows.select([feature.name for feature in spec.features]).drop_null().slice(0, _TRIED_ROWS).combine_chunks()
    if not complete.num_rows:
        message = "the reference file has no row in which every feature has a value: the pipeline is tried on such rows"
        raise AdoptionRefusedError(message)
    usual = complete.to_batches()[0]
    if refusal := _refusal(engine, usual):
        message = f"the pipeline of {adopted.uri} cannot score the reference rows: {refusal}. --kind COLUMN=KIND says what one holds"
        raise AdoptionRefusedError(message)
    for feature in spec.features:
        if feature.kind is FeatureKind.CATEGORY and (refusal := _refusal(engine, _with(usual, feature, ["never seen before"]))):
            message = (
                f"the pipeline of {adopted.uri} cannot score a row with a {feature.name!r} that it does not know ({refusal}), and a "
                'batch may bring one at any time: log one whose encoder has handle_unknown="ignore" or the like'
            )
            raise AdoptionRefusedError(message)
    return tuple(
        feature.model_copy(update={"nullable": _refusal(engine, _with(usual, feature, [None])) is None}) for feature in spec.features
    )


def _refusal(engine: NativeEngine, rows: pa.RecordBatch) -> str | None:
    """Why a pipeline does not score rows, or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scores = engine.score(rows)
    except REFUSALS as error:
        return f"{type(error).__name__}: {str(error).partition('\n')[0]}"
    return None if np.isfinite(scores).all() else "its scores are not finite"


def _with(usual: pa.RecordBatch, feature: Feature, value: Sequence[str | None]) -> pa.RecordBatch:
    place = usual.schema.get_field_index(feature.name)
    column = pa.array(list(value) * usual.num_rows, usual.column(place).type)
    return usual.set_column(place, feature.name, column)
