"""Find the family of a model."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from functions.shared.engines.families.family import Family

GROUP = "everscore.families"
"""Installed packages add families by entry points of this group: a package name, and an instance of `Family`."""

_OURS = {
    "sklearn": "functions.shared.engines.families.scikit_learn:SCIKIT_LEARN",
    "xgboost": "functions.shared.engines.families.xgboost:XGBOOST",
    "lightgbm": "functions.shared.engines.families.lightgbm:LIGHTGBM",
    "catboost": "functions.shared.engines.families.catboost:CATBOOST",
}


@cache
def families() -> Mapping[str, Family]:
    """Return the families by the package of their classes; scikit-learn's comes last."""
    others = {point.name: point.value for point in entry_points(group=GROUP)}
    return {package: _imported(where) for package, where in reversed({**_OURS, **others}.items())}


def family_of(model: Any) -> Family:
    """Return the family of an estimator or class; scikit-learn's if no other fits."""
    made = model if isinstance(model, type) else type(model)
    packages = [ancestor.__module__.partition(".")[0] for ancestor in made.__mro__]
    known = families()
    return next((known[package] for package in packages if package in known), known["sklearn"])


def library_of(model: Any) -> str:
    """Return the name and version of an estimator's library, for people."""
    family = family_of(model)
    package = next(package for package, known in families().items() if known is family)
    return f"{family.library} {import_module(package).__version__}"


def threaded_jobs(pipeline: Any) -> list[str]:
    """Return thread parameters, such as `n_jobs`, of estimators that use all cores."""
    parameters = pipeline.get_params()
    owners = {name: family_of(parameters.get(name.rpartition("__")[0], pipeline)) for name in parameters if says_threads(name)}
    return [name for name, family in owners.items() if family.threaded and name.rpartition("__")[2] == family.jobs]


def says_threads(parameter: str) -> bool:
    """Return whether a parameter sets the number of threads of any family."""
    return parameter.rpartition("__")[2] in {family.jobs for family in families().values()}


def _imported(where: str) -> Family:
    module, _, name = where.partition(":")
    family: Family = getattr(import_module(module), name)
    return family
