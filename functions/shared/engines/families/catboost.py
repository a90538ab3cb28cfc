"""CatBoost's estimators for scikit-learn, an option of the image.

Its trees ask the same at every node of a level.
"""

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

from functions.shared.domain.errors import TrainingError
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.families import catboost_files
from functions.shared.engines.families.family import Family
from functions.shared.engines.families.inputs import Inputs
from functions.shared.engines.tree_forms import TreeForm

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer

_ESTIMATORS = ("CatBoostClassifier", "CatBoostRegressor")
_SEEDS = {"random_seed", "random_state"}
_LOUDNESS = {"verbose", "logging_level", "silent", "verbose_eval"}
"""Names of one parameter each, of which CatBoost takes one at most."""
_OWN_TO_A_RUN = ("model_guid", "train_finish_time")
"""What CatBoost writes into a model that is another each time."""


class _CatBoost(Family):
    backend = "catboost"
    library = "CatBoost"
    option = "catboost"
    trusted_types = tuple(f"catboost.core.{name}" for name in _ESTIMATORS)
    threaded = True
    numbered_classes = True

    def parameters(self, made: type) -> Collection[str]:
        return [name for name in inspect.signature(made).parameters if name not in {"cat_features", "callback"}]

    def arguments(self, made: type, spec: ModelSpec) -> Mapping[str, object]:  # noqa: ARG002 - alike for both
        from functions.shared.engines.families.columns import by_position

        given = spec.parameters.keys()
        own: dict[str, object] = {"allow_writing_files": False, "thread_count": 1}
        own |= {} if _SEEDS & given else {"random_seed": spec.seed}
        own |= {} if _LOUDNESS & given else {"verbose": False}
        constraints = by_position(spec)
        if constraints.keys() - {"monotone_constraints"}:
            message = "CatBoost has no interaction_constraints"
            raise TrainingError(message, remedy="leave them out, or choose XGBoost or LightGBM")
        return {**own, **spec.parameters, **constraints}

    def columns(self, model: Any, spec: ModelSpec, empty: Collection[str]) -> "ColumnTransformer":  # noqa: ARG002 - needs no value
        from functions.shared.domain.spec import FeatureKind
        from functions.shared.engines.families.columns import of_kind, whole_codes

        categories = of_kind(spec, FeatureKind.CATEGORY)
        model.set_params(cat_features=tuple(range(len(categories))))
        return whole_codes(spec, missing=catboost_files.MISSING, unseen=catboost_files.UNSEEN)

    def fitting(self) -> AbstractContextManager[None]:
        return _errors_as_others_have_them()

    def fitted(self, model: Any) -> None:
        notes = model.get_metadata()
        for name in _OWN_TO_A_RUN:
            notes[name] = ""

    def alone(self, model: Any) -> None:
        for name in ("predict", "predict_proba"):
            if method := getattr(type(model), name, None):
                setattr(model, name, _in_one_thread(method.__get__(model)))

    def estimator_in(self, body: bytes) -> Any | None:
        return catboost_files.estimator_in(body) if catboost_files.is_ours(body) else None

    def inputs(self, model: Any) -> Inputs | None:
        return catboost_files.inputs(model) if hasattr(model, "feature_names_") else None

    def take_codes(self, model: Any, coded: Collection[int]) -> None:
        """Nothing is to be done: it takes categories as they are written."""

    def tree_form(self, model: Any) -> TreeForm | None:
        from functions.shared.engines.families.catboost_trees import tree_form

        return tree_form(model) if type(model).__name__ in _ESTIMATORS else None

    def check(self, model: Any) -> None:
        """CatBoost checks a model when it loads it."""


CATBOOST = _CatBoost()


@contextmanager
def _errors_as_others_have_them() -> Iterator[None]:
    from catboost import CatBoostError

    try:
        yield
    except CatBoostError as error:
        # It begins with the line of CatBoost's source.
        place, found, reason = str(error).partition(": ")
        message = reason if found and ".cpp" in place else str(error)
        raise ValueError(message.strip()) from error


def _in_one_thread(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def scores(rows: Any) -> Any:
        with _errors_as_others_have_them():
            return method(rows, thread_count=1)

    return scores
