"""CatBoost's own model files, CBM and JSON, as fitted estimators."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from functions.shared.domain.errors import AdoptionRefusedError
from functions.shared.engines.families.family import built_with
from functions.shared.engines.families.inputs import Inputs

MISSING, UNSEEN = -1, -2
"""Codes of categories that are none of the training's; others count from 0."""

_MAGIC = b"CBM1"
_HEADER = 8
"""Bytes before the model: the mark, and the model's size."""
_MODEL = "__model"
"""Where an estimator's state has its model."""
_CLASSIFIERS = ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll")
_REGRESSORS = ("RMSE", "MAE", "MAPE", "Quantile", "LogLinQuantile", "Poisson", "Tweedie", "Huber", "Expectile", "LogCosh", "Lq")
_OWN_TO_A_RUN = ("use_best_model", "best_model_min_trees", "eval_metric", "od_type", "od_wait", "od_pval", "class_names")
"""Parameters that say when to stop by rows which another training does not have, and what classes are called, which are numbered."""


def is_ours(body: bytes) -> bool:
    """Return whether bytes look like one of CatBoost's files."""
    return body.startswith(_MAGIC) or (body.lstrip()[:1] == b"{" and b'"features_info"' in body and b'"scale_and_bias"' in body)


def estimator_in(body: bytes) -> Any:
    """Return a file's model as a fitted estimator, with the file's parameters.

    Raises:
        AdoptionRefusedError: if CatBoost is not there, if the file is damaged, or if its model gives neither probabilities nor numbers.
    """
    try:
        from catboost import CatBoostClassifier, CatBoostRegressor
    except ImportError as error:
        message = "the file is CatBoost's, which is not in the functions' image"
        raise AdoptionRefusedError(message, remedy=built_with("CatBoost", "catboost")) from error

    objective = _objective(_loaded(CatBoostRegressor(), body))
    if objective not in _CLASSIFIERS + _REGRESSORS:
        message = f"a model with the objective {objective} gives neither probabilities nor numbers to predict"
        raise AdoptionRefusedError(message)
    made = CatBoostClassifier if objective in _CLASSIFIERS else CatBoostRegressor
    theirs = _loaded(made(), body)
    model = made(**_recipe(theirs))
    # A fitted estimator takes no more parameters, so one that has them takes the model.
    model.__setstate__({_MODEL: theirs.__getstate__()[_MODEL]})
    return model


def inputs(model: Any) -> Inputs:
    """Return the columns of a fitted estimator."""
    names = model.feature_names_
    return Inputs(
        names=tuple(names),
        invented=names == [str(place) for place in range(len(names))],
        as_written=frozenset(model.get_cat_feature_indices()),
    )


def document(model: Any) -> dict[str, Any]:
    """Return a fitted estimator as CatBoost's JSON has it."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.json"
        model.save_model(file, format="json")
        found: dict[str, Any] = json.loads(file.read_text())
    return found


def _loaded(model: Any, body: bytes) -> Any:
    from catboost import CatBoostError

    is_binary = body.startswith(_MAGIC)
    # CatBoost itself would read on, beyond the end.
    if is_binary and int.from_bytes(body[len(_MAGIC) : _HEADER], "little") > len(body) - _HEADER:
        message = "CatBoost cannot load the file (it ends early): save it again by save_model"
        raise AdoptionRefusedError(message)
    try:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "model"
            file.write_bytes(body)
            model.load_model(str(file), format="cbm" if is_binary else "json")
            _objective(model)
    except (CatBoostError, ValueError, LookupError) as error:
        message = f"CatBoost cannot load the file ({str(error).strip().partition('\n')[0]}): save it again by save_model"
        raise AdoptionRefusedError(message) from error
    return model


def _objective(model: Any) -> str:
    """Return what a model was trained for, such as `Logloss`."""
    return str(json.loads(model.get_metadata()["params"])["loss_function"]["type"])


def _recipe(model: Any) -> dict[str, Any]:
    """Return the parameters that a file names, for a training on other rows."""
    named = {name: _immutable(value, model) for name, value in model.get_params().items() if name not in _OWN_TO_A_RUN}
    coded = tuple(model.get_cat_feature_indices())
    own = {"iterations": model.tree_count_, "allow_writing_files": False, "verbose": False, "thread_count": 1}
    return {**named, **own, **({"cat_features": coded} if coded else {})}


def _immutable(value: Any, model: Any) -> Any:
    """Return a parameter's value in a form that a clone can share.

    Lists become tuples; what is given by column becomes a tuple over the columns.
    """
    if isinstance(value, dict) and set(value) <= set(model.feature_names_):
        return tuple(value.get(name, 0) for name in model.feature_names_)
    return tuple(value) if isinstance(value, list) else value
