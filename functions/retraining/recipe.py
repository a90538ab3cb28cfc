"""How to make a model's versions: the spec, and an adopted model's template."""

from dataclasses import dataclass
from typing import Any

from functions.retraining.event import RetrainRequest
from functions.retraining.fitting import Fitted, fit
from functions.retraining.training_set import TrainingSet
from functions.shared.domain.errors import TrainingError
from functions.shared.domain.release import ServedModel
from functions.shared.domain.spec import ModelSpec
from functions.shared.repositories.bundles import Bundles


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a fit needs in addition to rows."""

    spec: ModelSpec
    template: Any = None

    def fit(self, rows: TrainingSet, threads: int | None = None) -> Fitted:
        """Fit a version on `rows`; arguments and errors are those of `fitting.fit`."""
        return fit(self.spec, TrainingSet(self.spec, rows.table), self.template, threads)


def recipe_of(served: ServedModel, bundles: Bundles) -> Recipe:
    """Return how a released version was made."""
    spec = bundles.load(served).spec
    return Recipe(spec, bundles.pipeline(served) if spec.adopted else None)


def changed(recipe: Recipe, request: RetrainRequest) -> Recipe:
    """Return the recipe with a person's changes, or itself without changes.

    Raises:
        TrainingError: if a column to drop is no feature, if no feature is left, or if an adopted pipeline names its own columns.
    """
    if request.estimator is None and not request.parameters and not request.drop:
        return recipe
    spec, adopted = recipe.spec, request.estimator is None and recipe.spec.adopted
    if unknown := set(request.drop) - {feature.name for feature in spec.features}:
        message = f"{spec.name!r} has no feature {', '.join(sorted(unknown))} to drop"
        raise TrainingError(message, remedy=f"choose from its features: {_names(spec)}")
    if request.drop and adopted:
        message = f"the pipeline of {spec.adopted} names its columns itself, so none can be dropped"
        raise TrainingError(message, remedy="give another --estimator together with --drop")
    features = tuple(feature for feature in spec.features if feature.name not in request.drop)
    if not features:
        message = f"{spec.name!r} would have no feature left of {_names(spec)}"
        raise TrainingError(message, remedy="drop fewer columns")
    kept = spec.parameters if request.estimator is None else {}
    new: dict[str, object] = {"features": features, "parameters": {**kept, **request.parameters}}
    if request.estimator is not None:
        new |= {"estimator": request.estimator, "adopted": None}
    return Recipe(spec.model_copy(update=new), recipe.template if adopted else None)


def _names(spec: ModelSpec) -> str:
    return ", ".join(feature.name for feature in spec.features)
