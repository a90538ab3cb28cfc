"""What a model is: its task, its columns, and how it was made."""

import re
from collections.abc import Mapping
from enum import StrEnum
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from functions.shared.domain.decision_rule import HIGHEST, DecisionRule, above
from functions.shared.domain.document import Document, Value
from functions.shared.domain.errors import InvalidNameError
from functions.shared.domain.formats import PLAIN, Formats

_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def checked_model_name(name: str) -> str:
    """Return `name` if it is a model name.

    It has 1 to 64 letters, digits, `-` or `_`, and starts with a letter or digit.

    Raises:
        InvalidNameError: otherwise. The rule keeps names safe inside S3 keys, metric dimensions and MLflow.

    >>> checked_model_name("flights-2013")
    'flights-2013'
    """
    if not _MODEL_NAME.fullmatch(name):
        remedy = (
            "use 1 to 64 letters from a to z, digits, '-' or '_', starting with a letter or digit; "
            "it becomes part of names on AWS, which take no other letters"
        )
        raise InvalidNameError(f"{name!r} is no model name", remedy=remedy)
    return name


class Task(StrEnum):
    """What the model predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class FeatureKind(StrEnum):
    """How a feature's text is read and binned."""

    NUMBER = "number"
    CATEGORY = "category"
    BOOLEAN = "boolean"


class Feature(Value):
    """One input column; `nullable` is false if a person said so at training.

    The training set then had no missing value in it.

    A `canonical` category is read in one form however a file writes it, as it was learnt; another exactly as it is written.
    `sign` is the currency or percent sign that a number's texts bear.
    """

    name: str
    kind: FeatureKind
    nullable: bool = True
    canonical: bool = False
    sign: str = ""


class ModelSpec(Document):
    """Everything about a version that scoring and retraining must agree on.

    `classes` holds the labels as text in the order of the estimator's `classes_`. It is empty for a regression.
    `positive` is the class of a binary task whose probability is the score; None means the second of `classes`.
    `decision_rule` is what the pipeline's own `predict` does with the scores; earlier versions did not record it.
    `adopted` is the MLflow URI of a pipeline that was not built here: retraining clones the one in the version's bundle, with
    `parameters` set on it, and `estimator` only says what its last step is.
    `timezone` is that of times which name no offset, and `day_zone` the one whose midnights part event days: the same, but for
    models that were first trained when days were those of UTC.
    `formats` says how files are written that bring its rows and labels.
    `libraries` and `platform` say what it was made by: versions by distribution, that of the estimator among them, and of
    Python and the processor's architecture, which earlier versions did not record.
    """

    name: str
    task: Task
    target: str
    id_column: str
    time_column: str | None = None
    timezone: str = "UTC"
    day_zone: str = "UTC"
    formats: Formats = PLAIN
    features: tuple[Feature, ...] = Field(min_length=1)
    classes: tuple[str, ...] = ()
    positive: str | None = None
    decision_rule: DecisionRule | None = None
    metric: str
    estimator: str
    parameters: Mapping[str, object] = Field(default_factory=dict)
    adopted: str | None = None
    seed: int = 0
    libraries: Mapping[str, str] = Field(default_factory=dict)
    platform: Mapping[str, str] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _name_is_safe(cls, name: str) -> str:
        return checked_model_name(name)

    @field_validator("timezone", "day_zone")
    @classmethod
    def _timezone_exists(cls, name: str) -> str:
        ZoneInfo(name)
        return name

    @property
    def score_columns(self) -> tuple[str, ...]:
        """Names of the score outputs: one, or one a class for a multiclass task.

        A regression's score is its prediction, a binary task's the probability of the last of `outcomes`.
        """
        if self.task is Task.MULTICLASS:
            return tuple(f"score_{label}" for label in self.classes)
        return ("score",)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The classes by number, as scores and truth count them.

        They are those of the estimator; of two classes the positive one is last.

        >>> churn = {"name": "m", "target": "left", "id_column": "id", "features": [{"name": "x", "kind": "number"}], "metric": "auc"}
        >>> spec = ModelSpec(**churn, task=Task.BINARY, estimator="e", classes=("no", "yes"))
        >>> spec.outcomes, spec.model_copy(update={"positive": "no"}).outcomes
        (('no', 'yes'), ('yes', 'no'))
        """
        return self.classes[::-1] if self.scores_first_class else self.classes

    @property
    def scores_first_class(self) -> bool:
        """Return whether a person asked for the estimator's first class.

        The usual positive class is its second.
        """
        return self.task is Task.BINARY and self.positive in self.classes[:1]

    @property
    def positive_class(self) -> str | None:
        """The class of a binary task that the score is about.

        It is None for other tasks, and before the fit.
        """
        return self.outcomes[1] if self.task is Task.BINARY and self.classes else None

    @property
    def rule(self) -> DecisionRule | None:
        """How the model's scores become a prediction; None for a regression.

        It is the recorded rule, or else the most probable class.
        """
        if self.task is Task.REGRESSION:
            return None
        most_probable = HIGHEST if self.task is Task.MULTICLASS else above(0.5, inclusive=self.scores_first_class)
        return self.decision_rule or most_probable
