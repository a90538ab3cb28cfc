"""Turn a model trained elsewhere into a version, and choose rows to prove it."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.base import clone, is_classifier, is_regressor

from functions.retraining.fitting import classes_of
from functions.retraining.matching import Matched, matched, refuse_unknown
from functions.retraining.training_set import TrainingSet
from functions.shared.domain.decision import Reason
from functions.shared.domain.errors import AdoptionRefusedError, InvalidBundleError
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.engines.families.table import families, family_of
from functions.shared.engines.native import REFUSALS, NativeEngine
from functions.shared.engines.skops_file import TRUST_GROUP, dump_pipeline, load_pipeline
from functions.shared.engines.steps import steps_of
from functions.shared.foundation.counted import counted
from functions.shared.ports import ForeignModel
from functions.shared.reading.rules import ColumnKind

_TRIED_ROWS = 64
_ZIP = b"PK"
"""First bytes of a skops file."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """A fitted pipeline from elsewhere, its columns in order, its classes as text.

    A booster was `matched` to the file's columns; its classes may be plain numbers.
    """

    pipeline: Any
    uri: str
    estimator: str
    columns: tuple[str, ...]
    task: Task
    classes: tuple[str, ...]
    matched: Matched | None = None

    @property
    def kinds(self) -> Mapping[str, FeatureKind]:
        """Return the known kinds of columns, which override what values look like."""
        return {} if self.matched is None else self.matched.kinds

    @property
    def notes(self) -> tuple[Reason, ...]:
        """Return remarks for the decision."""
        return () if self.matched is None else self.matched.notes


def look_at(foreign: ForeignModel, columns: Callable[[], Mapping[str, ColumnKind]], asked: Mapping[str, FeatureKind]) -> Adopted:
    """Load a model from elsewhere, and find out its columns and classes.

    Args:
        foreign: the model.
        columns: returns the possible features of the reference file, in order, with their inferred kinds.
        asked: the kinds that a person named.

    Raises:
        AdoptionRefusedError: if it cannot be loaded safely, cannot be imported, does not fit the file's columns, or gives no scores.
    """
    model = _loaded(foreign)
    inputs = family_of(model).inputs(model)
    matching = None if inputs is None else matched(model, family_of(model), inputs, columns(), asked)
    # Write and read it again, as for a bundle: from then on its bytes stay the same.
    pipeline = model if matching is None else load_pipeline(dump_pipeline(matching.pipeline))
    known = getattr(pipeline, "feature_names_in_", None)
    if known is None:
        message = (
            f"the pipeline of {foreign.uri} does not know its columns: fit it on a DataFrame, texts too, by "
            'ColumnTransformer([("texts", TfidfVectorizer(), "COLUMN"), …]), and log it again'
        )
        raise AdoptionRefusedError(message)
    if not (is_regressor(pipeline) or (is_classifier(pipeline) and hasattr(pipeline, "predict_proba"))):
        message = f"{foreign.uri} is a {type(pipeline).__name__} without predict_proba: adopt a regressor, or a classifier that has it"
        raise AdoptionRefusedError(message)
    _refuse_uncloned(pipeline, foreign.uri)
    model = steps_of(pipeline)[-1]
    estimator = f"{type(model).__module__}.{type(model).__qualname__}"
    classes = () if is_regressor(pipeline) else classes_of(pipeline)
    _refuse_disorder(classes, foreign.uri)
    task = Task.REGRESSION if not classes else Task.BINARY if len(classes) == 2 else Task.MULTICLASS
    return Adopted(pipeline, foreign.uri, estimator, tuple(map(str, known)), task, classes, matching)


def _refuse_uncloned(pipeline: Any, uri: str) -> None:
    """Refuse a pipeline that cannot be cloned, since retraining clones it."""
    try:
        clone(pipeline)
    except REFUSALS as error:
        message = f"the pipeline of {uri} cannot be cloned, so it could never be retrained: {error}"
        raise AdoptionRefusedError(message) from error


def _loaded(foreign: ForeignModel) -> Any:
    if foreign.body.startswith(_ZIP):
        return _unpacked(foreign)
    opened = (family.estimator_in(foreign.body) for family in families().values())
    try:
        model = next((found for found in opened if found is not None), None)
    except InvalidBundleError as error:
        message = f"{foreign.uri}: {error}"
        raise AdoptionRefusedError(message) from error
    if model is None:
        message = (
            f"{foreign.uri} is not a known model file: XGBoost's JSON or UBJSON, LightGBM's text, or CatBoost's CBM or JSON, as save_model "
            "writes them; pickles run any code in them, and are not loaded"
        )
        raise AdoptionRefusedError(message)
    return model


def _unpacked(foreign: ForeignModel) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Trying to unpickle")  # `remarks` reports the version
            return load_pipeline(foreign.body)
    except ImportError as error:
        message = f"{foreign.uri} cannot be loaded: {error}. Estimators of your own must be installed in the functions' image"
        raise AdoptionRefusedError(message) from error
    except InvalidBundleError as error:
        message = f"{foreign.uri}: {error}. An installed package vouches for its types by entry points of the group {TRUST_GROUP}"
        raise AdoptionRefusedError(message) from error


def _refuse_disorder(classes: Sequence[str], uri: str) -> None:
    """Refuse classes that are not in text order, which a clone that learns texts has."""
    if list(classes) != sorted(classes):
        message = f"{uri} orders its classes {', '.join(classes)}, but as text they sort differently: rename them"
        raise AdoptionRefusedError(message)


def with_classes_of(adopted: Adopted, rows: TrainingSet) -> tuple[Adopted, tuple[Reason, ...]]:
    """Name the classes of a model that only numbers them, as in the file; warn.

    Raises:
        AdoptionRefusedError: if the file has a different number of classes.
    """
    labels = sorted(pc.unique(rows.table[rows.spec.target]).drop_null().to_pylist()) if adopted.classes else []
    numbers = [str(number) for number in range(len(adopted.classes))]
    if adopted.matched is None or list(adopted.classes) != numbers or set(labels) <= set(numbers):
        return adopted, ()
    if len(labels) != len(numbers):
        message = (
            f"the model distinguishes {len(numbers)} classes and only counts them, but {rows.spec.target!r} is one of "
            f"{len(labels)}: {', '.join(labels[:10])}; write the file with all of the model's classes and no other"
        )
        raise AdoptionRefusedError(message)
    meanings = ", ".join(f"{number} for {label!r}" for number, label in zip(numbers, labels, strict=True))
    reason = Reason(code="classes_by_order", message=f"the model counts its classes, and was taken to mean {meanings}", warning=True)
    return replace(adopted, classes=tuple(labels)), (reason,)


def remarks(foreign: ForeignModel, adopted: Adopted, file: TrainingSet, rows: TrainingSet) -> tuple[Reason, ...]:
    """Return remarks on library versions, unknown parameters, and rows left out."""
    family = family_of(steps_of(adopted.pipeline)[-1])
    reasons = []
    if foreign.package and foreign.version != (present := import_module(foreign.package).__version__):
        library = families()[foreign.package].library
        message = f"the model was written by {library} {foreign.version} and is served by {present}"
        reasons.append(Reason(code="other_library", message=message))
    if not family.files_hold_parameters and not foreign.body.startswith(_ZIP):
        message = (
            f"of a training, {family.library}'s files hold only its rounds, their depth and the objective: retraining uses the library's "
            "defaults for the rest, and retrain --param model__learning_rate=0.1 another value"
        )
        reasons.append(Reason(code="recipe_unknown", message=message, warning=True))
    if rows.rows < file.rows:
        required = ", ".join(feature.name for feature in rows.spec.features if not feature.nullable)
        message = f"left out {counted(file.rows - rows.rows, 'rows')} without one of {required}, which the pipeline needs"
        reasons.append(Reason(code="left_out", message=message))
    return (*adopted.notes, *reasons)


def adoptable_rows(adopted: Adopted, rows: TrainingSet) -> TrainingSet:
    """Return the reference rows that the pipeline can score, with its spec.

    Raises:
        AdoptionRefusedError: as `_tried`, or if no row has a class that the pipeline knows.
    """
    spec = rows.spec.model_copy(update={"adopted": adopted.uri, "classes": adopted.classes})
    if adopted.matched is not None:
        refuse_unknown(adopted.matched, rows.table)
    spec = spec.model_copy(update={"features": _tried(adopted, spec, rows.table)})
    table = rows.table
    for feature in spec.features:
        if not feature.nullable:
            table = table.filter(pc.is_valid(table[feature.name]))
    known = TrainingSet(spec, table).known()
    if not known.rows:
        message = f"no row has a {spec.target!r} that the pipeline knows: {', '.join(adopted.classes)}"
        raise AdoptionRefusedError(message)
    return TrainingSet(spec, table)


def _tried(adopted: Adopted, spec: ModelSpec, rows: pa.Table) -> tuple[Feature, ...]:
    """Return the spec's features, nullable where the pipeline accepts missing.

    Rows that lack other features are quarantined later, since one of them would fail its whole batch. An unseen category would do so
    too, but rows with one cannot be avoided, so the pipeline must accept it.

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
    """Return why a pipeline does not score rows, or None."""
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
