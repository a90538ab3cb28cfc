"""Names of columns in scored files: the answers' own, and where an input column of such a name is found."""

from collections.abc import Collection

from functions.shared.domain.release import Role
from functions.shared.domain.spec import ModelSpec

PREFIX = "input_"


def answer_names(spec: ModelSpec) -> frozenset[str]:
    """All names that scoring may give to an answer, in a rollout or outside.

    The scores' names are those of `spec.score_columns`, in a rollout also after `champion_` and `challenger_`.
    """
    sides = (f"{role.value}_{name}" for role in Role for name in spec.score_columns)
    return frozenset({"prediction", "model_version", "role", *spec.score_columns, *sides})


def free_name(name: str, taken: Collection[str]) -> str:
    """The name after as many `input_` as it takes for no other column to have it.

    >>> free_name("score", {"id", "score", "prediction"})
    'input_score'
    """
    while name in taken:
        name = PREFIX + name
    return name


def stored_name(name: str, columns: Collection[str], spec: ModelSpec) -> str:
    """Where an input column is found among the `columns` of a scored file; the inverse of `free_name`.

    >>> from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
    >>> feature = Feature(name="score", kind=FeatureKind.NUMBER)
    >>> spec = ModelSpec(name="m", task=Task.REGRESSION, target="y", id_column="id", features=(feature,), metric="rmse", estimator="e")
    >>> stored_name("score", ["id", "input_score", "prediction", "score"], spec), stored_name("id", ["id"], spec)
    ('input_score', 'id')
    """
    if name in answer_names(spec):
        while PREFIX + name in columns:
            name = PREFIX + name
    return name
