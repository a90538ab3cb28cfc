"""Load LightGBM's own model files, which are text, as fitted estimators."""

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from functions.shared.domain.errors import AdoptionRefusedError
from functions.shared.engines.families.inputs import Inputs

if TYPE_CHECKING:
    from lightgbm import Booster

_CLASSIFIERS = ("binary", "multiclass", "multiclassova", "cross_entropy")
_RANKS = ("lambdarank", "rank_xendcg", "custom")
_OWN_TO_A_RUN = {
    *("data", "valid", "metric", "num_class", "objective", "num_iterations", "categorical_feature"),
    *("seed", "num_threads", "verbosity", "deterministic", "force_row_wise", "force_col_wise"),
}
"""Parameters of a file that a retraining does not reuse, or sets differently."""


def is_ours(body: bytes) -> bool:
    """Return whether bytes look like LightGBM's text."""
    return body.lstrip().startswith(b"tree\n") or body.lstrip().startswith(b"tree\r\n")


def text_of(body: bytes) -> str:
    """Return a file's text, changed so that LightGBM reads its trees one by one.

    With several threads, a damaged tree would abort the whole process.
    """
    text = body.decode("utf-8", "replace").replace("\r\n", "\n").lstrip()
    return re.sub(r"^tree_sizes=.*\n", "", text, count=1, flags=re.MULTILINE)


def estimator_in(text: str) -> Any:
    """Return the model of a checked file as a fitted estimator, with its parameters.

    Raises:
        AdoptionRefusedError: if LightGBM refuses the file, or its model gives neither probabilities nor numbers to predict.
    """
    from lightgbm import LGBMClassifier, LGBMRegressor

    found = re.search(r"^objective=(\S+)", text.partition("\nTree=")[0], re.MULTILINE)
    objective = found[1] if found else "custom"
    if objective in _RANKS:
        message = f"a model with the objective {objective} gives neither probabilities nor numbers to predict"
        raise AdoptionRefusedError(message)
    booster = _booster(text)
    classes = max(2, booster.num_model_per_iteration())
    classifies = objective in _CLASSIFIERS
    model = (LGBMClassifier if classifies else LGBMRegressor)(objective=objective, n_estimators=max(1, booster.current_iteration()))
    # A fit on arbitrary rows sets all attributes of a fitted estimator; then the booster is replaced.
    model.set_params(verbosity=-1, deterministic=True, force_row_wise=True)
    model.fit(np.zeros((classes, booster.num_feature())), np.arange(classes) if classifies else np.arange(classes) + 1.0)
    model.set_params(**_recipe(booster, model))
    model._Booster = booster  # noqa: SLF001 - its interface has no other way in
    return model


def inputs(model: Any) -> Inputs:
    """Describe the columns of a fitted estimator."""
    booster = model.booster_
    names = booster.feature_name()
    header = booster.model_to_string(num_iteration=1).partition("\nTree=")[0]
    infos = re.search(r"^feature_infos=(.*)$", header, re.MULTILINE)
    # Categories are listed by code, numbers have a range in brackets, and unused columns have neither.
    seen = {place for place, info in enumerate(infos[1].split(" ") if infos else ()) if ":" in info and not info.startswith("[")}
    named = str(booster.params.get("categorical_feature") or booster.params.get("categorical_column") or "")
    coded = frozenset(seen | {int(place) for place in re.findall(r"\d+", named) if int(place) < len(names)})
    lists = tuple(tuple(values) for values in booster.pandas_categorical or ())
    return Inputs(
        names=tuple(names),
        invented=names == [f"Column_{place}" for place in range(len(names))],
        coded=coded,
        lists=lists,
        listed=tuple(sorted(coded)) if len(lists) == len(coded) else () if not lists else None,
    )


def _booster(text: str) -> "Booster":
    from lightgbm import Booster
    from lightgbm.basic import LightGBMError

    try:
        return Booster(model_str=text)
    except (LightGBMError, ValueError) as error:
        message = f"LightGBM cannot load the file ({error}): save it again by save_model"
        raise AdoptionRefusedError(message) from error


def _recipe(booster: "Booster", plain: Any) -> dict[str, Any]:
    """Return a file's parameters that differ from defaults, by estimators' names."""
    from lightgbm.basic import _ConfigAliases

    defaults, estimators_own = plain.booster_._get_loaded_param(), plain.get_params()  # noqa: SLF001 - no public form
    changed = {
        name: value
        for name, value in booster.params.items()
        if name in defaults and value != defaults[name] and name not in _OWN_TO_A_RUN and not name.endswith("_seed")
    }
    named = {}
    for name, value in changed.items():
        aliases = sorted(_ConfigAliases.get(name) & estimators_own.keys())
        named[aliases[0] if aliases else name] = value
    return named
