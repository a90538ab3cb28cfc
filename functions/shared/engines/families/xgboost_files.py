"""Load XGBoost's own model files, JSON and UBJSON, as fitted estimators."""

import json
from typing import TYPE_CHECKING, Any

from functions.shared.domain.errors import AdoptionRefusedError
from functions.shared.engines.families.inputs import Inputs

if TYPE_CHECKING:
    from xgboost import Booster

_CLASSIFIERS = ("binary:", "multi:")
_AS_PROBABILITIES = {"multi:softmax": "multi:softprob", "binary:logitraw": "binary:logistic"}
"""Objectives that train like another one, with a different output only."""


def is_ours(body: bytes) -> bool:
    """Return whether bytes look like one of XGBoost's files."""
    return body.lstrip()[:1] == b"{" and b"learner" in body and b"gradient_booster" in body


def estimator_in(body: bytes) -> Any:
    """Return the model of a file as a fitted estimator, with its known parameters.

    Raises:
        AdoptionRefusedError: if the file is damaged, or its model gives neither probabilities nor numbers to predict.
    """
    from xgboost import XGBClassifier, XGBRegressor

    booster = _booster(body)
    learner = json.loads(booster.save_config())["learner"]
    objective = learner["objective"]["name"]
    if objective.startswith("rank:") or objective == "binary:hinge":
        message = f"a model with the objective {objective} gives neither probabilities nor numbers to predict"
        raise AdoptionRefusedError(message)
    if objective in _AS_PROBABILITIES:
        booster.set_param({"objective": _AS_PROBABILITIES[objective]})
    booster.set_attr(scikit_learn=None)
    classifies = objective.startswith(_CLASSIFIERS)
    model = (XGBClassifier if classifies else XGBRegressor)(**_recipe(booster, learner))
    model.load_model(booster.save_raw("ubj"))
    if learner["learner_model_param"].get("boost_from_average") == "1":
        # Its start was only the mean of its target, which differs in a retraining.
        model.set_params(base_score=None)
    return model


def inputs(model: Any) -> Inputs:
    """Describe the columns of a fitted estimator."""
    booster = model.get_booster()
    names, kinds = booster.feature_names, booster.feature_types or ()
    numbered = [f"f{place}" for place in range(booster.num_features())]
    found = {place: tuple(values.to_pylist()) for place, values in enumerate(_categories(booster)) if values is not None}
    return Inputs(
        names=tuple(names or numbered),
        invented=(names or numbered) == numbered,
        coded=frozenset(place for place, kind in enumerate(kinds) if kind == "c"),
        lists=tuple(found.values()),
        listed=tuple(found),
    )


def _booster(body: bytes) -> "Booster":
    from xgboost import Booster
    from xgboost.core import XGBoostError

    booster = Booster()
    try:
        booster.load_model(bytearray(body))
    except XGBoostError as error:
        message = f"XGBoost cannot load the file ({str(error).partition('\n')[0]}): save it again by save_model"
        raise AdoptionRefusedError(message) from error
    return booster


def _categories(booster: "Booster") -> list[Any]:
    """Return each column's categories as an Arrow array, or None."""
    # For a model without categories, XGBoost returns no columns at all.
    return [values for _, values in booster.get_categories(export_to_arrow=True).to_arrow()]


def _recipe(booster: "Booster", learner: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that a model reveals: rounds, depth, booster, objective."""
    settings = {
        name: json.loads(value)
        for part, values in learner["objective"].items()
        if part.endswith("_param") and part != "softmax_multiclass_param"
        for name, value in values.items()
    }
    model = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]
    trees = model.get("model", {}).get("trees")
    if trees is None:
        return {"n_estimators": booster.num_boosted_rounds(), **settings}
    parallel = int(model["model"]["gbtree_model_param"]["num_parallel_tree"])
    deepest = max((_depth(tree["left_children"], tree["right_children"]) for tree in trees), default=1)
    return {"n_estimators": booster.num_boosted_rounds(), "max_depth": deepest, "num_parallel_tree": parallel, **settings}


def _depth(left: list[int], right: list[int]) -> int:
    """Return the number of splits above the deepest leaf."""
    level, depth = [0], 0
    while inner := [node for node in level if left[node] >= 0]:
        # A tree deeper than its number of nodes contains a cycle.
        if depth > len(left):
            break
        level, depth = [child for node in inner for child in (left[node], right[node])], depth + 1
    return depth
