"""What wakes retraining: a person's first training, a request for one model, or the schedule for all of them."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from functions.shared.domain import layout
from functions.shared.domain.decision import Decision
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.formats import PLAIN, Formats
from functions.shared.domain.policy import Window
from functions.shared.domain.spec import FeatureKind, Task

PERSON, SCHEDULE = "person", "schedule"
"""Triggers: what a person asks for, and what the clock does."""

ALERT = "alert:"
"""Begins the trigger of a retraining that an alert asks for; its kind follows."""


class FirstRequest(BaseModel):
    """A model's first version, with an uploaded file of labelled rows. What is None is inferred from the file.

    `kinds` says what columns hold whose values do not tell, `formats` how they are written, `positive` which of two classes the
    score is about.
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
    seed: int = 0


class TrainRequest(FirstRequest):
    """A first version that is trained on the file; columns to `drop` are not learnt from."""

    action: Literal["train"] = "train"
    task: Task | None = None
    drop: tuple[str, ...] = ()
    estimator: str | None = None
    parameters: Mapping[str, object] = Field(default_factory=dict)


class UploadedModel(BaseModel):
    """A library's own model file in the inbox; `name` is what it was called where it came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    key: str
    version_id: str | None = None


class AdoptRequest(FirstRequest):
    """A first version that was trained elsewhere: logged in MLflow, or an uploaded file. The other file shows what its rows look like."""

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
    """A challenger for a model, or for every model if none is named. `window` overrides the policy's.

    It is made as the champion was, but for what is named: another estimator, parameters (beside the champion's if its
    estimator stays), and features to leave out.
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


class Reproduction(BaseModel):
    """Whether a version came out again byte by byte, or the first difference.

    `libraries` names those whose version is not the recorded one, and `python` and `architecture` likewise: (recorded, present).
    `largest_score_difference` is over the `rows` of the snapshot; None if the version could not be rebuilt at all.
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
    """A column of a training file: a feature's kind, `id`, `time`, `target` or `left out`, and what its usable rows hold.

    Of a column that is left out nothing else is known. `example` is its first value.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    missing: int | None = None
    distinct: int | None = None
    example: str | None = None


class Learnt(BaseModel):
    """What a first version took a file for: a person who meant something else should see it here.

    It is the answer to who asked, and is not stored: an example may be a person's. `classes` counts the rows of each class,
    and is empty for a regression. `positive` is the class that the score is about (binary only).
    """

    model_config = ConfigDict(frozen=True)

    target: str
    task: Task
    positive: str | None = None
    classes: Mapping[str, int] = Field(default_factory=dict)
    columns: tuple[ColumnSeen, ...] = ()


class RetrainingResult(BaseModel):
    """The decision, or why there was nothing to decide; `requested` names the models a schedule asked for.

    `learnt` comes with a first version.
    """

    model_config = ConfigDict(frozen=True)

    decision: Decision | None = None
    learnt: Learnt | None = None
    skipped: str | None = None
    requested: tuple[str, ...] = ()


def parse_request(event: Mapping[str, Any]) -> TrainRequest | AdoptRequest | RetrainRequest | ReproduceRequest:
    """Read a direct call, EventBridge's `Retraining Requested`, or an alert's arrival in the store.

    Raises:
        pydantic.ValidationError: if it is none of them.
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
    if event.get("action") == "train":
        return TrainRequest.model_validate(event)
    if event.get("action") == "adopt":
        return AdoptRequest.model_validate(event)
    if event.get("action") == "reproduce":
        return ReproduceRequest.model_validate(event)
    return RetrainRequest.model_validate(event)
