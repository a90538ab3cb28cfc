"""Read requests: a first version, one challenger, or one for each model."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from functions.shared.domain import layout
from functions.shared.domain.decision import Decision
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.formats import PLAIN, Formats
from functions.shared.domain.policy import DecisionPolicy, Window
from functions.shared.domain.spec import FeatureKind, Task, checked_model_name

PERSON, SCHEDULE = "person", "schedule"
"""Triggers: a person's request, and the schedule."""

ALERT = "alert:"
"""First part of the trigger for a retraining by an alert; the alert's kind follows."""


class FirstRequest(BaseModel):
    """A model's first version, from an uploaded file of labelled rows.

    None stands for "infer it from the file". `kinds` overrides inferred kinds, `formats` states how values are written, and `positive`
    is the class to which the score of a binary task refers. `decision` is the rule that the policy will have once the version is made:
    it is refused for a task that has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    key: str
    version_id: str | None = None
    target: str
    id_column: str
    time_column: str | None = None
    timezone: str = "UTC"
    formats: Formats = PLAIN
    kinds: Mapping[str, FeatureKind] = Field(default_factory=dict)
    positive: str | None = None
    metric: str | None = None
    decision: DecisionPolicy = DecisionPolicy()
    seed: int = 0


class TrainRequest(FirstRequest):
    """A first version, trained on the file without the columns to `drop`."""

    action: Literal["train"] = "train"
    task: Task | None = None
    drop: tuple[str, ...] = ()
    estimator: str | None = None
    parameters: Mapping[str, object] = Field(default_factory=dict)


class UploadedModel(BaseModel):
    """A library's own model file in the inbox, and its original name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    key: str
    version_id: str | None = None


class AdoptRequest(FirstRequest):
    """A first version that was trained elsewhere: in MLflow, or an uploaded model.

    The file of labelled rows is its reference.
    """

    action: Literal["adopt"] = "adopt"
    uri: str | None = None
    file: UploadedModel | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.uri is None) == (self.file is None):
            message = "a model to adopt is at a URI or in a file: name one of them"
            raise ValueError(message)
        return self


class RetrainRequest(BaseModel):
    """A challenger for a model, or for every model if none is named.

    `window` overrides the policy's. The challenger is made like the champion, with the changes named here: another estimator,
    parameters (added to the champion's for the same estimator), and features to leave out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["retrain"] = "retrain"
    model: str | None = None
    trigger: str = SCHEDULE
    window: Window | None = None
    estimator: str | None = None
    parameters: Mapping[str, object] = Field(default_factory=dict)
    drop: tuple[str, ...] = ()


class ReproduceRequest(BaseModel):
    """A version to rebuild from its snapshot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["reproduce"] = "reproduce"
    model: str
    version: str


class ImportRequest(BaseModel):
    """A version of another stack, in a sealed file that was uploaded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["import"] = "import"
    model: str
    key: str
    version_id: str | None = None

    @field_validator("model")
    @classmethod
    def _name_is_safe(cls, name: str) -> str:
        return checked_model_name(name)


class Reproduction(BaseModel):
    """Whether a version was reproduced byte by byte, or else the first difference.

    `libraries`, `python` and `architecture` list versions that differ: (recorded, present). `largest_score_difference` is over the
    `rows` of the snapshot; None if the version could not be rebuilt.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    version: str
    identical: bool
    difference: str | None = None
    libraries: Mapping[str, tuple[str, str]] = Field(default_factory=dict)
    largest_score_difference: float | None = None
    rows: int = 0


class ColumnSeen(BaseModel):
    """A column of a training file: its role and facts about its usable rows.

    The role is a feature's kind, `id`, `time`, `target` or `left out`. Facts about a column that is left out are of all readable rows.
    `example` is the first value.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    missing: int | None = None
    distinct: int | None = None
    example: str | None = None


class Learnt(BaseModel):
    """How a first training understood its file, so that a person can correct it.

    No decision keeps it, since examples may be personal data: only the answer that its caller watches does, which is kept for a day
    and which an erasure removes. `classes` counts the rows of each class; it is
    empty for a regression. `positive` is the class to which the score refers (binary only).
    """

    model_config = ConfigDict(frozen=True)

    target: str
    task: Task
    positive: str | None = None
    classes: Mapping[str, int] = Field(default_factory=dict)
    columns: tuple[ColumnSeen, ...] = ()


class RetrainingResult(BaseModel):
    """The decision, or the reason for none.

    `requested` names the models for which a schedule requested retraining. `learnt` is set for a first version.
    """

    model_config = ConfigDict(frozen=True)

    decision: Decision | None = None
    learnt: Learnt | None = None
    skipped: str | None = None
    requested: tuple[str, ...] = ()


type _Request = TrainRequest | AdoptRequest | ImportRequest | RetrainRequest | ReproduceRequest


def parse_request(event: Mapping[str, Any]) -> _Request:
    """Read a direct call, a `Retraining Requested` event, or an alert's arrival.

    Raises:
        pydantic.ValidationError: if it is none of these.
    """
    if event.get("detail-type") == "Retraining Requested":
        detail = event["detail"]
        return RetrainRequest(model=detail["model"], trigger=detail["trigger"])
    if event.get("source") == "aws.s3":
        import json

        created = StoredObject.from_event(json.dumps(event))
        assert created is not None, "the rule matches alerts/ only, where no folder marker is written"
        kind = created.key.rsplit("-", 1)[-1].removesuffix(".json")
        return RetrainRequest(model=layout.model_or_unnamed(created.key), trigger=ALERT + kind)
    kinds: Mapping[str, type[_Request]] = {
        "train": TrainRequest,
        "adopt": AdoptRequest,
        "import": ImportRequest,
        "reproduce": ReproduceRequest,
    }
    return kinds.get(event.get("action", ""), RetrainRequest).model_validate(event)
