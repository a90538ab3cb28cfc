"""Names of columns in scored files.

They are the answers' own names, and those under which input columns of such names are found.
"""

import re
from collections.abc import Collection

from functions.shared.domain.release import Role
from functions.shared.domain.spec import ModelSpec

PREDICTION = "prediction"
PREFIX = "input_"
_PREFIXES = re.compile(f"^(?:{PREFIX})+")


def answer_names(spec: ModelSpec) -> frozenset[str]:
    """Return all names that scoring may give to an answer, in a rollout or outside.

    What a version says has the names of `said_names`, in a rollout also after `champion_` and `challenger_`.
    """
    sides = (f"{role.value}_{name}" for role in Role for name in said_names(spec))
    return frozenset({"model_version", "role", *said_names(spec), *sides})


def said_names(spec: ModelSpec) -> tuple[str, ...]:
    """Return what a version says of a row: its prediction and its scores."""
    return (PREDICTION, *spec.score_columns)


def free_name(name: str, taken: Collection[str]) -> str:
    """Return a free name for an input column whose name is taken.

    It has one `input_` more than any column has, so that `stored_name` finds it again.

    >>> free_name("score", {"id", "score", "prediction"})
    'input_score'
    """
    return PREFIX + _longest(name, taken)


def stored_name(name: str, columns: Collection[str], spec: ModelSpec) -> str:
    """Return the name of an input column among the `columns` of a scored file.

    This is the inverse of `free_name`.

    >>> from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
    >>> feature = Feature(name="score", kind=FeatureKind.NUMBER)
    >>> spec = ModelSpec(name="m", task=Task.REGRESSION, target="y", id_column="id", features=(feature,), metric="rmse", estimator="e")
    >>> stored_name("score", ["id", "input_score", "prediction", "score"], spec), stored_name("id", ["id"], spec)
    ('input_score', 'id')
    """
    return _longest(name, columns) if name in answer_names(spec) else name


def _longest(name: str, columns: Collection[str]) -> str:
    """Return the column that has this name after the most prefixes."""
    return max((column for column in columns if _PREFIXES.sub("", column) == _PREFIXES.sub("", name)), key=len, default=name)
